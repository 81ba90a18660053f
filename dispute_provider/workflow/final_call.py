"""Make a final call (submit, concede, accept) once, and read the dispute to learn what came of it.

What happened is decided by reading the dispute, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from dispute_provider.apis.api import Api
from dispute_provider.contracts.answers import Answer
from dispute_provider.evidence.record import Record
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    RateLimitedError,
    UnreachableError,
)
from dispute_provider.transport import timeouts

# Seconds between the readings that look for a submission whose answer told nothing.
LOOK_AGAIN_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)
# How many of these readings follow an answer that denies the submission: a gateway can be wrong about it.
_LOOKS_AFTER_DENIAL = 3
# How often a final call is sent at most, and how many seconds are waited before the next time at most.
_SENDS = 4
LONGEST_PAUSE = 30.0

# A reading of the dispute: a snapshot of its evidence too, or the API's answer alone.
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of sending a final call: an answer, or an error."""

    answer: Answer | None = None
    problem: ApiError | None = None

    @property
    def request_id(self) -> str | None:
        return self.answer.request_id if self.answer else self.problem.request_id if self.problem else None

    @property
    def never_left(self) -> bool:
        """Whether it is certain that the API received nothing."""
        problem = self.problem
        return isinstance(problem, UnreachableError) or bool(getattr(problem, "violations", ()))

    @property
    def is_confirmed(self) -> bool:
        """Whether the API itself answered this very request with a readable success."""
        return self.answer is not None and not self.answer.replayed

    @property
    def is_denied(self) -> bool:
        """Whether the API, or a gateway in front of it, denied that this very request was carried out."""
        if self.answer:
            return self.answer.replayed and not self.answer.in_doubt
        return self.problem is not None and not isinstance(self.problem, AmbiguousError)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What is known after a final call.

    :param before: the last reading before it was sent.
    :param after: the first reading that shows it; None if none does.
    :param unread: why the dispute could not be read; None if it could.
    :param end: why it was not sent again, where it no longer could be.
    """

    sent: Sent
    before: R
    after: R | None = None
    unread: ApiError | None = None
    end: Record | None = None


async def send_and_look(
    api: Api,
    read: Callable[[], Awaitable[R]],
    before: R,
    send: Callable[[R], Awaitable[Answer]],
    shows: Callable[[R, R], bool],
    refuse: Callable[[R], Record | None],
    settle: float = 0.0,
    reading_in: Callable[[R, Answer], R | None] = lambda before, answer: None,
) -> Outcome[R]:
    """Make a final call and read the dispute until it shows it.

    It is sent again only after a 429, or once under a new token after a 401, and only if a reading after the
    pause shows that nothing has happened. Under an idempotency key the transport sends it again, which needs
    no reading.

    :param read: reads the dispute.
    :param before: a fresh reading.
    :param send: the call, from the last reading.
    :param shows: whether the second reading shows what the first did not.
    :param refuse: the end of a dispute that must not be sent any more.
    :param settle: seconds until an earlier send has arrived or never will.
    :param reading_in: returns the reading that an answer contains, if that shows what ``before`` did not;
        None, the default, to read the dispute in any case.
    """
    for sends in range(1, _SENDS + 1):
        try:
            sent = Sent(await send(before))
        except ApiError as error:
            sent = Sent(problem=error)
        if sent.never_left and not settle:
            return Outcome(sent, before)
        if sent.answer and (after := reading_in(before, sent.answer)):
            return Outcome(sent, before, after)
        if sent.problem and sent.problem.in_flight:
            # Where somebody else has answered meanwhile, it may still answer the next stage.
            await api.wait(timeouts.SETTLED_AFTER)
        looks = _LOOKS_AFTER_DENIAL if sent.is_denied else len(LOOK_AGAIN_AFTER)
        opened = partial(shows, before)
        after, problem = await read_back(api, read, opened, settle, looks)
        if after or problem or not _may_go_again(api, sent, sends):
            break
        await api.wait(_pause(sent, sends))
        try:
            found = await read()
        except ApiError as error:
            problem = error
            break
        if opened(found):
            after = found
            break
        if end := refuse(found):
            return Outcome(sent, before, end=end)
        before = found
    return Outcome(sent, before, after, problem)


def _may_go_again(api: Api, sent: Sent, sends: int) -> bool:
    if sends == _SENDS or api.submits_under_a_key:
        return False
    if isinstance(sent.problem, AuthenticationError):
        # Only a minted token ends by itself.
        return api.settings.oauth and sends == 1
    return isinstance(sent.problem, RateLimitedError) and _pause(sent, sends) <= LONGEST_PAUSE


def _pause(sent: Sent, sends: int) -> float:
    """Seconds that the API asks to wait; where it does not say, twice as long each time."""
    asked = sent.problem.retry_after if sent.problem else None
    if isinstance(sent.problem, AuthenticationError):
        return 0.0
    return float(2 ** (sends - 1)) if asked is None else asked


async def read_back(
    api: Api,
    read: Callable[[], Awaitable[R]],
    shows: Callable[[R], bool],
    settle: float = 0.0,
    looks: int | None = None,
) -> tuple[R | None, ApiError | None]:
    """The dispute once it shows what was done; None if it does not, with why it could not be read.

    :param looks: how often to read; None for all of :data:`LOOK_AGAIN_AFTER`.
    """
    unread: ApiError | None = None
    for pause in (*LOOK_AGAIN_AFTER[:looks], *([settle] if settle else [])):
        await api.wait(pause)
        try:
            after = await read()
        except ApiError as error:
            unread = error
            continue
        unread = None
        if shows(after):
            return after, None
    return None, unread
