"""Make a final call (submit, concede, accept) once: observe, decide, act.

Each round looks at the dispute's chain in the ledger, then reads the dispute, then decides by a table.
Whatever was answered to the call, the dispute is read again before anything is said about it.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from dispute_provider.apis.api import Api
from dispute_provider.contracts.answers import Answer
from dispute_provider.evidence.snapshot import Dispute
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    UnreachableError,
)
from dispute_provider.ledger import terms
from dispute_provider.ledger.chain import Chain, Claimant, End, Link, Standing, standing
from dispute_provider.ledger.ledger import DisputeLedger, LinkClaim
from dispute_provider.transport import timeouts
from dispute_provider.transport.claim import NotClaimedError
from dispute_provider.workflow.turns import POLLS, give_up, until_changed

# Seconds between the readings that look for a submission whose answer told nothing.
LOOK_AGAIN_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)
# How many of these readings follow an answer that denies the submission: a gateway can be wrong about it.
_LOOKS_AFTER_DENIAL = 3
# How often a final call is sent at most, and how many seconds are waited before the next time at most.
_SENDS = 4
LONGEST_PAUSE = 30.0
# How often a try waits for the claims of others: each may be renewed, or followed by another.
_MOST_WAITS = 20

# A reading of the dispute: a snapshot of its evidence too, or the API's answer alone.
R = TypeVar("R")


class Reading(StrEnum):
    """What a reading of the dispute means for the call."""

    OPEN = "as approved"
    ANSWERED = "answered"
    REFUSED = "otherwise than approved, or closed"


class Step(StrEnum):
    """What to do next."""

    SEND = "send it"
    WAIT = "wait"
    EARLIER = "end: an earlier try may have sent it"
    ANSWERED = "end: another has answered"
    NOTED = "end: as it ended before"
    UNSEEN = "end: refused, review it again"
    REFUSED = "end: refused"
    DAMAGED = "end: held, look at the ledger"


# What to do, by what the dispute is and how its chain stands. Where an API has idempotency keys, what is in
# flight under the call's own key is sent again at once: both together are one.
STEPS: Mapping[tuple[Reading, Standing], Step] = {
    (Reading.OPEN, Standing.FREE): Step.SEND,
    (Reading.OPEN, Standing.OURS): Step.WAIT,
    (Reading.OPEN, Standing.OURS_LAPSED): Step.SEND,
    (Reading.OPEN, Standing.TAKEN): Step.WAIT,
    (Reading.OPEN, Standing.LAPSED): Step.SEND,
    (Reading.OPEN, Standing.SETTLING): Step.WAIT,
    (Reading.OPEN, Standing.ENDED): Step.NOTED,
    (Reading.OPEN, Standing.UNSEEN): Step.UNSEEN,
    (Reading.OPEN, Standing.DAMAGED): Step.DAMAGED,
    (Reading.ANSWERED, Standing.FREE): Step.ANSWERED,
    (Reading.ANSWERED, Standing.OURS): Step.EARLIER,
    (Reading.ANSWERED, Standing.OURS_LAPSED): Step.EARLIER,
    (Reading.ANSWERED, Standing.TAKEN): Step.ANSWERED,
    (Reading.ANSWERED, Standing.LAPSED): Step.ANSWERED,
    (Reading.ANSWERED, Standing.SETTLING): Step.ANSWERED,
    (Reading.ANSWERED, Standing.ENDED): Step.NOTED,
    (Reading.ANSWERED, Standing.UNSEEN): Step.ANSWERED,
    (Reading.ANSWERED, Standing.DAMAGED): Step.ANSWERED,
    (Reading.REFUSED, Standing.FREE): Step.REFUSED,
    (Reading.REFUSED, Standing.OURS): Step.WAIT,
    (Reading.REFUSED, Standing.OURS_LAPSED): Step.REFUSED,
    (Reading.REFUSED, Standing.TAKEN): Step.WAIT,
    (Reading.REFUSED, Standing.LAPSED): Step.REFUSED,
    (Reading.REFUSED, Standing.SETTLING): Step.WAIT,
    (Reading.REFUSED, Standing.ENDED): Step.NOTED,
    (Reading.REFUSED, Standing.UNSEEN): Step.REFUSED,
    (Reading.REFUSED, Standing.DAMAGED): Step.REFUSED,
}


def next_step(reading: Reading, stands: Standing, *, has_key: bool) -> Step:
    """Return what to do next.

    :param has_key: whether the call has an idempotency key.
    """
    if has_key and (reading, stands) == (Reading.OPEN, Standing.OURS):
        return Step.SEND
    return STEPS[reading, stands]


class AfterDenial(StrEnum):
    """What to do after an answer, where readings do not show that the call was carried out."""

    AGAIN = "send it again"
    LATER = "send it again once it has lapsed"
    SETTLE = "read again once it has lapsed"
    STOP = "end"


def after_answer(problem: ApiError | None, *, has_key: bool, renews_token: bool) -> AfterDenial:
    """Return what to do after an answer that readings do not confirm.

    No answer proves that nothing was carried out: a gateway may give it after the API has acted. Under a key
    a call is sent again at once. Without one, it is sent again once what was sent has arrived or never will.

    :param problem: the error that was answered; None for a success.
    :param has_key: whether the call has an idempotency key.
    :param renews_token: whether a new bearer token may mend a 401.
    """
    is_401 = isinstance(problem, AuthenticationError)
    if has_key:
        is_mendable = isinstance(problem, RateLimitedError | ServerError | AmbiguousError | ConflictError)
        may_help = problem is not None and problem.should_retry is not False
        return AfterDenial.AGAIN if is_mendable and may_help else AfterDenial.STOP
    if isinstance(problem, RateLimitedError) or (is_401 and renews_token):
        return AfterDenial.LATER
    if problem is None or isinstance(problem, AmbiguousError | ConflictError | ServerError):
        return AfterDenial.STOP
    return AfterDenial.SETTLE


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
        return isinstance(problem, UnreachableError | NotClaimedError) or bool(
            getattr(problem, "violations", ())
        )

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

    :param step: how it ended: what was decided, :attr:`Step.SEND` where it was sent.
    :param sent: the last answer; None where nothing was sent.
    :param before: the last reading before it was sent; without one, the last reading.
    :param after: the first reading that shows it; None if none does.
    :param unread: why the dispute could not be read; None if it could.
    :param claim: under which it was sent.
    :param link: an earlier try's, which may have sent it.
    :param end: how the claimant's own link had ended before, or the end that it had not seen.
    :param is_settled: whether what was sent has arrived or never will.
    """

    step: Step
    before: R | None = None
    sent: Sent | None = None
    after: R | None = None
    unread: ApiError | None = None
    claim: LinkClaim | None = None
    link: Link | None = None
    end: End | None = None
    is_settled: bool = False

    @property
    def was_sent(self) -> bool:
        """Whether this try has sent it, as far as is known."""
        return self.sent is not None and not self.sent.never_left

    @property
    def is_ours(self) -> bool:
        """Whether this try or an earlier one may have sent it."""
        return self.link is not None or self.was_sent


