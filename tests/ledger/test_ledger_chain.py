"""Test which claimant may claim a dispute, for each status of its chain and any content of the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from itertools import product
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import (
    FINAL,
    Chain,
    ChainStatus,
    Claim,
    Claimant,
    End,
    Kind,
    Link,
    Place,
    Trust,
    status_of,
)
from dispute_provider._ledger.ledger import DisputeLedger, Ledger, LinkClaim
from dispute_provider._ledger.signing import KeyringSigner
from dispute_provider._ledger.stores import MemoryStore
from dispute_provider._signatures import Keyring
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import (
    STEPS,
    AfterAnswer,
    Reading,
    Step,
    after_answer,
    next_step,
)
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)

T = TypeVar("T")
ANA = Claimant(Kind.SUBMIT, "chargeback", "ana")
BEN = Claimant(Kind.SUBMIT, "chargeback", "ben")
STAGER = Claimant(Kind.STAGE, None, "stager")
CONCEDER = Claimant(Kind.CONCEDE, "chargeback", "conceder")
YOUNG, LAPSED = timing.TAKEOVER_AFTER - 0.001, timing.TAKEOVER_AFTER


def claim_of(by: Claimant | None, number: int = 1, trust: Trust = Trust.GOOD) -> Claim:
    return Claim(number, by, trust, 0.0)


def end(
    by: Claimant,
    name: str = "hash",
    *,
    state: str = "refused",
    is_settled: bool = True,
    trust: Trust = Trust.GOOD,
) -> End:
    return End(2, by, state, "a reason", None, {}, is_settled, trust, 0.0, name)


def opened(*claims: Claim, released: tuple[int, ...] = (), number: int = 1) -> Link:
    return Link(number, claims, frozenset(released))


def ended(by: Claimant, number: int = 1, **facts: Any) -> Link:
    return Link(number, (), end=end(by, **facts))


def seeing(claimant: Claimant, seen: str | None) -> Claimant:
    return msgspec.structs.replace(claimant, seen=seen)


UNREADABLE = claim_of(None, trust=Trust.UNKNOWN_KEY)
# Chain, claimant, age of the last claim that may have a request in flight, status.
STATUSES = [
    ("nothing", Chain(), ANA, 0.0, ChainStatus.FREE),
    ("nothing, to stage", Chain(), STAGER, 0.0, ChainStatus.FREE),
    ("own claim", Chain((opened(claim_of(ANA)),)), ANA, YOUNG, ChainStatus.OWN_IN_FLIGHT),
    ("own claim, old", Chain((opened(claim_of(ANA)),)), ANA, LAPSED, ChainStatus.OWN_EXPIRED),
    ("another's claim", Chain((opened(claim_of(BEN)),)), ANA, YOUNG, ChainStatus.CLAIMED),
    ("another's claim, old", Chain((opened(claim_of(BEN)),)), ANA, LAPSED, ChainStatus.EXPIRED),
    ("stager's claim", Chain((opened(claim_of(STAGER)),)), ANA, YOUNG, ChainStatus.CLAIMED),
    ("a submitter's claim, to stage", Chain((opened(claim_of(ANA)),)), STAGER, YOUNG, ChainStatus.CLAIMED),
    (
        "unreadable claim",
        Chain((opened(UNREADABLE),)),
        ANA,
        YOUNG,
        ChainStatus.CLAIMED,
    ),
    (
        "unreadable claim, old",
        Chain((opened(UNREADABLE),)),
        ANA,
        LAPSED,
        ChainStatus.EXPIRED,
    ),
    ("another's, released", Chain((opened(claim_of(BEN), released=(1,)),)), ANA, 0.0, ChainStatus.FREE),
    ("own, released", Chain((opened(claim_of(ANA), released=(1,)),)), ANA, 0.0, ChainStatus.FREE),
    ("own, taken over", Chain((opened(claim_of(ANA), claim_of(BEN, 2)),)), ANA, YOUNG, ChainStatus.CLAIMED),
    (
        "own, taken over and released",
        Chain((opened(claim_of(ANA), claim_of(BEN, 2), released=(2,)),)),
        ANA,
        YOUNG,
        ChainStatus.OWN_IN_FLIGHT,
    ),
    (
        "another's, repeated and released",
        Chain((opened(claim_of(BEN), claim_of(BEN, 2), released=(2,)),)),
        ANA,
        YOUNG,
        ChainStatus.CLAIMED,
    ),
    (
        "another's, repeated and released, to stage",
        Chain((opened(claim_of(BEN), claim_of(BEN, 2), released=(2,)),)),
        STAGER,
        YOUNG,
        ChainStatus.CLAIMED,
    ),
    ("own end", Chain((ended(ANA),)), ANA, 0.0, ChainStatus.ENDED),
    ("own end, in flight", Chain((ended(ANA, is_settled=False),)), ANA, 0.0, ChainStatus.ENDED),
    ("another's end, unseen", Chain((ended(BEN),)), ANA, 0.0, ChainStatus.UNSEEN),
    (
        "another's end, unseen, and another's claim, old",
        Chain((ended(BEN), opened(claim_of(BEN), number=2))),
        ANA,
        LAPSED,
        ChainStatus.UNSEEN,
    ),
    (
        "own end, and another's claim, old",
        Chain((ended(ANA), opened(claim_of(BEN), number=2))),
        ANA,
        LAPSED,
        ChainStatus.ENDED,
    ),
    ("another's end, seen", Chain((ended(BEN),)), seeing(ANA, "hash"), 0.0, ChainStatus.FREE),
    ("an end that was deleted", Chain(), seeing(ANA, "hash"), 0.0, ChainStatus.UNSEEN),
    (
        "seen, in flight",
        Chain((ended(BEN, is_settled=False),)),
        seeing(ANA, "hash"),
        YOUNG,
        ChainStatus.SETTLING,
    ),
    ("seen, arrived", Chain((ended(BEN, is_settled=False),)), seeing(ANA, "hash"), LAPSED, ChainStatus.FREE),
    ("in flight, to stage", Chain((ended(BEN, is_settled=False),)), STAGER, YOUNG, ChainStatus.SETTLING),
    ("a staging has ended", Chain((ended(STAGER),)), ANA, 0.0, ChainStatus.FREE),
    ("a final end, to stage", Chain((ended(ANA),)), STAGER, 0.0, ChainStatus.FREE),
    (
        "seen the first of two",
        Chain((ended(BEN, name="one"), ended(CONCEDER, 2, name="two"))),
        seeing(ANA, "one"),
        0.0,
        ChainStatus.UNSEEN,
    ),
    ("edited claim", Chain((opened(claim_of(ANA, trust=Trust.BAD)),)), ANA, LAPSED, ChainStatus.DAMAGED),
    ("edited end", Chain((ended(ANA, trust=Trust.BAD),)), ANA, LAPSED, ChainStatus.DAMAGED),
    (
        "an end is gone",
        Chain((opened(claim_of(BEN)), ended(BEN, 2))),
        seeing(ANA, "hash"),
        LAPSED,
        ChainStatus.DAMAGED,
    ),
    ("end under another key", Chain((ended(BEN, trust=Trust.UNKNOWN_KEY),)), ANA, 0.0, ChainStatus.UNSEEN),
    (
        "end under another key, seen",
        Chain((ended(BEN, trust=Trust.UNKNOWN_KEY),)),
        seeing(ANA, "hash"),
        0.0,
        ChainStatus.FREE,
    ),
]


@pytest.mark.parametrize(
    ("chain", "claimant", "age", "status"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES]
)
def test_the_status_of_a_chain(chain: Chain, claimant: Claimant, age: float, status: ChainStatus) -> None:
    assert status_of(chain, claimant, age) is status


def test_every_status_has_a_row() -> None:
    assert {row[4] for row in STATUSES} == {*ChainStatus}


# The next step by status: as approved, answered, refused; and as approved with an idempotency key.
NEXT = {
    ChainStatus.FREE: (Step.SEND, Step.ANSWERED, Step.REFUSED, Step.SEND),
    ChainStatus.OWN_IN_FLIGHT: (Step.WAIT, Step.EARLIER_TRY, Step.WAIT, Step.SEND),
    ChainStatus.OWN_EXPIRED: (Step.SEND, Step.EARLIER_TRY, Step.REFUSED, Step.SEND),
    ChainStatus.CLAIMED: (Step.WAIT, Step.ANSWERED, Step.WAIT, Step.WAIT),
    ChainStatus.EXPIRED: (Step.SEND, Step.ANSWERED, Step.REFUSED, Step.SEND),
    ChainStatus.SETTLING: (Step.WAIT, Step.ANSWERED, Step.WAIT, Step.WAIT),
    ChainStatus.ENDED: (Step.ENDED_BEFORE, Step.ENDED_BEFORE, Step.ENDED_BEFORE, Step.ENDED_BEFORE),
    ChainStatus.UNSEEN: (Step.SUPERSEDED, Step.ANSWERED, Step.REFUSED, Step.SUPERSEDED),
    ChainStatus.DAMAGED: (Step.DAMAGED, Step.ANSWERED, Step.REFUSED, Step.DAMAGED),
}


@pytest.mark.parametrize("status", ChainStatus)
def test_the_next_step(status: ChainStatus) -> None:
    steps = [next_step(reading, status, has_key=False) for reading in Reading]
    assert (*steps, next_step(Reading.OPEN, status, has_key=True)) == NEXT[status]
    # A key changes nothing else.
    assert [next_step(reading, status, has_key=True) for reading in Reading][1:] == steps[1:]


def test_the_table_has_every_cell_and_sends_only_what_is_as_approved() -> None:
    assert STEPS.keys() == {*product(Reading, ChainStatus)}
    sends = {cell for cell, step in STEPS.items() if step is Step.SEND}
    may = {ChainStatus.FREE, ChainStatus.OWN_EXPIRED, ChainStatus.EXPIRED}
    assert sends == {(Reading.OPEN, status) for status in may}


def _error(kind: type[ApiError], status: int, **facts: Any) -> ApiError:
    return kind("denied", operation="submit", status=status, **{"request_id": "req_1", **facts})


AGAIN, LATER, SETTLE, STOP = AfterAnswer.AGAIN, AfterAnswer.LATER, AfterAnswer.SETTLE, AfterAnswer.STOP
# With a key; without one; without one, if the token can be renewed.
DENIALS = [
    (None, STOP, STOP, STOP),
    (_error(RateLimitedError, 429), AGAIN, LATER, LATER),
    (_error(ServerError, 500), AGAIN, STOP, STOP),
    (_error(ServerError, 500, should_retry=False), STOP, STOP, STOP),
    (_error(AmbiguousError, 504), AGAIN, STOP, STOP),
    (_error(ConflictError, 409), AGAIN, STOP, STOP),
    (_error(AuthenticationError, 401), STOP, SETTLE, LATER),
    (_error(PermissionDeniedError, 403), STOP, SETTLE, SETTLE),
    (_error(InvalidRequestError, 400), STOP, SETTLE, SETTLE),
    (_error(NotFoundError, 404), STOP, SETTLE, SETTLE),
    # Without a request id it is not the API that refuses.
    (_error(InvalidRequestError, 400, request_id=None), SETTLE, SETTLE, SETTLE),
    (_error(PermissionDeniedError, 403, request_id=None), SETTLE, SETTLE, SETTLE),
    (_error(ServerError, 500, request_id=None), AGAIN, STOP, STOP),
]


@pytest.mark.parametrize(("problem", "keyed", "bare", "renewing"), DENIALS)
def test_the_step_after_an_answer(
    problem: ApiError | None, keyed: AfterAnswer, bare: AfterAnswer, renewing: AfterAnswer
) -> None:
    assert after_answer(problem, has_key=True, renews_token=False) is keyed
    assert after_answer(problem, has_key=False, renews_token=False) is bare
    assert after_answer(problem, has_key=False, renews_token=True) is renewing


def test_who_may_continue_a_link() -> None:
    assert opened(claim_of(ANA)).can_be_continued_by(BEN)
    assert not opened(claim_of(ANA)).can_be_continued_by(CONCEDER)
    assert not opened(claim_of(ANA)).can_be_continued_by(STAGER)
    assert not opened(claim_of(ANA)).can_be_continued_by(msgspec.structs.replace(BEN, stage="appeal"))
    assert opened(claim_of(ANA), released=(1,)).can_be_continued_by(CONCEDER)
    assert opened(claim_of(None)).can_be_continued_by(CONCEDER)
    # Every claim counts, not only the last.
    assert not opened(claim_of(ANA), claim_of(CONCEDER, 2)).can_be_continued_by(CONCEDER)
    assert opened(claim_of(ANA), claim_of(CONCEDER, 3), released=(1,)).can_be_continued_by(CONCEDER)


def test_where_the_next_claim_is_created() -> None:
    assert Chain().place("chargeback") == Place(1, 1, 1)
    assert Chain((opened(claim_of(ANA)),)).place("chargeback") == Place(1, 2, 1)
    assert Chain((opened(claim_of(ANA), released=(1,)),)).place("chargeback") == Place(1, 3, 1)
    assert Chain((ended(ANA),)).place("chargeback") == Place(2, 1, 2)
    assert Chain((ended(STAGER), ended(ANA, 2))).place("appeal") == Place(3, 1, 1)


_CLAIMANTS = st.sampled_from([ANA, BEN, STAGER, CONCEDER])


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Build chains from claims, releases and ends in any order."""
    links = [
        ended(draw(_CLAIMANTS), number, name=f"end-{number}", is_settled=draw(st.booleans()))
        for number in range(1, draw(st.integers(0, 4)) + 1)
    ]
    if draw(st.booleans()):
        claims, released, entry = [], set(), 1
        for by in draw(st.lists(_CLAIMANTS, min_size=1, max_size=4)):
            claims.append(claim_of(by, entry))
            if draw(st.booleans()):
                released.add(entry)
                entry += 1
            entry += 1
        links.append(Link(len(links) + 1, tuple(claims), frozenset(released)))
    return Chain(tuple(links))


