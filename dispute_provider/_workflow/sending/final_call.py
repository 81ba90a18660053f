"""Make a final call (submit, concede, accept) once: observe, decide, act.

Each round looks at the dispute's chain in the ledger, then reads the dispute, then decides by a table.
Whatever was answered to the call, the dispute is read again before anything is said about it.
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
from dispute_provider._ledger import terms
from dispute_provider._ledger.chain import Chain, Claimant, End, Standing, standing
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider._transport import timeouts
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import AfterDenial, Reading, Step, after_answer, next_step
from dispute_provider._workflow.sending.outcome import Observation, Outcome, R, Sent
from dispute_provider._workflow.turns import POLLS, give_up, until_changed
from dispute_provider.exceptions import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
)

# Seconds between the readings that look for a submission whose answer told nothing.
LOOK_AGAIN_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)
# How many of these readings follow an answer that denies the submission: a gateway can be wrong about it.
_LOOKS_AFTER_DENIAL = 3
# How often a final call is sent at most, and how many seconds are waited before the next time at most.
_SENDS = 4
LONGEST_PAUSE = 30.0
# How often a try waits for the claims of others: each may be renewed, or followed by another.
_MOST_WAITS = 20


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
            seen = await self._observe()
            found = seen.found
            if found is None:
                return _unread(seen, last)
            if last.was_sent and last.before is not None and self.shows(last.before, found):
                return replace(last, after=found)
            reading = self.judge(found)
            step = next_step(reading, seen.stands, has_key=self._has_key)
            if step is Step.WAIT:
                waits += 1
                if not await self._wait_for(seen, found) or waits > _MOST_WAITS:
                    return _ended(Step.WAIT, seen, last)
            elif step is not Step.SEND:
                # It may have been answered by another try of ours since the chain was read.
                if await self._ledger.look() == seen.chain:
                    return _decided(step, reading, seen, last)
            elif sends == _SENDS or (last.is_settled and last.then is AfterDenial.SETTLE):
                return replace(last, before=found)
            elif not await self._gives_up_anothers(seen, found):
                if contradiction := _unshown_submission(seen.chain, self.dispute(found)):
                    return Outcome(Step.UNSEEN, found, end=contradiction)
                sends += 1
                last = await self._send(seen, found)
                if last.after is not None or last.unread or not await self._go_on(last, sends):
                    return last
                is_settled = not self._has_key or last.then is AfterDenial.SETTLE
                last = replace(last, is_settled=last.was_sent and is_settled)

    async def _observe(self) -> Observation[R]:
        """Look at the chain, then read the dispute."""
        chain = await self._ledger.look()
        age = await self._ledger.age(chain)
        claimant = self.claimant(chain)
        seen: Observation[R] = Observation(
            chain, age, claimant, standing(chain, claimant, age), self._ledger.clock()
        )
        try:
            return replace(seen, found=await self.read())
        except ApiError as error:
            return replace(seen, unread=error)

    async def _gives_up_anothers(self, seen: Observation[R], found: R) -> bool:
        """End an open link of another that this call cannot go on with; return whether there was one."""
        link = seen.chain.open_link
        claimant = msgspec.structs.replace(seen.claimant, stage=self.dispute(found).stage)
        if link is None or link.can_be_continued_by(claimant):
            return False
        await give_up(self._ledger, link, claimant)
        return True

    async def _send(self, seen: Observation[R], found: R) -> Outcome[R]:
        """Send the call once, and read the dispute until it shows it."""
        dispute = self.dispute(found)
        claimant = msgspec.structs.replace(seen.claimant, stage=dispute.stage)
        claim = self._ledger.claim(seen.chain, claimant, facts_of(dispute), seen.read_at)
        try:
            sent = Sent(await self.send(self._api.under(claim), found, claim.place.ordinal))
        except ApiError as error:
            sent = Sent(problem=error)
        outcome = Outcome(Step.SEND, found, sent, claim=claim, link=seen.link)
        if sent.never_left:
            await claim.release()
            return outcome
        if sent.answer and (contained := self.reading_in(found, sent.answer)):
            return replace(outcome, after=contained)
        outcome = replace(outcome, then=self._after(outcome))
        if sent.problem and sent.problem.in_flight:
            # Where somebody else has answered meanwhile, it may still answer the next stage.
            await self._api.wait(timeouts.SETTLED_AFTER)
        looks = _LOOKS_AFTER_DENIAL if sent.is_denied else len(LOOK_AGAIN_AFTER)
        after, unread = await read_back(self._api, self.read, partial(self.shows, found), looks)
        return replace(outcome, after=after, unread=unread)

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
        what, pause = last.then, _pause(sent, sends)
        if what is AfterDenial.STOP or pause > LONGEST_PAUSE or sends == _SENDS:
            return False
        if what is not AfterDenial.AGAIN:
            pause = max(pause, terms.LAPSES_AFTER)
        if is_too_late(self.dispute(last.before), pause):
            return False
        await self._api.wait(pause)
        return True

    async def _wait_for(self, seen: Observation[R], found: R) -> bool:
        """Wait until a chain has changed or its claim has lapsed; return False if the due date is too near.

        Where an earlier try of the claimant may have sent it, nobody else is going to change the chain.
        """
        dispute, seconds = self.dispute(found), terms.LAPSES_AFTER - seen.age
        least = seconds if seen.stands is Standing.OURS else min(seconds, POLLS[0])
        if is_too_late(dispute, least):
            return False
        await until_changed(self._api, self._ledger, seen.chain, seconds)
        return not is_too_late(dispute, 0.0)


def _unread(seen: Observation[R], last: Outcome[R]) -> Outcome[R]:
    """Return the outcome where the dispute cannot be read."""
    if seen.stands is Standing.ENDED and not last.was_sent:
        return Outcome(Step.NOTED, unread=seen.unread, end=seen.chain.end_of(seen.claimant))
    known = last if last.was_sent else Outcome(Step.WAIT)
    return replace(known, unread=seen.unread, link=seen.link)


def _ended(step: Step, seen: Observation[R], last: Outcome[R], end: End | None = None) -> Outcome[R]:
    """Return the outcome where nothing more is sent."""
    return Outcome(step, seen.found, last.sent, claim=last.claim, link=seen.link, end=end)


def _decided(step: Step, reading: Reading, seen: Observation[R], last: Outcome[R]) -> Outcome[R]:
    """Return the outcome of a step that ends, with the end of a link that it rests on."""
    final = seen.chain.final_end
    if seen.stands is Standing.DAMAGED and seen.link:
        # Its end could not be written where somebody had put another file. A dispute that has moved since
        # does not show whether it was sent.
        step = Step.EARLIER if reading is Reading.ANSWERED else Step.DAMAGED
    others = final if final and final.hash != seen.claimant.seen else None
    if step is not Step.NOTED:
        return _ended(step, seen, last, others)
    own = seen.chain.end_of(seen.claimant)
    is_unsent = own is not None and own.state in ("refused", "already-submitted", "unknown")
    if reading is Reading.ANSWERED and is_unsent and _is_done(others):
        # Another's link has come after the claimant's own; the dispute was open still when it was claimed.
        return _ended(Step.ANSWERED, seen, last, others)
    return _ended(step, seen, last, own)


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
