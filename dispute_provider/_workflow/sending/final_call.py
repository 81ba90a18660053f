"""Make a final call (submit, concede, accept) once: observe, decide, act.

Each round reads the dispute's chain in the ledger, then the dispute, and looks up the next step in a table.
If the answer to the call does not show its effect, the dispute is read again before its end is decided.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic

import msgspec

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Chain, ChainStatus, Claimant, End, status_of
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._transport import timeouts
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import AfterAnswer, Reading, Step, after_answer, next_step
from dispute_provider._workflow.sending.outcome import Observation, Outcome, R, SendResult
from dispute_provider._workflow.waiting import POLL_INTERVALS, end_abandoned_link, wait_for_change
from dispute_provider.exceptions import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
)

# Seconds between the readings after a call whose answer does not show its result.
READ_BACK_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0)
# How many of these readings follow an answer that denies the call, because a gateway can be wrong.
_READS_AFTER_DENIAL = 3
# The most sends of a final call, and the longest pause in seconds before the next one.
_SENDS = 4
LONGEST_PAUSE = 30.0
# How often a try waits for other claims, each of which may be renewed or followed by another.
_MOST_WAITS = 20


class FinalCall(abc.ABC, Generic[R]):
    """A final call for one dispute, and the meaning of the dispute's readings for it.

    :param api: the API.
    :param ledger: the dispute's chain.
    :param claimant: the claimant that makes the call.
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
        """Judge a reading before the call is sent."""

    @abc.abstractmethod
    def shows(self, before: R, after: R) -> bool:
        """Return whether the second reading shows the call, which the first one did not."""

    def reading_in(self, before: R, answer: Answer) -> R | None:
        """Return the reading in a plain answer, if it shows the call; None to read the dispute instead."""
        return None

    def claimant(self, chain: Chain) -> Claimant:
        """Return the claimant that makes the call."""
        return self._claimant

    @property
    def _has_key(self) -> bool:
        return self._api.submits_under_a_key

    async def make(self) -> Outcome[R]:
        """Make the call.

        :raises LedgerError: if the ledger cannot be read. This try has sent nothing then.
        """
        sends, waits = 0, 0
        last: Outcome[R] = Outcome(Step.WAIT)
        while True:
            seen = await self._observe()
            found = seen.found
            if found is None:
                return _unread(seen, last)
            if last.was_sent and last.before is not None and self.shows(last.before, found):
                return replace(last, after=found)
            reading = self.judge(found)
            step = next_step(reading, seen.status, has_key=self._has_key)
            if step is Step.WAIT:
                waits += 1
                if not await self._wait_for(seen, found) or waits > _MOST_WAITS:
                    return _ended(Step.WAIT, seen, last)
            elif step is not Step.SEND:
                # Another try may have answered the dispute since the chain was read.
                if await self._ledger.read() == seen.chain:
                    return _decided(step, reading, seen, last)
            elif sends == _SENDS or (last.is_settled and last.then is AfterAnswer.SETTLE):
                return replace(last, before=found)
            elif not await self._gives_up_anothers(seen, found):
                if contradiction := _unshown_submission(seen.chain, self.dispute(found)):
                    return Outcome(Step.SUPERSEDED, found, end=contradiction)
                sends += 1
                last = await self._send(seen, found)
                if last.after is not None or last.read_error or not await self._go_on(last, sends):
                    return last
                is_settled = not self._has_key or last.then is AfterAnswer.SETTLE
                last = replace(last, is_settled=last.was_sent and is_settled)

    async def _observe(self) -> Observation[R]:
        """Read the chain, then the dispute."""
        chain = await self._ledger.read()
        age = await self._ledger.age(chain)
        claimant = self.claimant(chain)
        read_at = self._ledger.clock()
        found, problem = None, None
        try:
            found = await self.read()
        except ApiError as error:
            problem = error
        return Observation(chain, age, claimant, status_of(chain, claimant, age), read_at, found, problem)

    async def _gives_up_anothers(self, seen: Observation[R], found: R) -> bool:
        """End an open link that this call cannot continue; return whether there was one."""
        link = seen.chain.open_link
        claimant = msgspec.structs.replace(seen.claimant, stage=self.dispute(found).stage)
        if link is None or link.can_be_continued_by(claimant):
            return False
        await end_abandoned_link(self._ledger, link, claimant)
        return True

    async def _send(self, seen: Observation[R], found: R) -> Outcome[R]:
        """Send the call once, and read the dispute until it shows it."""
        dispute = self.dispute(found)
        claimant = msgspec.structs.replace(seen.claimant, stage=dispute.stage)
        claim = self._ledger.claim(seen.chain, claimant, facts_of(dispute), seen.read_at)
        try:
            sent = SendResult(await self.send(self._api.under(claim), found, claim.place.ordinal))
        except ApiError as error:
            sent = SendResult(problem=error)
        outcome = Outcome(Step.SEND, found, sent, claim=claim, link=seen.link)
        if sent.is_unsent:
            await claim.release()
            return outcome
        answer = sent.answer if sent.answer and sent.answer.is_plain else None
        if answer and (contained := self.reading_in(found, answer)):
            return replace(outcome, after=contained, is_answered=True)
        outcome = replace(outcome, then=self._after(outcome))
        if sent.problem and sent.problem.in_flight:
            # If a colleague has answered the dispute meanwhile, the call may still answer its next stage.
            await self._api.wait(timeouts.SETTLED_AFTER)
        looks = _READS_AFTER_DENIAL if sent.is_denied else len(READ_BACK_DELAYS)
        after, unread = await read_back(self._api, self.read, partial(self.shows, found), looks)
        return replace(outcome, after=after, read_error=unread)

    def _after(self, last: Outcome[R]) -> AfterAnswer:
        assert last.sent is not None
        renews = self._api.settings.oauth
        what = after_answer(last.sent.problem, has_key=self._has_key, renews_token=renews)
        # A request of an earlier try may still arrive, whatever this one was answered.
        was_tried = last.link is not None and last.sent.is_denied
        return AfterAnswer.SETTLE if was_tried and what is AfterAnswer.STOP else what

    async def _go_on(self, last: Outcome[R], sends: int) -> bool:
        """Wait for the next round; return False if there is none."""
        sent = last.sent
        assert sent is not None
        if isinstance(sent.problem, NotClaimedError):
            await self._api.wait(POLL_INTERVALS[0])
            return sends < _SENDS
        if sent.is_unsent or last.before is None:
            return False
        what, pause = last.then, _pause(sent, sends)
        if what is AfterAnswer.STOP or pause > LONGEST_PAUSE or sends == _SENDS:
            return False
        if what is not AfterAnswer.AGAIN:
            pause = max(pause, timing.TAKEOVER_AFTER)
        if is_too_late(self.dispute(last.before), pause):
            return False
        await self._api.wait(pause)
        return True

    async def _wait_for(self, seen: Observation[R], found: R) -> bool:
        """Wait until the chain changes or its claim expires; return False if the due date is too close.

        If only an earlier try may have sent the call, no other task will change the chain.
        """
        dispute, seconds = self.dispute(found), timing.TAKEOVER_AFTER - seen.age
        least = seconds if seen.status is ChainStatus.OWN_IN_FLIGHT else min(seconds, POLL_INTERVALS[0])
        if is_too_late(dispute, least):
            return False
        await wait_for_change(self._api, self._ledger, seen.chain, seconds)
        return not is_too_late(dispute, 0.0)


