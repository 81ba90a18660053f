"""Safeguards of the ledger: its links, its locks and its times. Each function knocks one out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.chaos.mutants.safeguard import Safeguard

if TYPE_CHECKING:
    from dispute_provider._ledger.chain import EntryKind


def _no_takeover_lock() -> None:
    from dispute_provider._ledger.chain import EntryKind
    from dispute_provider._ledger.ledger import DisputeLedger

    original = DisputeLedger.create

    async def create(self: Any, link: int, entry: int, what: EntryKind, facts: Mapping[str, Any]) -> bool:
        is_takeover = what is EntryKind.CLAIM and entry > 1
        return await original(self, link, entry, what, facts) or is_takeover

    DisputeLedger.create = create  # type: ignore[method-assign]


def _no_lock() -> None:
    from dispute_provider._ledger.ledger import LinkClaim

    async def acquire(self: Any, operation: str) -> None:
        self._entry, self._acquired_at, self.is_acquired = self._entry + 1, self._ledger.clock(), True

    LinkClaim.acquire = acquire  # type: ignore[method-assign]


def _no_check() -> None:
    from dispute_provider._ledger.ledger import LinkClaim

    LinkClaim.check = lambda self, operation: None  # type: ignore[method-assign]


def _no_nonce() -> None:
    secrets.token_hex = lambda nbytes=None: "the same for all"


def _settles_soon() -> None:
    from dispute_provider._ledger import timing

    timing.TAKEOVER_AFTER = 20.0


def _settles_by_the_workers_clock() -> None:
    from dispute_provider._ledger.ledger import DisputeLedger
    from tests.chaos.world import clock

    async def age(self: Any, chain: Any) -> float:
        since = chain.in_flight_since
        return 3 * (clock.wall_time() - since) if since is not None else 0.0

    DisputeLedger.age = age  # type: ignore[method-assign]


def _no_mirror() -> None:
    from dispute_provider._ledger.stores import LedgerError
    from dispute_provider._state import ledger_id

    original = ledger_id._check_id

    def check_id(store: Any, mirror: Any) -> None:
        with suppress(LedgerError):
            original(store, mirror)

    ledger_id._check_id = check_id


def _unsigned_links() -> None:
    from dispute_provider._ledger.chain import Trust
    from dispute_provider._ledger.signing import KeyringSigner

    KeyringSigner.check = lambda self, content, signature: Trust.GOOD  # type: ignore[method-assign]


def _no_ends() -> None:
    from dispute_provider._ledger.ledger import DisputeLedger

    async def end(self: Any, *given: Any, **facts: Any) -> bool:
        return True

    DisputeLedger.end = end  # type: ignore[method-assign]


def _no_settling_of_ends() -> None:
    from dispute_provider._ledger.ledger import DisputeLedger

    original = DisputeLedger.end

    async def end(self: Any, *given: Any, is_settled: bool = False, **facts: Any) -> bool:
        return await original(self, *given, is_settled=True, **facts)

    DisputeLedger.end = end  # type: ignore[method-assign]


def _unseen_ends_pass() -> None:
    _status_as("UNSEEN", "FREE")


def _ours_unknown() -> None:
    from dispute_provider._ledger.chain import Link

    Link.may_have_sent = lambda self, claimant: False  # type: ignore[method-assign]


def _taken_is_free() -> None:
    _status_as("CLAIMED", "FREE")


def _own_flight_ignored() -> None:
    _status_as("OWN_IN_FLIGHT", "OWN_EXPIRED")


def _ended_is_free() -> None:
    _status_as("ENDED", "FREE")


def _settling_is_free() -> None:
    _status_as("SETTLING", "FREE")


def _status_as(which: str, instead: str) -> None:
    from dispute_provider._ledger.chain import ChainStatus
    from dispute_provider._workflow import waiting
    from dispute_provider._workflow.sending import final_call

    original = final_call.status_of

    def status_of(chain: Any, claimant: Any, age: float) -> Any:
        found = original(chain, claimant, age)
        return ChainStatus[instead] if found is ChainStatus[which] else found

    final_call.status_of = waiting.status_of = status_of


def _releases_what_was_sent() -> None:
    from dispute_provider._workflow.sending.outcome import SendResult

    SendResult.is_unsent = property(lambda self: self.problem is not None)  # type: ignore[method-assign,assignment]


def _links_by_connection() -> None:
    from dispute_provider._tasks import ledgers

    original = ledgers.environment_of
    ledgers.environment_of = lambda settings: f"{original(settings)} {settings.connection}"


def _links_by_run() -> None:
    from dispute_provider._tasks.ledgers import Ledgers

    original = Ledgers.of

    def of(self: Any, api: Any, dispute: str) -> Any:
        ledger = original(self, api, dispute)
        ledger._folder = f"{ledger._folder} {self.task}"
        return ledger

    Ledgers.of = of  # type: ignore[method-assign]


def _stagings_unlocked() -> None:
    from dispute_provider._ledger.chain import Kind
    from dispute_provider._ledger.ledger import LinkClaim

    original = LinkClaim.acquire

    async def acquire(self: Any, operation: str) -> None:
        if self.claimant.kind is not Kind.STAGE:
            await original(self, operation)
        self._acquired_at = self._ledger.clock()

    LinkClaim.acquire = acquire  # type: ignore[method-assign]


def _error_believed() -> None:
    from dispute_provider._ledger.ledger import DisputeLedger
    from dispute_provider._ledger.stores import LedgerError

    original = DisputeLedger.create

    async def create(self: Any, *given: Any) -> bool:
        try:
            return await original(self, *given)
        except LedgerError:
            return True

    DisputeLedger.create = create  # type: ignore[method-assign,assignment]


def _held_ledger_ignored() -> None:
    from dispute_provider._ledger.chain import Chain
    from dispute_provider._ledger.ledger import DisputeLedger
    from dispute_provider._ledger.stores import LedgerError

    original = DisputeLedger.read

    async def read(self: Any) -> Any:
        try:
            return await original(self)
        except LedgerError:
            return Chain()

    DisputeLedger.read = read  # type: ignore[method-assign]


def _earlier_tries_forgotten() -> None:
    from dispute_provider._workflow.sending import ledger_ends, outcome

    outcome.open_attempt = ledger_ends.open_attempt = lambda chain, claimant: None


def _held_for_good() -> None:
    from dispute_provider.operators import _submit_evidence as submit_evidence

    submit_evidence.possibly_sent = lambda record, why: record


def _void_is_unsent() -> None:
    from dispute_provider._tasks.batch_submission import BatchSubmission

    async def void(self: Any, end: Any, signature: str | None) -> Any:
        return end

    BatchSubmission._void = void  # type: ignore[method-assign]


def _unseen_reading_forgotten() -> None:
    from dispute_provider._workflow.sending import final_call

    final_call._unshown_submission = lambda chain, found: None


SAFEGUARDS: dict[str, Safeguard] = {
    "a takeover is no lock": Safeguard(_no_takeover_lock, "frozen before the check"),
    "a claim is no lock": Safeguard(_no_lock, "two runs at once"),
    "nothing is checked before the write": Safeguard(_no_check, "frozen before the check"),
    "another's create is taken for one's own": Safeguard(_no_nonce, "frozen for seconds, and lost"),
    "a claim lapses before its request has arrived": Safeguard(
        _settles_soon, "the holder dies while its request is in flight"
    ),
    "a claim's age is measured by the worker's clock": Safeguard(
        _settles_by_the_workers_clock, "clocks are wrong"
    ),
    "the ledger's id is not compared with its mirror": Safeguard(
        _no_mirror, "some submitters have another ledger"
    ),
    "a link's signature is not checked": Safeguard(_unsigned_links, "releases are forged"),
    "ends are not written": Safeguard(_no_ends, "an end is unknown and the task is cleared"),
    "an unsettled end is taken for a settled one": Safeguard(
        _no_settling_of_ends, "an end is unknown while its request is in flight"
    ),
    "an approval that has not seen the last end is good": Safeguard(
        _unseen_ends_pass, "an end is unknown and another run is approved"
    ),
    "an earlier try's own claim is not known": Safeguard(
        _ours_unknown, "an end is unknown while its request is in flight"
    ),
    "what another has claimed is free": Safeguard(_taken_is_free, "the holder waits for an answer"),
    "one's own request in flight is not waited for": Safeguard(
        _own_flight_ignored, "the holder dies while its request is in flight"
    ),
    "what has ended is sent again": Safeguard(_ended_is_free, "an end is unknown and the task is cleared"),
    "what an ended link has in flight is not waited for": Safeguard(
        _settling_is_free, "an end is unknown while its request is in flight"
    ),
    "a claim is released after any error": Safeguard(
        _releases_what_was_sent, "the holder waits for an answer"
    ),
    "each connection has chains of its own": Safeguard(_links_by_connection, "two connections"),
    "each run has chains of its own": Safeguard(_links_by_run, "two runs at once"),
    "staging takes no claim": Safeguard(
        _stagings_unlocked, "another run submits while a staging is in flight"
    ),
    "a create that fails is taken for a claim": Safeguard(_error_believed, "no claim is answered"),
    "a ledger that cannot be read is taken for empty": Safeguard(
        _held_ledger_ignored, "the ledger cannot be listed after the holder has died"
    ),
    "what an earlier try may have sent is forgotten": Safeguard(
        _earlier_tries_forgotten, "an end is unknown while its request is in flight"
    ),
    "what could not be looked for stays held": Safeguard(
        _held_for_good, "the ledger cannot be listed after the holder has died"
    ),
    "a void approval is taken for unsent": Safeguard(
        _void_is_unsent, "keys are replaced after the holder has died"
    ),
    "a reading that contradicts the ledger is believed": Safeguard(
        _unseen_reading_forgotten, "another run is approved on an old reading"
    ),
}