class FinalCall(abc.ABC, Generic[R]):
    """A final call for one dispute, and what readings of the dispute mean for it.

    :param api: the API.
    :param ledger: the dispute's chain.
    :param claimant: in whose name the call is made.
    """

    def __init__(self, api: Api, ledger: DisputeLedger, claimant: Claimant) -> None:
        self._api, self._ledger, self._claimant = api, ledger, claimant

    @abc.abstractmethod
    async def read(self) -> R:
        """Read the dispute."""

    @abc.abstractmethod
    def dispute(self, found: R) -> Dispute:
        """Return the dispute of a reading."""

    @abc.abstractmethod
    async def send(self, api: Api, before: R, ordinal: int) -> Answer:
        """Send the call.

        :param api: the API, under the claim.
        :param before: the last reading.
        :param ordinal: which final call of this stage it is, from 1.
        """

    @abc.abstractmethod
    def judge(self, found: R) -> Reading:
        """Return what a reading means before the call is sent."""

    @abc.abstractmethod
    def shows(self, before: R, after: R) -> bool:
        """Return whether the second reading shows what the first did not: that the call was carried out."""

    def reading_in(self, before: R, answer: Answer) -> R | None:
        """Return the reading that an answer contains, if that shows the call; None to read the dispute."""
        return None

    def claimant(self, chain: Chain) -> Claimant:
        """Return in whose name the call is made."""
        return self._claimant

    @property
    def _has_key(self) -> bool:
        return self._api.submits_under_a_key

    async def make(self) -> Outcome[R]:
        """Make the call.

        :raises LedgerError: if the ledger cannot be read: nothing was sent by this try.
        """
        sends, waits = 0, 0
        last: Outcome[R] = Outcome(Step.WAIT)
        while True:
            chain = await self._ledger.look()
            age = await self._ledger.age(chain)
            claimant = self.claimant(chain)
            stands = standing(chain, claimant, age)
            read_at = self._ledger.clock()
            try:
                found = await self.read()
            except ApiError as error:
                if stands is Standing.ENDED and not last.was_sent:
                    return Outcome(Step.NOTED, unread=error, end=chain.end_of(claimant))
                known = last if last.was_sent else Outcome(Step.WAIT)
                return replace(known, unread=error, link=tried(chain, claimant))
            if last.was_sent and last.before is not None and self.shows(last.before, found):
                return replace(last, after=found)
            reading = self.judge(found)
            step = next_step(reading, stands, has_key=self._has_key)
            if step is Step.WAIT:
                waits += 1
                left = terms.LAPSES_AFTER - age
                soon = await self._wait_for(chain, stands, left, self.dispute(found))
                if not soon or waits > _MOST_WAITS:
                    return Outcome(Step.WAIT, found, last.sent, claim=last.claim, link=tried(chain, claimant))
                continue
            if step is not Step.SEND:
                if await self._ledger.look() != chain:
                    # It may have been answered by another try of ours since the chain was read.
                    continue
                end = chain.end_of(claimant) if step is Step.NOTED else chain.final_end
                if reading is Reading.ANSWERED and end is not chain.final_end and _is_done(chain.final_end):
                    # Another's link has come after the claimant's own.
                    step, end = Step.ANSWERED, chain.final_end
                return Outcome(step, found, last.sent, claim=last.claim, link=tried(chain, claimant), end=end)
            if last.is_settled and self._after(last) is AfterDenial.SETTLE:
                return replace(last, before=found)
            if sends == _SENDS:
                return last
            claimant = msgspec.structs.replace(claimant, stage=self.dispute(found).stage)
            if (link := chain.open_link) and not link.takes_on(claimant):
                await give_up(self._ledger, link, claimant)
                continue
            if contradiction := _unshown_submission(chain, self.dispute(found)):
                return Outcome(Step.UNSEEN, found, end=contradiction)
            sends += 1
            last = await self._send(chain, claimant, found, read_at)
            if last.after is not None or last.unread or not await self._go_on(last, sends):
                return last
            is_settled = not self._has_key or self._after(last) is AfterDenial.SETTLE
            last = replace(last, is_settled=last.was_sent and is_settled)

    async def _send(self, chain: Chain, claimant: Claimant, found: R, read_at: float) -> Outcome[R]:
        """Send the call once, and read the dispute until it shows it."""
        claim = self._ledger.claim(chain, claimant, facts_of(self.dispute(found)), read_at)
        try:
            sent = Sent(await self.send(self._api.under(claim), found, claim.place.ordinal))
        except ApiError as error:
            sent = Sent(problem=error)
        outcome = Outcome(Step.SEND, found, sent, claim=claim, link=tried(chain, claimant))
        if sent.never_left:
            await claim.release()
            return outcome
        if sent.answer and (after := self.reading_in(found, sent.answer)):
            return replace(outcome, after=after)
        if sent.problem and sent.problem.in_flight:
            # Where somebody else has answered meanwhile, it may still answer the next stage.
            await self._api.wait(timeouts.SETTLED_AFTER)
        looks = _LOOKS_AFTER_DENIAL if sent.is_denied else len(LOOK_AGAIN_AFTER)
        seen, unread = await read_back(self._api, self.read, partial(self.shows, found), looks)
        return replace(outcome, after=seen, unread=unread)

    def _after(self, last: Outcome[R]) -> AfterDenial:
        assert last.sent is not None
        renews = self._api.settings.oauth
        what = after_answer(last.sent.problem, has_key=self._has_key, renews_token=renews)
        # What an earlier try has sent may still arrive, whatever was answered to this one.
        was_tried = last.link is not None and last.sent.is_denied
        return AfterDenial.SETTLE if was_tried and what is AfterDenial.STOP else what

    async def _go_on(self, last: Outcome[R], sends: int) -> bool:
        """Wait until the next round, where there is one; return whether there is."""
        sent = last.sent
        assert sent is not None
        if isinstance(sent.problem, NotClaimedError):
            await self._api.wait(POLLS[0])
            return sends < _SENDS
        if sent.never_left or last.before is None:
            return False
        what, pause = self._after(last), _pause(sent, sends)
        if what is AfterDenial.STOP or pause > LONGEST_PAUSE or sends == _SENDS:
            return False
        if what is not AfterDenial.AGAIN:
            pause = max(pause, terms.LAPSES_AFTER)
        if is_too_late(self.dispute(last.before), pause):
            return False
        await self._api.wait(pause)
        return True

    async def _wait_for(self, chain: Chain, stands: Standing, seconds: float, dispute: Dispute) -> bool:
        """Wait until a chain has changed, or so many seconds; return False if the due date is too near.

        Where an earlier try of the claimant may have sent it, nobody else is going to change the chain.
        """
        least = seconds if stands is Standing.OURS else min(seconds, POLLS[0])
        if is_too_late(dispute, least):
            return False
        await until_changed(self._api, self._ledger, chain, seconds)
        return not is_too_late(dispute, 0.0)


