"""Play schedules of several tasks on one dispute, through the real decisions and the real ledger.

What happens to the workers, their requests and the store is drawn from a seed. The bank is the worst that can
be: it carries out every request that arrives, and repeats an answer only under the same idempotency key.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec

from dispute_provider._apis.idempotency import final_key
from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.contract import load
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._ledger.chain import Claimant, Kind
from dispute_provider._ledger.ledger import DisputeLedger, Ledger
from dispute_provider._ledger.signing import KeyringSigner
from dispute_provider._ledger.stores import MemoryStore
from dispute_provider._signatures import Keyring
from dispute_provider._workflow.sending.submit import submit
from dispute_provider._workflow.waiting import wait_for_chain
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TryAgainError,
    UnreachableError,
)
from tests.chaos.world.clock import VirtualLoop

T = TypeVar("T")
# Seconds after which a request that was written has arrived or never will.
LATEST_ARRIVAL = 180.0
# The longest wait for an answer, in seconds.
_READ_TIMEOUT = 80.0
_DUE = datetime(2199, 1, 1, tzinfo=UTC)
_OPERATION = "submit"
_ANSWERED = load("stripe")["PostDisputesDispute"]
_SIGNER = KeyringSigner(Keyring([b"secret"]))
# Seconds after which no actor starts.
_END = 6 * 3600.0

_worker: ContextVar[Worker | None] = ContextVar("worker", default=None)


@dataclass(frozen=True)
class Weather:
    """How likely each mishap is.

    :param window: freezes between the check and the socket write, which nothing makes up for without keys.
    """

    kill: float = 0.15
    freeze: float = 0.15
    freeze_before_check: float = 0.12
    window: float = 0.0
    late: float = 0.15
    lost: float = 0.2
    denied: float = 0.15
    unreachable: float = 0.08
    unread: float = 0.04
    store_fails: float = 0.03
    create_unanswered: float = 0.06
    create_late: float = 0.03
    stale_listing: float = 0.08
    twice: float = 0.25


class KilledError(Exception):
    """A worker was killed."""


@dataclass
class Post:
    """One request to submit.

    :param in_window: whether its worker was frozen between the check and the write.
    :param as_approved: whether the bank held what was approved when it arrived.
    """

    task: str
    in_window: bool = False
    arrived: float | None = None
    as_approved: bool = True


class Worker:
    """A process that runs one try of a task."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.frozen_until = 0.0

    def freeze(self, seconds: float) -> None:
        self.frozen_until = max(self.frozen_until, self._loop.time() + seconds)

    async def thaw(self) -> None:
        while (left := self.frozen_until - self._loop.time()) > 0:  # noqa: ASYNC110  # for a time, not an event
            await asyncio.sleep(left)


