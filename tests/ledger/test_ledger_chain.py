"""The chain of a dispute: who may claim next, row by row, and whatever the store holds."""

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

from dispute_provider._ledger import terms
from dispute_provider._ledger.chain import (
    FINAL,
    Chain,
    Claimant,
    End,
    Kind,
    Link,
    Place,
    Standing,
    Take,
    Trust,
    standing,
)
from dispute_provider._ledger.ledger import DisputeLedger, Ledger, LinkClaim
from dispute_provider._ledger.seal import KeySeal
from dispute_provider._ledger.stores import MemoryStore
from dispute_provider._signatures import Keyring
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._workflow.sending.decisions import (
    STEPS,
    AfterDenial,
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
YOUNG, LAPSED = terms.LAPSES_AFTER - 0.001, terms.LAPSES_AFTER


def take(by: Claimant | None, number: int = 1, trust: Trust = Trust.GOOD) -> Take:
    return Take(number, by, trust, 0.0)


def end(
    by: Claimant,
    name: str = "hash",
    *,
    state: str = "refused",
    is_settled: bool = True,
    trust: Trust = Trust.GOOD,
) -> End:
    return End(by, state, "a reason", None, {}, is_settled, trust, 0.0, name)


def opened(*takes: Take, released: tuple[int, ...] = (), number: int = 1) -> Link:
    return Link(number, takes, frozenset(released))


def ended(by: Claimant, number: int = 1, **facts: Any) -> Link:
    return Link(number, (), end=end(by, **facts))


def seeing(claimant: Claimant, seen: str | None) -> Claimant:
    return msgspec.structs.replace(claimant, seen=seen)


# Chain, claimant, age of what may be in flight, how the chain stands.
STANDINGS = [
    ("nothing", Chain(), ANA, 0.0, Standing.FREE),
    ("nothing, to stage", Chain(), STAGER, 0.0, Standing.FREE),
    ("own take", Chain((opened(take(ANA)),)), ANA, YOUNG, Standing.OURS),
    ("own take, old", Chain((opened(take(ANA)),)), ANA, LAPSED, Standing.OURS_LAPSED),
    ("another's take", Chain((opened(take(BEN)),)), ANA, YOUNG, Standing.TAKEN),
    ("another's take, old", Chain((opened(take(BEN)),)), ANA, LAPSED, Standing.LAPSED),
    ("stager's take", Chain((opened(take(STAGER)),)), ANA, YOUNG, Standing.TAKEN),
    ("a submitter's take, to stage", Chain((opened(take(ANA)),)), STAGER, YOUNG, Standing.TAKEN),
    ("nobody's take", Chain((opened(take(None, trust=Trust.UNKNOWN_KEY)),)), ANA, YOUNG, Standing.TAKEN),
    (
        "nobody's take, old",
        Chain((opened(take(None, trust=Trust.UNKNOWN_KEY)),)),
        ANA,
        LAPSED,
        Standing.LAPSED,
    ),
    ("another's, released", Chain((opened(take(BEN), released=(1,)),)), ANA, 0.0, Standing.FREE),
    ("own, released", Chain((opened(take(ANA), released=(1,)),)), ANA, 0.0, Standing.FREE),
    ("own, taken over", Chain((opened(take(ANA), take(BEN, 2)),)), ANA, YOUNG, Standing.TAKEN),
    (
        "own, taken over and released",
        Chain((opened(take(ANA), take(BEN, 2), released=(2,)),)),
        ANA,
        YOUNG,
        Standing.OURS,
    ),
    (
        "another's, repeated and released",
        Chain((opened(take(BEN), take(BEN, 2), released=(2,)),)),
        ANA,
        YOUNG,
        Standing.TAKEN,
    ),
    (
        "another's, repeated and released, to stage",
        Chain((opened(take(BEN), take(BEN, 2), released=(2,)),)),
        STAGER,
        YOUNG,
        Standing.TAKEN,
    ),
    ("own end", Chain((ended(ANA),)), ANA, 0.0, Standing.ENDED),
    ("own end, in flight", Chain((ended(ANA, is_settled=False),)), ANA, 0.0, Standing.ENDED),
    ("another's end, unseen", Chain((ended(BEN),)), ANA, 0.0, Standing.UNSEEN),
    ("another's end, seen", Chain((ended(BEN),)), seeing(ANA, "hash"), 0.0, Standing.FREE),
    ("an end that is not there any more", Chain(), seeing(ANA, "hash"), 0.0, Standing.UNSEEN),
    (
        "seen, in flight",
        Chain((ended(BEN, is_settled=False),)),
        seeing(ANA, "hash"),
        YOUNG,
        Standing.SETTLING,
    ),
    ("seen, arrived", Chain((ended(BEN, is_settled=False),)), seeing(ANA, "hash"), LAPSED, Standing.FREE),
    ("in flight, to stage", Chain((ended(BEN, is_settled=False),)), STAGER, YOUNG, Standing.SETTLING),
    ("a staging has ended", Chain((ended(STAGER),)), ANA, 0.0, Standing.FREE),
    ("a final end, to stage", Chain((ended(ANA),)), STAGER, 0.0, Standing.FREE),
    (
        "seen the first of two",
        Chain((ended(BEN, name="one"), ended(CONCEDER, 2, name="two"))),
        seeing(ANA, "one"),
        0.0,
        Standing.UNSEEN,
    ),
    ("edited take", Chain((opened(take(ANA, trust=Trust.BAD)),)), ANA, LAPSED, Standing.DAMAGED),
    ("edited end", Chain((ended(ANA, trust=Trust.BAD),)), ANA, LAPSED, Standing.DAMAGED),
    (
        "an end is gone",
        Chain((opened(take(BEN)), ended(BEN, 2))),
        seeing(ANA, "hash"),
        LAPSED,
        Standing.DAMAGED,
    ),
    ("end under another key", Chain((ended(BEN, trust=Trust.UNKNOWN_KEY),)), ANA, 0.0, Standing.UNSEEN),
    (
        "end under another key, seen",
        Chain((ended(BEN, trust=Trust.UNKNOWN_KEY),)),
        seeing(ANA, "hash"),
        0.0,
        Standing.FREE,
    ),
]


@pytest.mark.parametrize(
    ("chain", "claimant", "age", "stands"), [row[1:] for row in STANDINGS], ids=[row[0] for row in STANDINGS]
)
def test_how_a_chain_stands(chain: Chain, claimant: Claimant, age: float, stands: Standing) -> None:
    assert standing(chain, claimant, age) is stands


def test_every_standing_has_a_row() -> None:
    assert {row[4] for row in STANDINGS} == {*Standing}


# What to do by how the chain stands: as approved, answered, refused; and as approved under a key.
NEXT = {
    Standing.FREE: (Step.SEND, Step.ANSWERED, Step.REFUSED, Step.SEND),
    Standing.OURS: (Step.WAIT, Step.EARLIER, Step.WAIT, Step.SEND),
    Standing.OURS_LAPSED: (Step.SEND, Step.EARLIER, Step.REFUSED, Step.SEND),
    Standing.TAKEN: (Step.WAIT, Step.ANSWERED, Step.WAIT, Step.WAIT),
    Standing.LAPSED: (Step.SEND, Step.ANSWERED, Step.REFUSED, Step.SEND),
    Standing.SETTLING: (Step.WAIT, Step.ANSWERED, Step.WAIT, Step.WAIT),
    Standing.ENDED: (Step.NOTED, Step.NOTED, Step.NOTED, Step.NOTED),
    Standing.UNSEEN: (Step.UNSEEN, Step.ANSWERED, Step.REFUSED, Step.UNSEEN),
    Standing.DAMAGED: (Step.DAMAGED, Step.ANSWERED, Step.REFUSED, Step.DAMAGED),
}


@pytest.mark.parametrize("stands", Standing)
def test_what_to_do_next(stands: Standing) -> None:
    steps = [next_step(reading, stands, has_key=False) for reading in Reading]
    assert (*steps, next_step(Reading.OPEN, stands, has_key=True)) == NEXT[stands]
    # A key changes nothing else.
    assert [next_step(reading, stands, has_key=True) for reading in Reading][1:] == steps[1:]


def test_the_table_has_every_cell_and_sends_only_what_is_as_approved() -> None:
    assert STEPS.keys() == {*product(Reading, Standing)}
    sends = {cell for cell, step in STEPS.items() if step is Step.SEND}
    may = {Standing.FREE, Standing.OURS_LAPSED, Standing.LAPSED}
    assert sends == {(Reading.OPEN, stands) for stands in may}


def _error(kind: type[ApiError], status: int, **facts: Any) -> ApiError:
    return kind("denied", operation="submit", status=status, **facts)


AGAIN, LATER, SETTLE, STOP = AfterDenial.AGAIN, AfterDenial.LATER, AfterDenial.SETTLE, AfterDenial.STOP
# Under a key; without; without, where a new token may be had.
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
]


