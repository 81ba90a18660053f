"""Final calls whose answer is wrong: the dispute itself decides what became of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
import steps
from drivers import Driver, Work
from support import Connect, pass_time

from dispute_provider._apis.api import Api
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.record import Record, State
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Kind
from dispute_provider._transport import timeouts
from dispute_provider._workflow.sending import final_call
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

pytestmark = pytest.mark.usefixtures("impatient")

OPERATIONS = {
    ("stripe", "submit"): "PostDisputesDispute",
    ("stripe", "concede"): "PostDisputesDisputeClose",
    ("moov", "submit"): "submitDisputeEvidence",
    ("moov", "concede"): "acceptDispute",
}
EVIDENCE = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "We sent it."}}
DONE = {"submit": State.SUBMITTED, "concede": State.CONCEDED}
# What a gateway, a proxy or the API itself can answer without saying what it did.
STATUSES = (
    202,
    204,
    301,
    302,
    303,
    307,
    308,
    400,
    401,
    402,
    403,
    404,
    408,
    409,
    410,
    422,
    425,
    429,
    451,
    500,
    504,
)
NAMED = {
    400: "refused",
    402: "refused",
    404: "refused",
    422: "refused",
    401: "held",
    403: "held",
    429: "held",
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


@pytest.fixture(params=["stripe", "moov"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["submit", "concede"])
def action(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stage(api: str, driver: Driver, sandbox: Sandbox) -> Record:
    dispute = sandbox.create_dispute(api=api)["id"]
    case = Case.parse({"provider": api, "dispute": dispute, "evidence": EVIDENCE[api]})
    record = Record(api, f"{api}_default", dispute, State.STAGED, "")
    [staged] = driver.run(api, lambda an_api: steps.stage(an_api, case, {}, record))
    sandbox.clear_journal()
    return staged  # type: ignore[no-any-return]  # a driver returns what its steps do


def act(action: str, record: Record) -> Work:
    step = steps.submit if action == "submit" else steps.concede
    return lambda api: step(api, record)


def happened(sandbox: Sandbox, record: Record, action: str) -> int:
    if action == "submit":
        return len(sandbox.dispute(record.dispute)["submissions"])
    return int(sandbox.dispute(record.dispute)["status"] in ("lost", "accepted"))


@pytest.mark.parametrize("status", STATUSES)
def test_a_call_that_was_carried_out_is_ours_for_any_answer(
    status: int, api: str, action: str, driver: Driver, sandbox: Sandbox
) -> None:
    record = stage(api, driver, sandbox)
    operation = OPERATIONS[api, action]
    sandbox.fault(
        operation=operation, effect="status", status=status, after=True, headers={"Retry-After": "0"}
    )
    [end] = driver.run(api, act(action, record))
    assert end.state == DONE[action], end.reason
    assert happened(sandbox, record, action) == 1
    if api == "moov":
        assert len(sandbox.journal(operation=operation)) == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_call_that_was_not_carried_out_ends_by_its_answer(
    status: int, api: str, action: str, driver: Driver, sandbox: Sandbox
) -> None:
    record = stage(api, driver, sandbox)
    operation = OPERATIONS[api, action]
    sandbox.fault(
        operation=operation, effect="status", status=status, times=None, headers={"Retry-After": "0"}
    )
    [end] = driver.run(api, act(action, record))
    named = NAMED.get(status, "held" if (api, status) == ("stripe", 409) else "unknown")
    assert end.state == named, end.reason
    assert happened(sandbox, record, action) == 0


def test_a_request_that_a_proxy_repeats_is_ours(
    api: str, action: str, driver: Driver, sandbox: Sandbox
) -> None:
    record = stage(api, driver, sandbox)
    sandbox.fault(operation=OPERATIONS[api, action], effect="repeat")
    [end] = driver.run(api, act(action, record))
    assert end.state == DONE[action], end.reason
    assert happened(sandbox, record, action) == 1
    assert "someone else submitted" not in end.reason


@pytest.mark.parametrize("after", [2, 9], ids=["carried out at last", "never"])
def test_at_moov_a_429_is_followed_by_a_reading_before_the_call_is_made_again(
    after: int, action: str, driver: Driver, sandbox: Sandbox
) -> None:
    record = stage("moov", driver, sandbox)
    operation = OPERATIONS["moov", action]
    sandbox.fault(operation=operation, effect="status", status=429, times=after, headers={"Retry-After": "0"})
    [end] = driver.run("moov", act(action, record))
    asked = [entry["operation"] for entry in sandbox.journal()]
    places = [place for place, name in enumerate(asked) if name == operation]
    assert len(places) == min(after + 1, 4)
    for one, other in pairwise(places):
        assert "getDispute" in asked[one:other]
    assert end.state == (DONE[action] if after == 2 else State.HELD)
    assert happened(sandbox, record, action) == (after == 2)


def test_a_429_with_a_long_pause_is_retried_by_airflow(action: str, driver: Driver, sandbox: Sandbox) -> None:
    record = stage("moov", driver, sandbox)
    operation = OPERATIONS["moov", action]
    sandbox.fault(operation=operation, effect="status", status=429, headers={"Retry-After": "3600"})
    [end] = driver.run("moov", act(action, record))
    assert (end.state, end.retry_after) == (State.HELD, 3600)
    assert len(sandbox.journal(operation=operation)) == 1


def test_a_key_that_is_in_use_is_tried_again_later(action: str, driver: Driver, sandbox: Sandbox) -> None:
    record = stage("stripe", driver, sandbox)
    sandbox.fault(operation=OPERATIONS["stripe", action], effect="status", status=409, times=None)
    [end] = driver.run("stripe", act(action, record))
    assert (end.state, end.retry_after) == (State.HELD, timing.TAKEOVER_AFTER)


def test_an_old_token_is_renewed_and_the_dispute_read_before_the_call_is_made_again(
    action: str, driver: Driver, sandbox: Sandbox, connect: Connect
) -> None:
    record = stage("moov", driver, sandbox)
    connect("moov", extra={"account": MOOV_ACCOUNT, "auth": "oauth2", "rate_limit": 1000})
    operation = OPERATIONS["moov", action]
    sandbox.fault(operation=operation, effect="status", status=401)
    [end] = driver.run("moov", act(action, record))
    assert end.state == DONE[action], end.reason
    asked = [entry["operation"] for entry in sandbox.journal()]
    assert "getDispute" in asked[asked.index(operation) : len(asked) - asked[::-1].index(operation) - 1]


def test_after_a_failed_connection_nothing_is_read_back(
    api: str, action: str, driver: Driver, sandbox: Sandbox, connect: Connect
) -> None:
    record = stage(api, driver, sandbox)
    connect(api, host="http://127.0.0.1:9")
    [end] = driver.run(api, act(action, record))
    assert end.state == State.HELD
    assert end.retry_after is not None


def test_a_concession_waits_until_an_earlier_one_has_settled(
    api: str, driver: Driver, sandbox: Sandbox
) -> None:
    record = stage(api, driver, sandbox)

    async def arriving_late(an_api: Api) -> Record:
        await steps.claim(an_api, record, Kind.CONCEDE, "a task")
        sleep = an_api.client.sleep

        async def wait(seconds: float) -> None:
            sandbox.edit_dispute(record.dispute, status={"stripe": "lost", "moov": "accepted"}[api])
            await sleep(seconds)

        an_api.client.sleep = wait  # type: ignore[method-assign]
        return await steps.concede(an_api, record, "a task")

    [end] = driver.run(api, arriving_late)
    assert end.state == State.CONCEDED
    assert len(sandbox.journal(operation=OPERATIONS[api, "concede"])) == (api == "stripe")