class SimulatedLoop(VirtualLoop):
    """Runs what goes to a thread some time later; a frozen worker sees the result when it runs again."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        worker = _worker.get()

        def work() -> None:
            try:
                outcome, error = func(*args), None
            except Exception as problem:
                outcome, error = None, problem
            self.call_later(self._rng.uniform(0.001, 0.03), deliver, outcome, error)

        def deliver(outcome: Any, error: Exception | None) -> None:
            if future.done():
                return
            if worker and (left := worker.frozen_until - self.time()) > 0:
                self.call_later(left, deliver, outcome, error)
            elif error:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        slow = self._rng.random() < 0.02
        self.call_later(self._rng.uniform(0.5, 5.0) if slow else self._rng.uniform(0.001, 0.03), work)
        return future


class StormyStore:
    """A store whose answers get lost, come late or are old; what it holds is always exact."""

    def __init__(self, loop: SimulatedLoop, rng: random.Random, weather: Weather) -> None:
        self._loop, self._rng, self._weather = loop, rng, weather
        ahead = rng.uniform(-60.0, 60.0)
        self.inner = MemoryStore(lambda: 1_800_000_000.0 + loop.time() + ahead)

    def create(self, path: str, content: bytes) -> bool:
        self._fail()
        lot = self._rng.random()
        if lot < self._weather.create_late:
            self._loop.call_later(self._rng.uniform(0.0, 60.0), self.inner.create, path, content)
            raise TimeoutError("the store does not answer")
        is_created = self.inner.create(path, content)
        if lot < self._weather.create_late + self._weather.create_unanswered:
            if self._rng.random() < 0.5:
                raise ConnectionResetError("the answer is lost")
            # The store's client repeats it automatically.
            return self.inner.create(path, content)
        return is_created

    def list(self, folder: str) -> dict[str, float]:
        self._fail()
        files = self.inner.list(folder)
        if self._rng.random() < self._weather.stale_listing:
            since = self.inner.now() - self._rng.uniform(0.0, 20.0)
            files = {path: at for path, at in files.items() if at <= since}
        return files

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        self._fail()
        return self.inner.read(paths)

    def now(self) -> float:
        self._fail()
        return self.inner.now()

    def _fail(self) -> None:
        if self._rng.random() < self._weather.store_fails:
            raise OSError("503 the store has a bad day")


class Bank:
    """One dispute at an API.

    :param has_keys: whether it repeats its answer under an idempotency key.
    """

    def __init__(self, loop: SimulatedLoop, *, has_keys: bool) -> None:
        self._loop, self._has_keys = loop, has_keys
        self._answers: dict[str, str] = {}
        self.due = _DUE
        self.letter, self.submissions = "We sent it.", 0
        self.posts: list[Post] = []

    def read(self) -> Snapshot:
        dispute = Dispute(
            provider="bank",
            account=None,
            id="d_1",
            stage="chargeback",
            status="answered" if self.submissions else "open",
            submissions=self.submissions,
            submitted=bool(self.submissions),
            submitted_at=None,
            closed=None,
            due=self.due,
            amount=1,
            currency="usd",
            reason="fraudulent",
        )
        return Snapshot(dispute, (Evidence("letter", text=self.letter),), "req_1")

    def stage(self, letter: str) -> None:
        if not self.submissions:
            self.letter = letter

    def submit(self, post: Post, key: str | None, record: Record) -> Answer | ApiError:
        """Carry out a request that arrives."""
        body = str(record.digest)
        if self._has_keys and key in self._answers:
            if self._answers[key] == body:
                return Answer(200, "req_2", {}, replayed=True, operation=_ANSWERED)
            return InvalidRequestError("the key was used with another body", operation=_OPERATION, status=400)
        if self._has_keys and key:
            self._answers[key] = body
        post.arrived = self._loop.time()
        # With keys, the request carries the evidence itself.
        post.as_approved = self._has_keys or self.read().evidence == record_evidence[record.digest]
        self.posts.append(post)
        self.submissions += 1
        # With keys, the answer has the dispute and the evidence of the request.
        shown = (
            msgspec.structs.replace(self.read(), evidence=record_evidence[record.digest])
            if self._has_keys
            else None
        )
        return Answer(200, "req_2", shown, operation=_ANSWERED)


# The evidence of each digest.
record_evidence: dict[str | None, tuple[Evidence, ...]] = {}


class BankApi:
    """The API as one worker reaches it. See :class:`~dispute_provider._apis.api.Api`."""

    name = "bank"
    key_in_use = None
    holds_one_of_a_name = True
    reads_by = "read"
    settings = SimpleNamespace(oauth=False)

    def __init__(self, world: World, worker: Worker, task: str) -> None:
        self._world, self._worker, self._task = world, worker, task
        self.submits_under_a_key = world.has_keys
        self._claim: Any = None

    def under(self, claim: Any) -> BankApi:
        view = copy(self)
        view._claim = claim
        return view

    async def wait(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        await self._sleep(self._lot(0.01, 0.5))
        found = self._world.bank.read()
        await self._sleep(self._lot(0.01, 0.5))
        if self._happens(self._world.weather.unread):
            raise ServerError("no answer", operation="read", status=503)
        return found

    def snapshot_in(self, answer: Answer, account: str | None = None) -> Snapshot | None:
        return answer.data if isinstance(answer.data, Snapshot) else None

    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        key = final_key(self.name, approved.dispute, "submit", ordinal) if self.submits_under_a_key else None
        weather = self._world.weather
        for is_last in (False, False, True):
            # The limiter's turn.
            await self._sleep(self._lot(0.0, 12.0 if self._happens(0.1) else 0.3))
            await self._claim.acquire(_OPERATION)
            await self._sleep(self._lot(0.0, 0.2))
            if self._happens(weather.unreachable):
                if not is_last and self._happens(0.7):
                    await self._sleep(self._lot(0.5, 15.0))
                    continue
                raise UnreachableError("no connection", operation=_OPERATION)
            break
        post = Post(self._task)
        if self._happens(weather.freeze_before_check):
            self._worker.freeze(self._lot(1.0, 500.0))
            await self._worker.thaw()
        self._claim.check(_OPERATION)
        if self._happens(weather.window):
            post.in_window = True
            self._worker.freeze(self._lot(1.0, 500.0))
            await self._worker.thaw()
        return await self._write(post, key, record)

    async def _write(self, post: Post, key: str | None, record: Record) -> Answer:
        loop, weather = self._world.loop, self._world.weather
        self._world.wrote.add(post.task)
        arrives_after = (
            self._lot(1.0, LATEST_ARRIVAL) if self._happens(weather.late) else self._lot(0.01, 0.5)
        )
        arrival: asyncio.Future[Answer | ApiError] = loop.create_future()
        never = self._happens(0.05)
        if not never:
            loop.call_later(
                arrives_after, lambda: arrival.set_result(self._world.bank.submit(post, key, record))
            )
        if self._happens(weather.denied):
            # By a gateway, independent of the API.
            await self._sleep(self._lot(0.05, 3.0))
            raise _denial(self._world.rng)
        if self._happens(weather.lost):
            await self._sleep(min(arrives_after, _READ_TIMEOUT) + 0.01)
            raise AmbiguousError("the connection broke", operation=_OPERATION, in_flight=not arrival.done())
        done, _ = await asyncio.wait([arrival], timeout=_READ_TIMEOUT)
        await self._worker.thaw()
        if not done:
            raise AmbiguousError("no answer in time", operation=_OPERATION, in_flight=True)
        answer = arrival.result()
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def put(self, letter: str) -> None:
        """Stage a letter, under the claim."""
        await self._sleep(self._lot(0.0, 0.3))
        await self._claim.acquire("stage")
        await self._sleep(self._lot(0.0, 0.2))
        if self._happens(self._world.weather.freeze_before_check):
            self._worker.freeze(self._lot(1.0, 500.0))
            await self._worker.thaw()
        self._claim.check("stage")
        late = self._happens(self._world.weather.late)
        after = self._lot(1.0, LATEST_ARRIVAL) if late else self._lot(0.01, 0.5)
        self._world.loop.call_later(after, self._world.bank.stage, letter)
        await self._sleep(min(after + 0.01, _READ_TIMEOUT))
        if after >= _READ_TIMEOUT:
            raise AmbiguousError("no answer in time", operation="stage", in_flight=True)

    def _happens(self, chance: float) -> bool:
        return self._world.rng.random() < chance

    def _lot(self, least: float, most: float) -> float:
        return self._world.rng.uniform(least, most)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._worker.thaw()


def _denial(rng: random.Random) -> ApiError:
    kind, status = rng.choice(
        [
            (RateLimitedError, 429),
            (AuthenticationError, 401),
            (PermissionDeniedError, 403),
            (InvalidRequestError, 400),
            (ServerError, 503),
            (AmbiguousError, 504),
        ]
    )
    return kind("denied", operation=_OPERATION, status=status, in_flight=status == 504)


@dataclass
class Verdict:
    """What came of a schedule.

    :param doubles: submissions after the first.
    :param window_doubles: of these, those where a worker was frozen between its check and its write.
    :param altered: submissions of evidence that was not the approved, without keys.
    :param false_ends: tasks whose request was carried out and whose end denies it, and tasks that have sent
        nothing and whose end says so.
    """

    submitted: bool
    doubles: int
    window_doubles: int
    altered: int
    false_ends: int
    states: Counter[str] = field(default_factory=Counter)


class World:
    """One schedule: two or three tasks, one of which may stage, on one dispute."""

    def __init__(self, seed: int, *, has_keys: bool, weather: Weather) -> None:
        self.rng = random.Random(seed)
        self.loop = SimulatedLoop(self.rng)
        self.has_keys, self.weather = has_keys, weather
        self.bank = Bank(self.loop, has_keys=has_keys)
        self.store = StormyStore(self.loop, self.rng, weather)
        self.ends: dict[str, Record] = {}
        self.wrote: set[str] = set()
        self._tasks = 0

    def play(self) -> Verdict:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._everybody())
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)
        return self._judge()

    def run(self, work: Awaitable[T]) -> T:
        """Run something in this world."""
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)

    def api(self, task: str) -> Any:
        """Return the API as a task's worker reaches it."""
        return BankApi(self, Worker(self.loop), task)

    async def _everybody(self) -> None:
        starts_with = self.approval()
        stagers = 1 if self.rng.random() < 0.4 else 0
        claimants = [self._submitter(starts_with) for _ in range(self.rng.choice((2, 2, 3)) - stagers)]
        claimants += [self._stager() for _ in range(stagers)]
        await asyncio.gather(*(self._later(self._when(), each) for each in claimants))
        await asyncio.sleep(LATEST_ARRIVAL + 1)

    def _when(self) -> float:
        """All at once, within a claim's time, or far apart."""
        return self.rng.uniform(0.0, self.rng.choice((0.1, 2.0, 30.0, 300.0)))

    async def _later(self, seconds: float, work: Awaitable[None]) -> None:
        await asyncio.sleep(seconds)
        await work

    def ledger(self) -> DisputeLedger:
        ledger = Ledger(self.store).for_dispute("test", "bank", "d_1", _SIGNER)
        since_boot = self.rng.uniform(0.0, 1e6)
        ledger.clock = lambda: since_boot + self.loop.time()
        return ledger

    def approval(self, ledger_end: str | None = None) -> Record:
        """A signed approval of what the dispute holds now."""
        found = self.bank.read()
        record = Record("bank", "bank", "d_1", State.APPROVED, "approved", ledger_end=ledger_end).seen(found)
        record_evidence[record.digest] = found.evidence
        return record

    async def _submitter(self, record: Record) -> None:
        """A task with all its tries, and the reviews that follow where it is refused."""
        for _ in range(3):
            self._tasks += 1
            task = f"task-{self._tasks}"
            signed = Record.from_dict({**record.to_dict(), "signature": f"signature-{self._tasks}"})
            tries = [self._tries(task, signed)]
            if self.rng.random() < self.weather.twice:
                # The scheduler has lost the first, which still runs.
                tries.append(self._later(self._when(), self._tries(task, signed)))
            await asyncio.gather(*tries)
            end = self.ends.get(task)
            if end is None or end.state not in (State.REFUSED, State.UNKNOWN):
                return
            await asyncio.sleep(self.rng.uniform(1.0, self.rng.choice((3.0, 60.0, 400.0))))
            if (reviewed := await self._reviewed()) is None:
                return
            record = reviewed

    async def _stager(self) -> None:
        letter = f"We sent it, see {self.rng.randrange(1000)}."
        for _ in range(3):
            try:
                await self._as_worker("stager", lambda api: self._stage(api, letter))
            except (ApiError, TryAgainError, KilledError):
                await asyncio.sleep(self.rng.uniform(1.0, 60.0))
                continue
            break
        if reviewed := await self._reviewed():
            await self._submitter(reviewed)

    async def _stage(self, api: Any, letter: str) -> None:
        ledger = self.ledger()
        claimant = Claimant(Kind.STAGE, None, "stager")
        claim = ledger.claim(await wait_for_chain(api, ledger, claimant), claimant, {}, None)
        found = await api.read("d_1")
        if found.dispute.submitted:
            return
        await api.under(claim).put(letter)
        await claim.end("staged", "", None, {})

    async def _reviewed(self) -> Record | None:
        """A new approval, given on what the ledger and the dispute show now; None where it was answered."""
        while True:
            try:
                end = (await self.ledger().read()).final_end
            except TryAgainError:
                await asyncio.sleep(10.0)
                continue
            if self.bank.submissions:
                return None
            return self.approval(end.hash if end else None)

    async def _tries(self, task: str, record: Record) -> None:
        for _ in range(5):
            try:
                end = await self._as_worker(task, lambda api: submit(api, record, self.ledger(), task))
            except KilledError:
                await asyncio.sleep(self.rng.uniform(1.0, self.rng.choice((10.0, 400.0))))
                continue
            except TryAgainError:
                await asyncio.sleep(self.rng.uniform(1.0, 60.0))
                continue
            self.ends[task] = end
            if end.state != State.HELD:
                return
            await asyncio.sleep((end.retry_after or 0.0) + self.rng.uniform(1.0, 60.0))

    async def _as_worker(self, task: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
        worker = Worker(self.loop)
        _worker.set(worker)
        running = asyncio.ensure_future(work(BankApi(self, worker, task)))
        _worker.set(None)
        soon = self.rng.choice((0.2, 2.0, 20.0))
        if self.rng.random() < self.weather.kill:
            self.loop.call_later(self.rng.uniform(0.0, soon), running.cancel)
        if self.rng.random() < self.weather.freeze:
            self.loop.call_later(self.rng.uniform(0.0, soon), worker.freeze, self.rng.uniform(1.0, 600.0))
        try:
            return await running
        except asyncio.CancelledError:
            raise KilledError from None

    def _judge(self) -> Verdict:
        posts = self.bank.posts
        doubles = max(0, len(posts) - 1)
        by_window = doubles if any(post.in_window for post in posts) else 0
        honest = {State.SUBMITTED, State.SUBMITTED_DIFFERS, State.UNKNOWN}
        false_ends = sum(
            self.ends[post.task].state not in honest and not self.ends[post.task].maybe_ours
            for post in posts
            if post.task in self.ends and self.ends[post.task].state != State.HELD
        )
        # And those that say that they sent it, and have sent nothing.
        false_ends += sum(
            end.state in (State.SUBMITTED, State.SUBMITTED_DIFFERS) and task not in self.wrote
            for task, end in self.ends.items()
        )
        altered = sum(not post.as_approved and not post.in_window for post in posts)
        states = Counter(str(end.state) for end in self.ends.values())
        return Verdict(bool(posts), doubles, by_window, altered, false_ends, states)


def play(seeds: Iterable[int], *, has_keys: bool, weather: Weather) -> Counter[str]:
    """Play schedules, and count what came of them."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        verdict = World(seed, has_keys=has_keys, weather=weather).play()
        counts["schedules"] += 1
        counts["submitted"] += verdict.submitted
        counts["doubles"] += verdict.doubles - verdict.window_doubles
        counts["window"] += verdict.window_doubles
        counts["altered"] += verdict.altered
        counts["false ends"] += verdict.false_ends
        counts.update({f"state {state}": number for state, number in verdict.states.items()})
    return counts