@pytest.mark.parametrize(("problem", "keyed", "bare", "renewing"), DENIALS)
def test_what_to_do_after_an_answer(
    problem: ApiError | None, keyed: AfterDenial, bare: AfterDenial, renewing: AfterDenial
) -> None:
    assert after_answer(problem, has_key=True, renews_token=False) is keyed
    assert after_answer(problem, has_key=False, renews_token=False) is bare
    assert after_answer(problem, has_key=False, renews_token=True) is renewing


def test_who_goes_on_with_a_link() -> None:
    assert opened(take(ANA)).takes_on(BEN)
    assert not opened(take(ANA)).takes_on(CONCEDER)
    assert not opened(take(ANA)).takes_on(STAGER)
    assert not opened(take(ANA)).takes_on(msgspec.structs.replace(BEN, stage="appeal"))
    assert opened(take(ANA), released=(1,)).takes_on(CONCEDER)
    assert opened(take(None)).takes_on(CONCEDER)
    # Each take counts, not the last alone.
    assert not opened(take(ANA), take(CONCEDER, 2)).takes_on(CONCEDER)
    assert opened(take(ANA), take(CONCEDER, 3), released=(1,)).takes_on(CONCEDER)


def test_where_the_next_claim_is_created() -> None:
    assert Chain().place("chargeback") == Place(1, 1, 1)
    assert Chain((opened(take(ANA)),)).place("chargeback") == Place(1, 2, 1)
    assert Chain((opened(take(ANA), released=(1,)),)).place("chargeback") == Place(1, 3, 1)
    assert Chain((ended(ANA),)).place("chargeback") == Place(2, 1, 2)
    assert Chain((ended(STAGER), ended(ANA, 2))).place("appeal") == Place(3, 1, 1)