@given(chains(), _CLAIMANTS, st.sampled_from([0.0, YOUNG, LAPSED]))
def test_another_claimant_waits_while_a_request_is_in_flight(chain: Chain, who: Claimant, age: float) -> None:
    link = chain.open_link
    if link and link.holder and link.holder.by and link.holder.by.approval != who.approval:
        status = status_of(chain, who, age)
        assert (status is ChainStatus.CLAIMED) == (age < LAPSED)
        # The claim of a task that is gone renews no approval.
        without = status_of(Chain(chain.links[:-1]), who, LAPSED)
        if age == LAPSED and who.kind in FINAL and without is not ChainStatus.FREE:
            assert status is without
        elif age == LAPSED:
            assert status is ChainStatus.EXPIRED


@given(chains(), _CLAIMANTS, st.sampled_from(["chargeback", "appeal"]))
def test_a_key_changes_only_when_a_final_call_of_its_stage_ends(
    chain: Chain, who: Claimant, stage: str
) -> None:
    ends = [link.end for link in chain.links if link.end]
    expected = 1 + sum(each.by.kind in FINAL and each.by.stage == stage for each in ends)
    assert chain.place(stage).ordinal == expected
    if not chain.open_link:
        more = Chain((*chain.links, opened(claim_of(who), number=len(chain.links) + 1)))
        assert more.ordinal(stage) == expected


