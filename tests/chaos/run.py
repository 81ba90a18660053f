"""A run of the workflow, stage, review and submit, on workers that die and tries that follow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import TaskAwaitingInput
from sqlalchemy.util import greenlet_spawn

from dispute_provider._tasks.retry import ApiRetryPolicy
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from tests.chaos.people import edits, reviewers
from tests.chaos.scene import Scene
from tests.chaos.stagings import Staging, Twins, draw_connections, stagings
from tests.chaos.transcript import Completion
from tests.chaos.world import clock
from tests.chaos.world.airflow import Airflow, TaskInstance
from tests.chaos.world.worker import KilledError, Worker

_RETRIES = 3
_MOST_CLEARS = 4
# Until the person on call clears what has failed.
_ON_CALL = 3600.0
_TOGETHER = 7200.0


class RunFailedError(Exception):
    """A task failed again and again, whatever the person on call did."""


class Run:
    """One run: its tasks, its XComs, and how often parts of it were cleared.

    :param airflow: the deployment that it runs in.
    :param submission_broken: called with the run's disputes when a worker dies at the submission.
    """

    def __init__(
        self,
        scene: Scene,
        airflow: Airflow,
        name: str,
        cases: dict[str, dict[str, Any]],
        twins: Twins | None = None,
        *,
        hurried: bool = False,
        submission_broken: Callable[[list[str]], None],
    ) -> None:
        self.scene = scene
        self.name = name
        self._airflow, self._run_id = airflow, airflow.new_run_id()
        self.cases = cases
        self.twins = twins
        self.generation = 0
        self.result: list[dict[str, Any]] = []
        self.ended = False
        self._tasks: dict[str, TaskInstance] = {}
        self._started = 0.0
        self._connections = draw_connections(scene.dice, scene.disruptions.connections)
        self._workers: dict[str, Worker] = {}
        self._edited: set[str] = set()
        self._hurried = hurried
        self._submission_broken = submission_broken

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
        self.scene.transcript.disturbed.append((clock.now(), self.name, "cleared"))
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
                self._edit_staged()
            if task != "submit":
                await self._pause()
                await self._ask()
                asks_again = bool(scene.situation and scene.situation.asks_again)
                while asks_again or scene.dice.random() < scene.mood.second_thoughts:
                    # Somebody has the review asked again, before its answer is carried out.
                    asks_again = False
                    self._remember_approvals()
                    self.generation += 1
                    scene.transcript.disturbed.append((clock.now(), self.name, "asked again"))
                    await self._pause()
                    await self._ask()
                self._tamper()
            await self._pause(before_submission=True)
            await self._submit()
        except RunFailedError as error:
            self.scene.transcript.broken.append(f"{self.label}: {error}")
            return
        self.result = self._xcom("submit")
        self.ended = True
        if self.twins:
            # The other one may be why it was not sent.
            transcript = self.scene.transcript
            transcript.disturbed += [(clock.now(), dispute, "claimed twice") for dispute in self.twins.cases]
        self.scene.transcript.completions.append(
            Completion(self.label, self._started, clock.now(), tuple(self.result))
        )

    async def _pause(self, *, before_submission: bool = False) -> None:
        """Until the scheduler starts the next task; in some episodes, all submissions at once."""
        scene = self.scene
        await asyncio.sleep(scene.dice.uniform(0.5, 20))
        scene.between_tasks(self.disputes)
        self._change_surroundings()
        if before_submission and scene.mood.together and not self._hurried:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(_TOGETHER - now % _TOGETHER)

    def _change_surroundings(self) -> None:
        """Replace keys, purge state stores."""
        scene, disruptions = self.scene, self.scene.disruptions
        if disruptions.rotations and scene.dice.random() < disruptions.rotations:
            scene.keys.replace()
            scene.note("*", "keys replaced")
        if disruptions.purges and scene.dice.random() < disruptions.purges:
            self._airflow.assets.clear()
            for instance in self._tasks.values():
                instance.state.clear()
            scene.note("*", "purged")

    # The tasks

    @property
    def _stagings(self) -> dict[str, Staging]:
        return stagings(self.cases, self.twins, self._connections)

    @property
    def _reviews(self) -> list[str]:
        return list(dict.fromkeys(staging.review for staging in self._stagings.values()))

    async def _stage(self) -> None:
        def stage(staging: Staging) -> Callable[[Any], Awaitable[Any]]:
            async def attempt(instance: TaskInstance) -> Any:
                operator = StageEvidenceOperator(
                    task_id="stage",
                    cases=staging.cases,
                    conn_id=staging.connection,
                    folder=self.scene.site.folder,
                    merge=self.scene.mood.merge,
                    switch_to_manual=self.scene.mood.switch,
                )
                worker = self._worker(instance)
                return await worker.run(operator.aexecute(self._context(instance, worker)))

            return attempt

        outside = self.scene.outside
        outside.staging.update(self.disputes)
        await asyncio.gather(*(self._task(name, stage(each)) for name, each in self._stagings.items()))
        outside.staging.subtract(self.disputes)
        returned = [((self.name, name), record) for name in self._stagings for record in self._xcom(name)]
        self.scene.transcript.stagings += [(clock.now(), *each) for each in returned]
        records = [record for _, record in returned]
        unclean = {record["dispute"] for record in records if record["state"] != "staged"}
        outside.unclean -= {record["dispute"] for record in records} - unclean
        outside.unclean |= unclean

    async def _ask(self) -> None:
        self.scene.transcript.edited |= {(self.label, each) for each in self._edited}
        await asyncio.gather(*(self._task(name, self._reviewing(name)) for name in self._reviews))

    def _reviewing(self, name: str) -> Callable[[TaskInstance], Awaitable[Any]]:
        async def attempt(instance: TaskInstance) -> Any:
            stagings = self._stagings.items()
            staged = [r for task, each in stagings if each.review == name for r in self._xcom(task)]
            return await self._review(instance, staged)

        return attempt

    async def _review(self, instance: TaskInstance, staged: list[dict[str, Any]]) -> Any:
        name = instance.task_id
        worker = self._worker(instance)
        operator = ReviewEvidenceOperator(task_id=name, staged=staged)
        try:
            return await worker.run(greenlet_spawn(operator.execute, self._context(instance, worker)))
        except TaskAwaitingInput as parked:
            waiting = json.loads(json.dumps(parked.kwargs))
            timeout = parked.timeout.total_seconds() if parked.timeout else None
        if instance.form is None:
            # Later tries show the form of the first one.
            disputes = [record["dispute"] for record in waiting["shown"]["records"]]
            instance.form = reviewers.form_of(worker.form, self.scene.shown(worker.name, disputes))
        form: reviewers.ShownForm = instance.form
        slowest = 30.0 if self._hurried else 900.0 if self.scene.mood.prompt else None
        reply = reviewers.next_reply(self.scene.replies, form, self.scene.dice, slowest)
        answered = timeout is None or reply.after <= timeout
        await asyncio.sleep(reply.after if answered or timeout is None else timeout)
        self.scene.between_tasks(self.disputes)
        if answered:
            reviewers.note(self.scene.transcript, self.label, name, form, reply)
        worker = self._worker(instance)
        operator = ReviewEvidenceOperator(task_id=name, staged=[])
        event = reply.event() if answered else dict(reviewers.TIMED_OUT)

        async def resume() -> Any:
            return operator.execute_complete(self._context(instance, worker), event, **waiting)

        return await worker.run(resume())

    def _edit_staged(self) -> None:
        """Edit staged records in the XCom of their task; not where the dispute has a second case."""
        scene, situation = self.scene, self.scene.situation
        self._edited = set()
        if situation and situation.edits != "staged":
            return
        chance = scene.mood.tampering if situation else scene.mood.tampering / 4
        for name in self._stagings:
            records = self._xcom(name)
            for record in records:
                if record["state"] == "staged" and not self.twins and scene.dice.random() < chance:
                    edits.edit_staged(record, scene.dice)
                    self._edited.add(record["dispute"])
            self._tasks[name].xcom = json.dumps(records)
        if self._edited:
            scene.transcript.disturbed.append((clock.now(), self.name, "tampered"))

    def _tamper(self) -> None:
        scene = self.scene
        self._remember_approvals()
        for name in self._reviews:
            records = self._xcom(name)
            before = json.dumps(records)
            if scene.dice.random() < scene.mood.tampering:
                act = scene.situation.edits if scene.situation else None
                edits.tamper(records, scene.approvals, scene.dice, act)
            if json.dumps(records) != before:
                scene.transcript.disturbed.append((clock.now(), self.name, "tampered"))
                self._tasks[name].xcom = json.dumps(records)

    def _decided(self) -> list[dict[str, Any]]:
        return [record for name in self._reviews for record in self._xcom(name)]

    def _remember_approvals(self) -> None:
        for record in self._decided():
            if record["state"] == "approved":
                self.scene.approvals[record["dispute"]].append(record)

    async def _submit(self) -> None:
        async def attempt(instance: TaskInstance) -> Any:
            operator = SubmitEvidenceOperator(task_id="submit", approved=self._decided())
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
            self.scene.transcript.disturbed.append((clock.now(), self.name, "failed and cleared"))
            await asyncio.sleep(_ON_CALL)
        raise RunFailedError(f"{name} has failed: {reason}")

    async def _tries(
        self, instance: TaskInstance, attempt: Callable[[TaskInstance], Awaitable[Any]]
    ) -> str | None:
        while True:
            instance.try_number += 1
            delay, may_retry = self.scene.mood.retry_delay, True
            by_hand = self._marks_success(instance)
            try:
                instance.xcom = json.dumps(await attempt(instance))
            except KilledError:
                if by_hand and by_hand.when() <= asyncio.get_running_loop().time():
                    instance.xcom = None
                    return None
                reason = "killed"
                self.scene.transcript.crashes += 1
                self.scene.transcript.disturbed.append((clock.now(), self.name, "killed"))
                if instance.task_id == "submit":
                    self.scene.transcript.killed_submitting.add(self.label)
                    self._submission_broken(self.disputes)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                decision = ApiRetryPolicy().evaluate(error, instance.try_number, instance.max_tries)
                may_retry = decision.action is not RetryAction.FAIL
                if decision.retry_delay is not None:
                    delay = decision.retry_delay.total_seconds()
            else:
                return None
            finally:
                if by_hand:
                    by_hand.cancel()
            if not may_retry or instance.try_number > instance.max_tries:
                return reason
            await asyncio.sleep(delay)

    def _marks_success(self, instance: TaskInstance) -> asyncio.TimerHandle | None:
        """Somebody may mark the task as success by hand while it runs; its worker is killed then."""
        scene = self.scene
        if instance.task_id.startswith("stage") or scene.dice.random() >= scene.disruptions.by_hand:
            return None

        def mark() -> None:
            scene.note(self.name, "marked as success")
            scene.transcript.marked.add(self.label)
            self._workers[instance.task_id].kill()

        return asyncio.get_running_loop().call_later(scene.dice.uniform(0, 3), mark)

    def _worker(self, instance: TaskInstance) -> Worker:
        name = f"{self.label}/{instance.task_id}/{instance.try_number}"
        dice = self.scene.faults.draw(name)
        conditions = self.scene.conditions(self._airflow, self.name, instance.task_id, dice)
        worker = Worker(name, dice, conditions)
        self._workers[instance.task_id] = worker
        return worker

    def _context(self, instance: TaskInstance, worker: Worker) -> Any:
        return self._airflow.context(self.name, self._run_id, instance, worker)

    def _xcom(self, task: str) -> list[dict[str, Any]]:
        return list(json.loads(self._tasks[task].xcom or "[]"))