def _unread(seen: Observation[R], last: Outcome[R]) -> Outcome[R]:
    """Return the outcome if the dispute cannot be read."""
    if seen.status is ChainStatus.ENDED and not last.was_sent:
        return Outcome(Step.ENDED_BEFORE, read_error=seen.read_error, end=seen.chain.end_of(seen.claimant))
    known = last if last.was_sent else Outcome(Step.WAIT)
    return replace(known, read_error=seen.read_error, link=seen.link, is_taken_over=seen.is_taken_over)


def _ended(step: Step, seen: Observation[R], last: Outcome[R], end: End | None = None) -> Outcome[R]:
    """Return the outcome if nothing more is sent."""
    return Outcome(
        step,
        seen.found,
        last.sent,
        claim=last.claim,
        link=seen.link,
        is_taken_over=seen.is_taken_over,
        end=end,
    )


def _decided(step: Step, reading: Reading, seen: Observation[R], last: Outcome[R]) -> Outcome[R]:
    """Return the outcome of a final step, with the end of the link that it depends on."""
    final, own = seen.chain.final_end, seen.chain.end_of(seen.claimant)
    if reading is Reading.ANSWERED and own and _ended_unsent(seen.chain, last):
        # Another task has ended this try's link, but this try knows that nothing was sent under it.
        return _ended(Step.ANSWERED, seen, last, None if final is own else final)
    if seen.status is ChainStatus.DAMAGED and seen.link:
        # The end could not be written, because another file took its place. A dispute that has moved on does
        # not show whether the call was sent.
        step = Step.EARLIER_TRY if reading is Reading.ANSWERED else Step.DAMAGED
    others = final if final and final.hash != seen.claimant.seen else None
    if step is Step.ANSWERED and own is not None:
        # Another task has the dispute now, but the answer may be that of the claimant's own call.
        step = Step.ENDED_BEFORE
    if step is not Step.ENDED_BEFORE:
        return _ended(step, seen, last, others)
    if reading is Reading.ANSWERED and _was_open(own, others):
        # Another link followed the claimant's own, so the dispute was still open when it was claimed.
        return _ended(Step.ANSWERED, seen, last, others)
    return _ended(step, seen, last, own)


