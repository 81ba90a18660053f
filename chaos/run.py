"""A run of the workflow, stage, review and submit, on workers that die and tries that follow."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import TaskAwaitingInput
from sqlalchemy.util import await_only, greenlet_spawn

from chaos import clock, people
from chaos.airflow import Crash, KilledError, TaskInstance, Worker, draw_crash, keep_form
from chaos.transcript import Approval, Completion
from dispute_provider.operators import review_evidence
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from dispute_provider.operators.retry import ApiRetryPolicy

if TYPE_CHECKING:
    from chaos.episode import Scene

_POOL = "submissions"
_RETRIES = 3
_MOST_CLEARS = 4
_MOST_CRASHES = 6
# Until the person on call clears what has failed.
_ON_CALL = 3600.0
_TOGETHER = 7200.0


class RunFailedError(Exception):
    """A task failed again and again, whatever the person on call did."""


class Run:
    """One run: its tasks, its XComs, and how often parts of it were cleared."""

    def __init__(self, scene: Scene, name: str, cases: dict[str, dict[str, Any]], hurried: bool) -> None:
        self.scene = scene
        self.name = name
        self.cases = cases
        self.generation = 0
        self.result: list[dict[str, Any]] = []
        self.ended = False
        self._tasks: dict[str, TaskInstance] = {}
        self._started = 0.0
        self._tokens = scene.dice.random() < 0.2
        self._hurried = hurried

    @property
    def label(self) -> str:
        """Run and generation: what one review and the submission after it belong to."""
        return f"{self.name}/{self.generation}"

    @property
    def disputes(self) -> list[str]:
        return list(self.cases)

    async def play(self, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        await self._from("stage")

    async def clear(self, task: str) -> None:
        """Somebody clears a task of the finished run, and those after it."""
        self.scene.told.disturbed.append((clock.now(), self.name, "cleared"))
        await self._from(task)

    async def _from(self, task: str) -> None:
        self.ended = False
        self._started = clock.now()
        scene = self.scene
        try:
            if task != "submit":
                self.generation += 1
            if task == "stage":
                await self._stage()
            if task != "submit":
                await self._pause()
                await self._task("review", self._review)
                while scene.dice.random() < scene.mood.second_thoughts:
                    # Somebody has the review asked again, before its answer is carried out.
                    self._remember_approvals()
                    self.generation += 1
                    scene.told.disturbed.append((clock.now(), self.name, "asked again"))
                    await self._pause()
                    await self._task("review", self._review)
                self._tamper()
            await self._pause(before_submission=True)
            await self._submit()
        except RunFailedError as error:
            self.scene.told.broken.append(f"{self.label}: {error}")
            return
        self.result = self._xcom("submit")
        self.ended = True
        self.scene.told.completions.append(
            Completion(self.label, self._started, clock.now(), tuple(self.result))
        )

    async def _pause(self, *, before_submission: bool = False) -> None:
        """Until the scheduler starts the next task; in some episodes, all submissions at once."""
        scene = self.scene
        await asyncio.sleep(scene.dice.uniform(0.5, 20))
        scene.between_tasks(self.disputes)
        if before_submission and scene.mood.together and not self._hurried:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(_TOGETHER - now % _TOGETHER)

    # The tasks

    async def _stage(self) -> None:
        by_connection: dict[str, list[dict[str, Any]]] = {}
        for case in self.cases.values():
            connection = (
                "moov_token" if self._tokens and case["provider"] == "moov" else f"{case['provider']}_default"
            )
            by_connection.setdefault(connection, []).append(case)

        def stage(connection: str, cases: list[dict[str, Any]]) -> Callable[[Any], Awaitable[Any]]:
            async def attempt(instance: TaskInstance) -> Any:
                operator = StageEvidenceOperator(
                    task_id="stage",
                    cases=cases,
                    conn_id=connection,
                    folder=self.scene.site.folder,
                    pool=_POOL,
                )
                async with staging_lock(self.scene, connection.startswith("moov")):
                    worker = self._worker(instance)
                    return await worker.run(operator.aexecute(self._context(instance, worker)))

            return attempt

        outside = self.scene.outside
        outside.staging.update(self.disputes)
        await asyncio.gather(
            *(self._task(f"stage-{name}", stage(name, cases)) for name, cases in by_connection.items())
        )
        outside.staging.subtract(self.disputes)
        records = [record for name in by_connection for record in self._xcom(f"stage-{name}")]
        outside.unclean -= {record["dispute"] for record in records if record["state"] == "staged"}
        outside.unclean |= {record["dispute"] for record in records if record["state"] != "staged"}

    async def _review(self, instance: TaskInstance) -> Any:
        staged = [record for name in self._tasks if name.startswith("stage-") for record in self._xcom(name)]
        worker = self._worker(instance)
        operator = ReviewEvidenceOperator(task_id="review", staged=staged)
        try:
            return await worker.run(greenlet_spawn(operator.execute, self._context(instance, worker)))
        except TaskAwaitingInput as parked:
            waiting = json.loads(json.dumps(parked.kwargs))
            timeout = parked.timeout.total_seconds() if parked.timeout else None
        form = self._show(instance, worker, waiting)
        slowest = 30.0 if self._hurried else 900.0 if self.scene.mood.prompt else None
        reply = people.review(form, self.scene.dice, slowest)
        answered = timeout is None or reply.after <= timeout
        await asyncio.sleep(reply.after if answered or timeout is None else timeout)
        self.scene.between_tasks(self.disputes)
        if answered:
            self._note_approvals(form, reply)
        worker = self._worker(instance)
        operator = ReviewEvidenceOperator(task_id="review", staged=[])
        event = reply.event() if answered else dict(people.TIMED_OUT)

        async def resume() -> Any:
            return operator.execute_complete(self._context(instance, worker), event, **waiting)

        return await worker.run(resume())

    def _show(self, instance: TaskInstance, worker: Worker, waiting: dict[str, Any]) -> people.Form:
        """The form that the reviewer sees: that of the first try, whatever a later one would show."""
        disputes = [record["dispute"] for record in waiting["shown"]["records"]]
        if instance.form is None:
            shown = self.scene.shown(worker.name, disputes)
            options, multiple = worker.form["options"], worker.form["multiple"]
            field = worker.form["params"].get("concede", {"schema": {}})
            conceding = field["schema"].get("examples") or [o for o in options if o.startswith("Concede ")]
            instance.form = people.Form(options, multiple, shown, conceding)
        form: people.Form = instance.form
        return form

    def _note_approvals(self, form: people.Form, reply: people.Reply) -> None:
        told = self.scene.told
        for given, disputes in ((told.approvals, reply.approved), (told.concessions, reply.conceded)):
            given += [Approval(self.label, each, clock.now(), form.shown[each]) for each in disputes]

    def _tamper(self) -> None:
        scene = self.scene
        self._remember_approvals()
        records = self._xcom("review")
        before = json.dumps(records)
        if scene.dice.random() < scene.mood.tampering:
            people.tamper(records, scene.approvals, scene.dice)
        if json.dumps(records) != before:
            scene.told.disturbed.append((clock.now(), self.name, "tampered"))
            self._tasks["review"].xcom = json.dumps(records)

    def _remember_approvals(self) -> None:
        for record in self._xcom("review"):
            if record["state"] == "approved":
                self.scene.approvals[record["dispute"]].append(record)

    async def _submit(self) -> None:
        moov = any(case["provider"] == "moov" for case in self.cases.values())

        async def attempt(instance: TaskInstance) -> Any:
            # The lock between runs for an API without keys; the slot is free again as soon as a worker dies.
            async with submission_lock(self.scene, moov):
                operator = SubmitEvidenceOperator(task_id="submit", approved=self._xcom("review"), pool=_POOL)
                worker = self._worker(instance)
                return await worker.run(operator.aexecute(self._context(instance, worker)))

        await self._task("submit", attempt)

    # Airflow around them

    async def _task(self, name: str, attempt: Callable[[TaskInstance], Awaitable[Any]]) -> None:
        """Try until it succeeds, as Airflow does; the person on call clears what has failed."""
        instance = self._tasks.setdefault(name, TaskInstance(name))
        for _ in range(_MOST_CLEARS):
            instance.max_tries = instance.try_number + _RETRIES
            reason = await self._tries(instance, attempt)
            if reason is None:
                return
            self.scene.told.disturbed.append((clock.now(), self.name, "failed and cleared"))
            await asyncio.sleep(_ON_CALL)
        raise RunFailedError(f"{name} has failed: {reason}")

    async def _tries(
        self, instance: TaskInstance, attempt: Callable[[TaskInstance], Awaitable[Any]]
    ) -> str | None:
        while True:
            instance.try_number += 1
            delay, may_retry = self.scene.mood.retry_delay, True
            try:
                instance.xcom = json.dumps(await attempt(instance))
            except KilledError:
                reason = "killed"
                self.scene.told.crashes += 1
                self.scene.told.disturbed.append((clock.now(), self.name, "killed"))
                if instance.task_id == "submit":
                    self.scene.submission_broken(self.disputes)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                decision = ApiRetryPolicy().evaluate(error, instance.try_number, instance.max_tries)
                may_retry = decision.action is not RetryAction.FAIL
                if decision.retry_delay is not None:
                    delay = decision.retry_delay.total_seconds()
            else:
                return None
            if not may_retry or instance.try_number > instance.max_tries:
                return reason
            await asyncio.sleep(delay)

    def _worker(self, instance: TaskInstance) -> Worker:
        scene = self.scene
        rate = scene.mood.crash_rate if scene.told.crashes < _MOST_CRASHES else 0.0
        crash: Crash | None = draw_crash(scene.dice, rate)
        return Worker(f"{self.label}/{instance.task_id}/{instance.try_number}", crash, scene.dice)

    def _context(self, instance: TaskInstance, worker: Worker) -> Any:
        return self.scene.airflow.context(self.name, instance, worker)

    def _xcom(self, task: str) -> list[dict[str, Any]]:
        return list(json.loads(self._tasks[task].xcom or "[]"))


def submission_lock(scene: Scene, needed: bool) -> Any:
    """The pool of one slot: the lock between runs for an API without keys."""
    return scene.airflow.pool(_POOL) if needed else contextlib.nullcontext()


def staging_lock(scene: Scene, needed: bool) -> Any:
    """The same pool, for the tasks that stage."""
    return scene.airflow.pool(_POOL) if needed else contextlib.nullcontext()


def install() -> None:
    """Have reviews park here instead of in Airflow, and read inside of the episode's event loop."""
    from airflow.providers.standard.operators import hitl

    hitl.upsert_hitl_detail = keep_form  # type: ignore[assignment]
    review_evidence.asyncio = SimpleNamespace(run=await_only)  # type: ignore[assignment]