_CLAIMANTS = st.sampled_from([ANA, BEN, STAGER, CONCEDER])


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Chains as claims, releases and ends in any order make them."""
    links = [
        ended(draw(_CLAIMANTS), number, name=f"end-{number}", is_settled=draw(st.booleans()))
        for number in range(1, draw(st.integers(0, 4)) + 1)
    ]
    if draw(st.booleans()):
        takes, released, entry = [], set(), 1
        for by in draw(st.lists(_CLAIMANTS, min_size=1, max_size=4)):
            takes.append(take(by, entry))
            if draw(st.booleans()):
                released.add(entry)
                entry += 1
            entry += 1
        links.append(Link(len(links) + 1, tuple(takes), frozenset(released)))
    return Chain(tuple(links))


@given(chains(), _CLAIMANTS, st.sampled_from([0.0, YOUNG, LAPSED]))
def test_a_stranger_claims_nothing_under_a_request_in_flight(chain: Chain, who: Claimant, age: float) -> None:
    link = chain.open_link
    if link and link.holder and link.holder.by and link.holder.by.approval != who.approval:
        assert standing(chain, who, age) is (Standing.TAKEN if age < LAPSED else Standing.LAPSED)


@given(chains(), _CLAIMANTS, st.sampled_from(["chargeback", "appeal"]))
def test_a_key_changes_with_each_final_end_of_its_stage_and_with_nothing_else(
    chain: Chain, who: Claimant, stage: str
) -> None:
    ends = [link.end for link in chain.links if link.end]
    expected = 1 + sum(each.by.kind in FINAL and each.by.stage == stage for each in ends)
    assert chain.place(stage).ordinal == expected
    if not chain.open_link:
        more = Chain((*chain.links, opened(take(who), number=len(chain.links) + 1)))
        assert more.ordinal(stage) == expected


# The ledger itself, over a store in memory.

_SEAL = KeySeal(Keyring([b"new", b"old"]))


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


def ledger_in(store: MemoryStore, seal: KeySeal = _SEAL) -> DisputeLedger:
    return Ledger(store).of("test", "stripe", "du_1", seal)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def taken(ledger: DisputeLedger, who: Claimant) -> LinkClaim:
    claim = ledger.claim(await ledger.look(), who, {}, None)
    await claim.take("submit")
    return claim


async def stands(ledger: DisputeLedger, who: Claimant) -> Standing:
    chain = await ledger.look()
    return standing(chain, who, await ledger.age(chain))


_ACTS = st.lists(
    st.tuples(st.sampled_from(["look", "take", "release", "end", "give up", "pass"]), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(_ACTS)
def test_two_claimants_never_have_one_place_and_nobody_takes_what_has_ended(
    acts: list[tuple[str, int]],
) -> None:
    run(_play(acts))


async def _play(acts: list[tuple[str, int]]) -> None:
    """Any order of acts of four claimants, each of whom may act on an old look at the chain."""
    clock = Clock()
    store = MemoryStore(clock)
    ledger = ledger_in(store)
    people = [ANA, BEN, STAGER, CONCEDER]
    looks: dict[int, Chain] = {}
    claims: dict[int, LinkClaim] = {}
    places: dict[tuple[int, int], int] = {}
    for act, who in acts:
        look = looks.setdefault(who, Chain())
        match act:
            case "look":
                looks[who] = await ledger.look()
                claims.pop(who, None)
            case "take":
                claim = claims.get(who) or ledger.claim(look, people[who], {}, None)
                before = set(store.files)
                with_luck = await _luck(claim)
                assert with_luck == (len(store.files) > len(before))
                if with_luck:
                    claims[who] = claim
                    [path] = set(store.files) - before
                    link, entry = map(int, path.split("/")[-2:])
                    assert places.setdefault((link, entry), who) == who
            case "release" if who in claims:
                await claims.pop(who).release()
            case "end" if who in claims:
                await claims.pop(who).end("unknown", "", None, {})
            case "give up" if look.open_link:
                link = look.open_link
                await ledger.end(link.number, link.next_entry, people[who], "unknown", "gone")
            case _:
                clock.now += 100.0
        _check_files(store)
        now = await ledger.look()
        assert [link.number for link in now.links] == [*range(1, len(now.links) + 1)]
        assert all(link.end for link in now.links[:-1])


async def _luck(claim: LinkClaim) -> bool:
    was_taken = claim.is_taken
    try:
        # Renewed each time, so that every take creates a file.
        claim._since = -1e9
        await claim.take("submit")
    except NotClaimedError:
        return False
    return claim.is_taken or was_taken


def _check_files(store: MemoryStore) -> None:
    """Nothing comes after an end, and no number is left out."""
    links: dict[str, dict[int, str]] = {}
    for path, (content, _) in store.files.items():
        folder, _, entry = path.rpartition("/")
        links.setdefault(folder, {})[int(entry)] = json.loads(content)["signed"]["what"]
    for entries in links.values():
        assert sorted(entries) == [*range(1, len(entries) + 1)]
        whats = [entries[number] for number in sorted(entries)]
        assert whats[0] == "take"
        assert "end" not in whats[:-1]


def test_a_claim_is_aged_by_the_store_s_clock_whatever_the_worker_s(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    ledger.clock = lambda: -5e6
    run(taken(ledger, BEN))
    assert run(stands(ledger, ANA)) is Standing.TAKEN
    clock.now += YOUNG
    assert run(stands(ledger, ANA)) is Standing.TAKEN
    clock.now += 0.001
    assert run(stands(ledger, ANA)) is Standing.LAPSED


def test_an_empty_take_locks_until_it_has_lapsed(store: MemoryStore, clock: Clock) -> None:
    store.create("test/stripe/du_1/1/1", b"")
    ledger = ledger_in(store)
    assert run(stands(ledger, ANA)) is Standing.TAKEN
    clock.now += LAPSED
    assert run(stands(ledger, ANA)) is Standing.LAPSED
    assert run(taken(ledger, ANA)).is_taken
    assert run(stands(ledger, ANA)) is Standing.OURS


def test_a_link_signed_under_a_key_that_is_gone_locks_lapses_and_ends(
    store: MemoryStore, clock: Clock
) -> None:
    gone, here = ledger_in(store, KeySeal(Keyring([b"gone"]))), ledger_in(store)
    claim = run(taken(gone, BEN))
    assert run(stands(here, ANA)) is Standing.TAKEN
    clock.now += LAPSED
    assert run(stands(here, ANA)) is Standing.LAPSED
    run(claim.end("submitted", "forged", "req_forged", {}))
    assert run(stands(here, ANA)) is Standing.SETTLING
    clock.now += LAPSED
    assert run(stands(here, ANA)) is Standing.UNSEEN
    last = run(here.look()).final_end
    assert last is not None
    assert last.trust is Trust.UNKNOWN_KEY
    # What it says is read from the API.
    assert (last.state, last.request_id, last.before) == ("unknown", None, {})
    assert run(stands(here, seeing(ANA, last.hash))) is Standing.FREE


def test_a_key_that_was_rotated_is_known(store: MemoryStore) -> None:
    claim = run(taken(ledger_in(store, KeySeal(Keyring([b"old"]))), BEN))
    run(claim.release())
    assert run(stands(ledger_in(store), ANA)) is Standing.FREE


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
def test_an_edited_file_is_held_whatever_was_edited(store: MemoryStore, clock: Clock, entry: int) -> None:
    ledger = ledger_in(store)
    run(run(taken(ledger, BEN)).end("refused", "why", "req_1", {}))
    if entry == 1:
        del store.files["test/stripe/du_1/1/2"]
    path = f"test/stripe/du_1/1/{entry}"
    good, created = store.files[path]
    clock.now += LAPSED
    for what, content in _edited(good):
        store.files[path] = (content, created)
        assert run(stands(ledger, ANA)) is Standing.DAMAGED, what
    store.files[path] = (good, created)
    assert run(stands(ledger, ANA)) is (Standing.LAPSED if entry == 1 else Standing.UNSEEN)


def test_a_file_from_another_place_is_held(store: MemoryStore) -> None:
    """A release or an end that was copied from another link or dispute frees nothing."""
    other = Ledger(store).of("test", "stripe", "du_2", _SEAL)
    run(run(taken(other, BEN)).release())
    ledger = ledger_in(store)
    run(taken(ledger, BEN))
    store.files["test/stripe/du_1/1/2"] = store.files["test/stripe/du_2/1/2"]
    assert run(stands(ledger, ANA)) is Standing.DAMAGED


def test_a_release_without_a_good_signature_releases_nothing(store: MemoryStore, clock: Clock) -> None:
    here, gone = ledger_in(store), ledger_in(store, KeySeal(Keyring([b"gone"])))
    run(run(taken(gone, BEN)).release())
    assert run(stands(here, ANA)) is Standing.TAKEN
    clock.now += LAPSED
    assert run(stands(here, ANA)) is Standing.LAPSED
    assert run(taken(here, ANA)).place == Place(1, 3, 1)


def test_a_release_is_for_all_takes_of_its_holder_and_for_no_other(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    run(taken(ledger, BEN))
    clock.now += 1.0
    # The same task again, as it may be under a key; then it renews its claim, and sends nothing.
    again = run(taken(ledger, BEN))
    now = terms.RENEWED_AFTER
    run(again.take("submit"))
    run(again.release())
    assert [link.released for link in run(ledger.look()).links] == [{2, 3}]
    assert run(stands(ledger, ANA)) is Standing.TAKEN
    clock.now += LAPSED - 1.0
    assert run(stands(ledger, ANA)) is Standing.LAPSED


def test_a_holder_that_comes_back_late_ends_and_releases_nothing(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    late = run(taken(ledger, BEN))
    clock.now += LAPSED
    run(taken(ledger, ANA))
    run(late.end("unknown", "", None, {}))
    run(late.release())
    assert run(stands(ledger, BEN)) is Standing.TAKEN
    assert run(ledger.look()).open_link is not None


def test_who_looked_before_a_link_was_given_up_does_not_take_it(store: MemoryStore, clock: Clock) -> None:
    ledger = ledger_in(store)
    run(taken(ledger, BEN))
    clock.now += LAPSED
    claim = ledger.claim(run(ledger.look()), ANA, {}, None)
    link = run(ledger.look()).open_link
    assert link is not None
    assert run(ledger.end(link.number, link.next_entry, BEN, "unknown", "gone", is_settled=True))
    with pytest.raises(NotClaimedError) as raised:
        run(claim.take("submit"))
    assert raised.value.is_lost
    assert not run(ledger.end(link.number, link.next_entry, BEN, "unknown", "gone"))


def test_a_claim_is_written_on_within_its_time_and_on_a_young_reading(store: MemoryStore) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    for after, read_at, may in (
        (terms.WRITE_WITHIN, None, True),
        (terms.WRITE_WITHIN + 0.01, None, False),
        (1.0, 1.0 - terms.READING_HOLDS, True),
        (1.0, 0.99 - terms.READING_HOLDS, False),
    ):
        now = 0.0
        chain = run(ledger.look())
        claim = ledger.claim(chain, ANA, {}, read_at)
        run(claim.take("submit"))
        now = after
        if may:
            claim.check("submit")
        else:
            with pytest.raises(NotClaimedError) as raised:
                claim.check("submit")
            assert not raised.value.is_lost


def test_a_claim_is_renewed_where_it_is_old_and_lost_where_another_has_it(
    store: MemoryStore, clock: Clock
) -> None:
    ledger = ledger_in(store)
    now = 0.0
    ledger.clock = lambda: now
    claim = run(taken(ledger, ANA))
    run(claim.take("submit"))
    assert len(store.files) == 1
    now = terms.RENEWED_AFTER
    run(claim.take("submit"))
    assert len(store.files) == 2
    clock.now += LAPSED
    run(taken(ledger, BEN))
    now *= 3
    with pytest.raises(NotClaimedError) as raised:
        run(claim.take("submit"))
    assert raised.value.is_lost


def test_disputes_modes_and_apis_have_chains_of_their_own(store: MemoryStore) -> None:
    ledger = Ledger(store)
    run(taken(ledger.of("test", "stripe", "du_1", _SEAL), BEN))
    others = [("live", "stripe", "du_1"), ("test", "moov", "du_1"), ("test", "stripe", "du_11")]
    others += [
        ("test", "stripe", "../stripe/du_1"),
        ("test", "stripe/du_1", "1"),
        ("test", "stripe", "du_1/1"),
    ]
    for environment, api, dispute in others:
        assert run(stands(ledger.of(environment, api, dispute, _SEAL), ANA)) is Standing.FREE


class LosingStore(MemoryStore):
    """A store whose answer to a create is lost; its client repeats it where ``repeats`` says so."""

    repeats = False
    arrives = True

    def create(self, path: str, content: bytes) -> bool:
        if self.arrives:
            is_created = super().create(path, content)
            if self.repeats:
                return super().create(path, content) and is_created
        raise ConnectionResetError


@pytest.mark.parametrize("repeats", [True, False], ids=["repeated", "not repeated"])
def test_one_s_own_claim_is_known_where_the_answer_was_lost(repeats: bool) -> None:
    store = LosingStore()
    store.repeats = repeats
    assert run(taken(ledger_in(store), ANA)).is_taken
    # The same task a second time is another claim, all that it says being equal.
    with pytest.raises(NotClaimedError) as raised:
        run(ledger_in(store).claim(Chain(), ANA, {}, None).take("submit"))
    assert raised.value.is_lost


def test_a_claim_that_did_not_arrive_is_none() -> None:
    store = LosingStore()
    store.arrives = False
    with pytest.raises(NotClaimedError) as raised:
        run(taken(ledger_in(store), ANA))
    assert not raised.value.is_lost
    assert "nothing was sent" in str(raised.value)