def answered(before: Dispute, after: Dispute) -> bool:
    """Whether the stage that was open in ``before`` has been answered since."""
    return (
        after.submissions > before.submissions
        or after.submitted_at != before.submitted_at
        or (after.submitted and after.stage == before.stage)
    )


def facts_of(dispute: Dispute) -> dict[str, Any]:
    """Return what a claim is made on: what the call itself changes at the dispute, or its next stage does."""
    return {
        "stage": dispute.stage,
        "submissions": dispute.submissions,
        "submitted_at": dispute.submitted_at,
        "due": dispute.due.isoformat() if dispute.due else None,
    }


def is_too_late(dispute: Dispute, seconds: float) -> bool:
    """Return whether a dispute's due date comes before so many seconds have passed."""
    return dispute.due is not None and (dispute.due - datetime.now(UTC)).total_seconds() <= seconds


def tried(chain: Chain, claimant: Claimant) -> Link | None:
    """Return the open link under which an earlier try may have sent something."""
    link = chain.open_link
    return link if link and link.may_have_sent(claimant) else None


def _unshown_submission(chain: Chain, found: Dispute) -> End | None:
    """Return the end of a final call that a reading does not show: the reading is old, or wrong."""
    end = chain.final_end
    return end if end and _is_done(end) and end.before == facts_of(found) else None


def _is_done(end: End | None) -> bool:
    """Return whether a link ended with what it was about carried out."""
    return end is not None and end.state in ("submitted", "submitted-differs", "conceded")


def _pause(sent: Sent, sends: int) -> float:
    """Seconds that the API asks to wait; where it does not say, twice as long each time."""
    asked = sent.problem.retry_after if sent.problem else None
    if isinstance(sent.problem, AuthenticationError | PermissionDeniedError):
        return 0.0
    return float(2 ** (sends - 1)) if asked is None else asked


async def read_back(
    api: Api, read: Callable[[], Awaitable[R]], shows: Callable[[R], bool], looks: int | None = None
) -> tuple[R | None, ApiError | None]:
    """The dispute once it shows what was done; None if it does not, with why it could not be read.

    :param looks: how often to read; None for all of :data:`LOOK_AGAIN_AFTER`.
    """
    unread: ApiError | None = None
    for pause in LOOK_AGAIN_AFTER[:looks]:
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