def _ended_unsent(chain: Chain, last: Outcome[R]) -> bool:
    """Return whether the link that a try claimed has ended although nothing was sent under it."""
    if last.claim is None or last.link is not None or last.was_sent:
        return False
    return last.claim.is_ended_in(chain)


def _was_open(own: End | None, others: End | None) -> bool:
    """Return whether a dispute was still open after a claimant's own call ended, as another call shows.

    If it is unknown whether the claimant's call arrived, only a call at the same stage shows that.
    """
    if own is None or others is None or not _is_done(others):
        return False
    if own.state == "unknown":
        return own.by.stage == others.by.stage
    return own.state in ("refused", "already-submitted")


def answered(before: Dispute, after: Dispute) -> bool:
    """Return whether the stage that was open in ``before`` has been answered."""
    return (
        after.submissions > before.submissions
        or after.submitted_at != before.submitted_at
        or (after.submitted and after.stage == before.stage)
    )


def facts_of(dispute: Dispute) -> dict[str, Any]:
    """Return the facts for a claim: those that the call, or the next stage, changes in the dispute."""
    return {
        "stage": dispute.stage,
        "submissions": dispute.submissions,
        "submitted_at": dispute.submitted_at,
        "due": dispute.due.isoformat() if dispute.due else None,
    }


def is_too_late(dispute: Dispute, seconds: float) -> bool:
    """Return whether a dispute is due within this many seconds."""
    return dispute.due is not None and (dispute.due - datetime.now(UTC)).total_seconds() <= seconds


def _unshown_submission(chain: Chain, found: Dispute) -> End | None:
    """Return the end of a final call that a reading does not show, because the reading is outdated."""
    end = chain.final_end
    return end if end and _is_done(end) and end.before == facts_of(found) else None


def _is_done(end: End | None) -> bool:
    """Return whether the action of a link was carried out."""
    return end is not None and end.state in ("submitted", "submitted-differs", "conceded")


def _pause(sent: SendResult, sends: int) -> float:
    """Return the seconds that the API asks to wait; otherwise double them each time."""
    asked = sent.problem.retry_after if sent.problem else None
    if isinstance(sent.problem, AuthenticationError | PermissionDeniedError):
        return 0.0
    return float(2 ** (sends - 1)) if asked is None else asked


async def read_back(
    api: Api, read: Callable[[], Awaitable[R]], shows: Callable[[R], bool], looks: int | None = None
) -> tuple[R | None, ApiError | None]:
    """Read the dispute until it shows the call.

    :param shows: returns whether a reading shows the call.
    :param looks: how often to read at most; None, the default, for all of :data:`READ_BACK_DELAYS`.
    :returns: the reading that shows the call, or None; and the error of the last reading, or None.
    """
    read_error: ApiError | None = None
    for pause in READ_BACK_DELAYS[:looks]:
        await api.wait(pause)
        try:
            after = await read()
        except ApiError as error:
            read_error = error
            continue
        read_error = None
        if shows(after):
            return after, None
    return None, read_error