# The ledger itself, with a store in memory.

_SIGNER = KeyringSigner(Keyring([b"new", b"old"]))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock)


def ledger_in(store: MemoryStore, signer: KeyringSigner = _SIGNER) -> DisputeLedger:
    return Ledger(store).for_dispute("test", "stripe", "du_1", signer)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def acquired(ledger: DisputeLedger, who: Claimant) -> LinkClaim:
    claim = ledger.claim(await ledger.read(), who, {}, None)
    await claim.acquire("submit")
    return claim


async def status_in(ledger: DisputeLedger, who: Claimant) -> ChainStatus:
    chain = await ledger.read()
    return status_of(chain, who, await ledger.age(chain))


_ACTS = st.lists(
    st.tuples(st.sampled_from(["read", "claim", "release", "end", "abandon", "wait"]), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(_ACTS)
def test_one_claimant_wins_each_entry_and_no_claimant_claims_an_ended_link(
    acts: list[tuple[str, int]],
) -> None:
    run(_play(acts))


async def _play(acts: list[tuple[str, int]]) -> None:
    """Play actions of four claimants in any order; each may act on an old reading of the chain."""
    clock = Clock()
    store = MemoryStore(clock)
    ledger = ledger_in(store)
    claimants = [ANA, BEN, STAGER, CONCEDER]
    readings: dict[int, Chain] = {}
    claims: dict[int, LinkClaim] = {}
    places: dict[tuple[int, int], int] = {}
    for act, who in acts:
        chain = readings.setdefault(who, Chain())
        match act:
            case "read":
                readings[who] = await ledger.read()
                claims.pop(who, None)
            case "claim":
                claim = claims.get(who) or ledger.claim(chain, claimants[who], {}, None)
                before = set(store.files)
                is_acquired = await _is_acquired(claim)
                assert is_acquired == (len(store.files) > len(before))
                if is_acquired:
                    claims[who] = claim
                    [path] = set(store.files) - before
                    link, entry = map(int, path.split("/")[-2:])
                    assert places.setdefault((link, entry), who) == who
            case "release" if who in claims:
                await claims.pop(who).release()
            case "end" if who in claims:
                await claims.pop(who).end("unknown", "", None, {})
            case "abandon" if chain.open_link:
                link = chain.open_link
                await ledger.end(link.number, link.next_entry, claimants[who], "unknown", "gone")
            case _:
                clock.now += 100.0
        _check_files(store)
        now = await ledger.read()
        assert [link.number for link in now.links] == [*range(1, len(now.links) + 1)]
        assert all(link.end for link in now.links[:-1])


async def _is_acquired(claim: LinkClaim) -> bool:
    was_acquired = claim.is_acquired
    try:
        # Force a renewal, so that each claim creates a file.
        claim._acquired_at = -1e9
        await claim.acquire("submit")
    except NotClaimedError:
        return False
    return claim.is_acquired or was_acquired


def _check_files(store: MemoryStore) -> None:
    """Check that nothing follows an end and that no number is missing."""
    links: dict[str, dict[int, str]] = {}
    for path, (content, _) in store.files.items():
        folder, _, entry = path.rpartition("/")
        links.setdefault(folder, {})[int(entry)] = json.loads(content)["signed"]["what"]
    for entries in links.values():
        assert sorted(entries) == [*range(1, len(entries) + 1)]
        whats = [entries[number] for number in sorted(entries)]
        assert whats[0] == "take"
        assert "end" not in whats[:-1]


def test_the_age_of_a_claim_comes_from_the_store_s_clock(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    ledger.clock = lambda: -5e6
    run(acquired(ledger, BEN))
    assert run(status_in(ledger, ANA)) is ChainStatus.CLAIMED
    clock.now += YOUNG
    assert run(status_in(ledger, ANA)) is ChainStatus.CLAIMED
    clock.now += 0.001
    assert run(status_in(ledger, ANA)) is ChainStatus.EXPIRED


def test_an_empty_claim_locks_until_it_may_be_taken_over(store: MemoryStore, clock: Clock) -> None:
    store.create("test/stripe/du_1/1/1", b"")
    ledger = ledger_in(store)
    assert run(status_in(ledger, ANA)) is ChainStatus.CLAIMED
    clock.now += LAPSED
    assert run(status_in(ledger, ANA)) is ChainStatus.EXPIRED
    assert run(acquired(ledger, ANA)).is_acquired
    assert run(status_in(ledger, ANA)) is ChainStatus.OWN_IN_FLIGHT


def test_a_link_with_a_dropped_key_locks_and_can_be_taken_over_and_ended(
    store: MemoryStore, clock: Clock
) -> None:
    gone, here = ledger_in(store, KeyringSigner(Keyring([b"gone"]))), ledger_in(store)
    claim = run(acquired(gone, BEN))
    assert run(status_in(here, ANA)) is ChainStatus.CLAIMED
    clock.now += LAPSED
    assert run(status_in(here, ANA)) is ChainStatus.EXPIRED
    run(claim.end("submitted", "forged", "req_forged", {}))
    assert run(status_in(here, ANA)) is ChainStatus.SETTLING
    clock.now += LAPSED
    assert run(status_in(here, ANA)) is ChainStatus.UNSEEN
    last = run(here.read()).final_end
    assert last is not None
    assert last.trust is Trust.UNKNOWN_KEY
    # Its facts are not used: the API is read instead.
    assert (last.state, last.request_id, last.before) == ("unknown", None, {})
    assert run(status_in(here, seeing(ANA, last.hash))) is ChainStatus.FREE


def test_a_rotated_key_is_accepted(store: MemoryStore) -> None:
    claim = run(acquired(ledger_in(store, KeyringSigner(Keyring([b"old"]))), BEN))
    run(claim.release())
    assert run(status_in(ledger_in(store), ANA)) is ChainStatus.FREE


def _edited(content: bytes) -> Iterator[tuple[str, bytes]]:
    envelope = json.loads(content)
    for name, value in envelope["signed"].items():
        other = {**envelope["signed"], name: not value if isinstance(value, bool) else "other"}
        if name != "before":
            yield name, json.dumps({**envelope, "signed": other}).encode()
    yield "nothing signed", json.dumps({"signature": envelope["signature"]}).encode()
    yield "no signature", json.dumps({"signed": envelope["signed"]}).encode()
    yield "signature", json.dumps({**envelope, "signature": envelope["signature"][:-1] + "x"}).encode()
    yield "a list", json.dumps({**envelope, "signed": ["take"]}).encode()
    yield "no JSON", b"take"
    yield "deep", b"[" * 100_000
    yield "half", content[: len(content) // 2]


@pytest.mark.parametrize("entry", [1, 2])
def test_any_edit_of_a_file_is_noticed(store: MemoryStore, clock: Clock, entry: int) -> None:
    ledger = ledger_in(store)
    run(run(acquired(ledger, BEN)).end("refused", "why", "req_1", {}))
    if entry == 1:
        del store.files["test/stripe/du_1/1/2"]
    path = f"test/stripe/du_1/1/{entry}"
    good, created = store.files[path]
    clock.now += LAPSED
    for what, content in _edited(good):
        store.files[path] = (content, created)
        assert run(status_in(ledger, ANA)) is ChainStatus.DAMAGED, what
    store.files[path] = (good, created)
    assert run(status_in(ledger, ANA)) is (ChainStatus.EXPIRED if entry == 1 else ChainStatus.UNSEEN)


def test_a_file_copied_from_another_dispute_releases_nothing(store: MemoryStore) -> None:
    other = Ledger(store).for_dispute("test", "stripe", "du_2", _SIGNER)
    run(run(acquired(other, BEN)).release())
    ledger = ledger_in(store)
    run(acquired(ledger, BEN))
    store.files["test/stripe/du_1/1/2"] = store.files["test/stripe/du_2/1/2"]
    assert run(status_in(ledger, ANA)) is ChainStatus.DAMAGED


def test_a_release_without_a_good_signature_releases_nothing(store: MemoryStore, clock: Clock) -> None:
    here, gone = ledger_in(store), ledger_in(store, KeyringSigner(Keyring([b"gone"])))
    run(run(acquired(gone, BEN)).release())
    assert run(status_in(here, ANA)) is ChainStatus.CLAIMED
    clock.now += LAPSED
    assert run(status_in(here, ANA)) is ChainStatus.EXPIRED
    assert run(acquired(here, ANA)).place == Place(1, 3, 1)


def test_a_release_covers_its_own_claim_and_renewals_only(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    run(acquired(ledger, BEN))
    clock.now += 1.0
    # The same task claims again, as it may with an idempotency key, then renews its claim and sends nothing.
    again = run(acquired(ledger, BEN))
    now = timing.RENEW_AFTER
    run(again.acquire("submit"))
    run(again.release())
    assert [link.released for link in run(ledger.read()).links] == [{2, 3}]
    assert run(status_in(ledger, ANA)) is ChainStatus.CLAIMED
    clock.now += LAPSED - 1.0
    assert run(status_in(ledger, ANA)) is ChainStatus.EXPIRED


def test_a_holder_that_was_taken_over_ends_and_releases_nothing(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    late = run(acquired(ledger, BEN))
    clock.now += LAPSED
    run(acquired(ledger, ANA))
    run(late.end("unknown", "", None, {}))
    run(late.release())
    assert run(status_in(ledger, BEN)) is ChainStatus.CLAIMED
    assert run(ledger.read()).open_link is not None


def test_a_claimant_with_an_old_reading_cannot_claim_a_link_that_has_ended(
    store: MemoryStore, clock: Clock
) -> None:
    ledger = ledger_in(store)
    run(acquired(ledger, BEN))
    clock.now += LAPSED
    claim = ledger.claim(run(ledger.read()), ANA, {}, None)
    link = run(ledger.read()).open_link
    assert link is not None
    assert run(ledger.end(link.number, link.next_entry, BEN, "unknown", "gone", is_settled=True))
    with pytest.raises(NotClaimedError) as raised:
        run(claim.acquire("submit"))
    assert raised.value.is_lost
    assert not run(ledger.end(link.number, link.next_entry, BEN, "unknown", "gone"))


def test_a_request_is_written_only_within_the_time_limits(store: MemoryStore) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    for after, read_at, may in (
        (timing.WRITE_WITHIN, None, True),
        (timing.WRITE_WITHIN + 0.01, None, False),
        (1.0, 1.0 - timing.MAX_READING_AGE, True),
        (1.0, 0.99 - timing.MAX_READING_AGE, False),
    ):
        now = 0.0
        chain = run(ledger.read())
        claim = ledger.claim(chain, ANA, {}, read_at)
        run(claim.acquire("submit"))
        now = after
        if may:
            claim.check("submit")
        else:
            with pytest.raises(NotClaimedError) as raised:
                claim.check("submit")
            assert not raised.value.is_lost


def test_an_old_claim_is_renewed_unless_another_task_took_it_over(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    claim = run(acquired(ledger, ANA))
    run(claim.acquire("submit"))
    assert len(store.files) == 1
    now = timing.RENEW_AFTER
    run(claim.acquire("submit"))
    assert len(store.files) == 2
    clock.now += LAPSED
    run(acquired(ledger, BEN))
    now *= 3
    with pytest.raises(NotClaimedError) as raised:
        run(claim.acquire("submit"))
    assert raised.value.is_lost


def test_each_dispute_mode_and_api_has_its_own_chain(store: MemoryStore) -> None:
    ledger = Ledger(store)
    run(acquired(ledger.for_dispute("test", "stripe", "du_1", _SIGNER), BEN))
    others = [("live", "stripe", "du_1"), ("test", "moov", "du_1"), ("test", "stripe", "du_11")]
    others += [
        ("test", "stripe", "../stripe/du_1"),
        ("test", "stripe/du_1", "1"),
        ("test", "stripe", "du_1/1"),
    ]
    for environment, api, dispute in others:
        assert run(status_in(ledger.for_dispute(environment, api, dispute, _SIGNER), ANA)) is ChainStatus.FREE


class LosingStore(MemoryStore):
    """A store whose answer to a create is lost; its client repeats the request if ``repeats`` is set."""

    repeats = False
    arrives = True

    def create(self, path: str, content: bytes) -> bool:
        if self.arrives:
            is_created = super().create(path, content)
            if self.repeats:
                return super().create(path, content) and is_created
        raise ConnectionResetError


@pytest.mark.parametrize("repeats", [True, False], ids=["repeated", "not repeated"])
def test_a_claim_is_recognised_after_the_store_s_answer_was_lost(repeats: bool) -> None:
    store = LosingStore()
    store.repeats = repeats
    assert run(acquired(ledger_in(store), ANA)).is_acquired
    # A second claim of the same task has equal facts, but is another claim.
    with pytest.raises(NotClaimedError) as raised:
        run(ledger_in(store).claim(Chain(), ANA, {}, None).acquire("submit"))
    assert raised.value.is_lost


def test_a_claim_that_never_reached_the_store_is_not_acquired() -> None:
    store = LosingStore()
    store.arrives = False
    with pytest.raises(NotClaimedError) as raised:
        run(acquired(ledger_in(store), ANA))
    assert not raised.value.is_lost
    assert "nothing was sent" in str(raised.value)
