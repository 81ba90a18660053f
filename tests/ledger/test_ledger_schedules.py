"""No schedule of tasks sends a dispute's evidence twice, and each safeguard is needed for that.

``make races`` plays 20,000 schedules for each kind of API, the suite two hundred.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from schedules import StormyStore, Weather, World, play

from dispute_provider._evidence.record import Record, State
from dispute_provider._ledger import ledger, timing
from dispute_provider._ledger.chain import Kind
from dispute_provider._workflow.sending.ledger_ends import claimant_of
from dispute_provider._workflow.sending.submit import submit

FULL = os.environ.get("LEDGER_RACES") == "full"
PARTS, SCHEDULES = (20, 1000) if FULL else (2, 100)
_STORM = Weather()
# So often a knocked-out safeguard may go unnoticed.
_PATIENCE = 6000

pytestmark = pytest.mark.timeout(1200 if FULL else 120)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("has_keys", [False, True], ids=["without keys", "with keys"])
def test_a_dispute_is_submitted_once_and_as_approved(part: int, has_keys: bool) -> None:
    counts = play(range(part * SCHEDULES, (part + 1) * SCHEDULES), has_keys=has_keys, weather=_STORM)
    print(dict(counts))
    assert counts["doubles"] == counts["altered"] == 0
    assert counts["submitted"] >= 0.99 * SCHEDULES


@pytest.mark.parametrize("has_keys", [False, True], ids=["without keys", "with keys"])
def test_ends_are_true_where_the_store_shows_what_it_holds(has_keys: bool) -> None:
    # With keys, no task waits to see whether a denied request arrives after all. The next call is held off
    # until then, but the end of the first is refused.
    weather = replace(_STORM, stale_listing=0.0, denied=0.0 if has_keys else _STORM.denied)
    counts = play(range(SCHEDULES * 2), has_keys=has_keys, weather=weather)
    assert counts["false ends"] == 0


def test_without_keys_only_a_worker_that_stands_still_after_its_check_sends_twice() -> None:
    counts = play(range(SCHEDULES * 2), has_keys=False, weather=replace(_STORM, window=0.2))
    print(dict(counts))
    assert counts["doubles"] == counts["altered"] == 0
    assert counts["window"] > 0


_CALM = Weather(**dict.fromkeys(Weather.__dataclass_fields__, 0.0))


@pytest.mark.parametrize(("has_keys", "state"), [(False, State.UNKNOWN), (True, State.SUBMITTED)])
def test_who_cannot_wait_for_an_earlier_try_before_the_due_date_says_so_at_once(
    has_keys: bool, state: State
) -> None:
    world = World(1, has_keys=has_keys, weather=_CALM)
    world.bank.due = datetime.now(UTC) + timedelta(seconds=timing.TAKEOVER_AFTER - 20)
    record = world.approval()

    async def second_try() -> Record:
        ledger = world.ledger()
        # The first was killed with its claim.
        claim = ledger.claim(await ledger.read(), claimant_of(record, Kind.SUBMIT, "task"), {}, None)
        await claim.acquire("submit")
        return await submit(world.api("task"), record, ledger, "task")

    end = world.run(second_try())
    assert end.state == state
    assert world.loop.time() < 10
    assert len(world.bank.posts) == has_keys


def test_a_dispute_is_submitted_at_once_in_calm_weather() -> None:
    for has_keys in (False, True):
        counts = play(range(50), has_keys=has_keys, weather=_CALM)
        assert counts["submitted"] == 50
        assert counts["doubles"] == counts["altered"] == counts["false ends"] == 0
        assert not counts["state unknown"]


def _settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TAKEOVER_AFTER", timing.WRITE_WITHIN + 10.0)


def _check_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.LinkClaim, "check", lambda self, operation: None)


def _let_all_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    create = StormyStore.create

    def overwrite(self: StormyStore, path: str, content: bytes) -> bool:
        if not path.endswith("/1"):
            self.inner.files.pop(path, None)
        return create(self, path, content)

    monkeypatch.setattr(StormyStore, "create", overwrite)


def _let_all_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        StormyStore, "create", lambda self, path, content: self.inner.create(path, content) or True
    )


def _give_all_one_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.secrets, "token_hex", lambda length: "0")


@pytest.mark.parametrize(
    "knock_out",
    [_settle_at_once, _check_nothing, _let_all_take_over, _let_all_take, _give_all_one_nonce],
    ids=["settling time", "check", "takeover lock", "lock", "nonce"],
)
def test_each_safeguard_is_missed(knock_out: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        knock_out(monkeypatch)
        caught = next(_doubles(range(_PATIENCE)), None)
    print(f"caught after {caught} schedules")
    assert caught is not None


def _doubles(seeds: range) -> Iterator[int]:
    """Yield after how many schedules a double or altered send was seen."""
    for played in count(0, 50):
        if played >= len(seeds):
            return
        counts = play(seeds[played : played + 50], has_keys=False, weather=_STORM)
        if counts["doubles"] + counts["altered"]:
            yield played + 50
