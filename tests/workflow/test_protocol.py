"""Staging and submitting against an API that fails at every point: once, and always into a named state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import steps
from drivers import Driver, Work
from msgspec.structs import replace
from support import pass_time

from dispute_provider._apis.api import Api
from dispute_provider._contracts.answers import Answer
from dispute_provider._contracts.request import Request
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import Kind
from dispute_provider._transport import timeouts
from dispute_provider._transport.claim import WriteClaim
from dispute_provider._workflow.sending import final_call
from dispute_provider.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("impatient")

PDF = Document("a.pdf", b"%PDF-1.4\n%%EOF")
INQUIRY = {"stripe": {"status": "warning_needs_response"}, "moov": {"phase": "inquiry"}}
ESCALATED = {"stripe": {}, "moov": {"phase": "chargeback"}}
SUBMIT = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}
EVIDENCE: dict[str, dict[str, Any]] = {
    "stripe": {"customer_name": "Zoë", "receipt": {"file": "a.pdf"}},
    "moov": {"cover-letter": "We sent it.", "receipt": {"file": "a.pdf"}},
}
# Each fault, and whether the submission arrived all the same.
FAULTS: list[tuple[dict[str, Any], bool]] = [
    ({"effect": "drop-after"}, True),
    ({"effect": "truncate"}, True),
    ({"effect": "wrong-json"}, True),
    ({"effect": "wrong-type"}, True),
    ({"effect": "status", "status": 504, "after": True}, True),
    ({"effect": "status", "status": 409, "after": True}, True),
    ({"effect": "status", "status": 429, "headers": {"Retry-After": "0"}}, True),
    ({"effect": "drop-before"}, False),
    ({"effect": "reset"}, False),
    ({"effect": "status", "status": 500}, False),
    ({"effect": "status", "status": 400}, False),
    ({"effect": "status", "status": 403}, False),
    ({"effect": "status", "status": 404}, False),
]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


@pytest.fixture(params=["stripe", "moov"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stage(api: str, dispute: str, driver: Driver) -> Record:
    case = Case.parse({"provider": api, "dispute": dispute, "evidence": EVIDENCE[api]})
    record = Record(api, f"{api}_default", dispute, State.STAGED, "")
    [staged] = driver.run(api, lambda an_api: steps.stage(an_api, case, {"a.pdf": PDF}, record))
    assert isinstance(staged, Record)
    return staged


def submit(record: Record) -> Work:
    return lambda api: steps.submit(api, record)


def test_a_staged_dispute_is_submitted_once_and_never_again(
    api: str, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)
    assert staged.state == State.STAGED
    assert not sandbox.dispute(dispute)["submissions"]
    states = [record.state for record in driver.run(api, submit(staged), submit(staged), submit(staged))]
    assert states == [State.SUBMITTED, State.ALREADY_SUBMITTED, State.ALREADY_SUBMITTED]
    assert len(sandbox.dispute(dispute)["submissions"]) == 1


async def overtaken(
    api: Api, operation: str, ours: Coroutine[Any, Any, Record], theirs: Coroutine[Any, Any, Record]
) -> tuple[Record, Record]:
    """Bring one submission to its send, then another one to its end, then go on with the first."""

    send, ended = api.client.send, []

    async def let_pass(request: Request, authorization: str, claim: WriteClaim | None = None) -> Answer:
        if request.operation.id == operation and not ended:
            ended.append(None)
            ended[0] = await theirs
        return await send(request, authorization, claim)

    api.client.send = let_pass  # type: ignore[method-assign]
    return await ours, ended[0]


def test_a_call_that_loses_to_a_colleague_ends_already_submitted(
    api: str, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)

    async def both(an_api: Api) -> tuple[Record, Record]:
        return await overtaken(
            an_api, SUBMIT[api], steps.submit(an_api, staged), steps.submit(an_api, staged)
        )

    [(second, first)] = driver.run(api, both)
    assert len(sandbox.dispute(dispute)["submissions"]) == 1
    assert first.state == State.SUBMITTED
    assert second.state == State.ALREADY_SUBMITTED
    assert "another final call of ours submitted it" in second.reason


@pytest.mark.parametrize(("fault", "arrives"), FAULTS, ids=lambda value: str(value)[:60])
def test_the_dispute_and_not_the_answer_decides_the_end(
    fault: dict[str, Any], arrives: bool, api: str, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)
    sandbox.clear_journal()
    sandbox.fault(operation=SUBMIT[api], **fault)
    [first] = driver.run(api, submit(staged))
    submissions = len(sandbox.dispute(dispute)["submissions"])
    assert submissions <= 1
    if arrives:
        assert submissions == 1
        assert first.state in (State.SUBMITTED, State.ALREADY_SUBMITTED)
    elif submissions == 1:
        # Stripe: sent again under the same key.
        assert first.state == State.SUBMITTED
    else:
        unsent = {400: State.REFUSED, 403: State.HELD, 404: State.REFUSED}
        assert first.state == unsent.get(fault.get("status", 0), State.UNKNOWN)
    assert first.reason
    sent = sandbox.journal(operation=SUBMIT[api])
    keys = {entry["headers"].get("idempotency-key") for entry in sent}
    assert len(keys) == 1
    if api == "moov" and fault.get("status") != 429:
        assert len(sent) == 1


@pytest.mark.parametrize(("fault", "arrives"), FAULTS[:-3], ids=lambda value: str(value)[:60])
def test_an_upload_whose_answer_was_lost_leaves_one_document(
    fault: dict[str, Any], arrives: bool, api: str, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    operation = {"stripe": "PostFiles", "moov": "uploadDisputeEvidenceFile"}[api]
    sandbox.fault(operation=operation, **fault)
    first = stage(api, dispute, driver)
    again = stage(api, dispute, driver)
    assert again.state == State.STAGED
    assert len(again.documents) == 1
    if first.state == State.STAGED:
        assert first.digest == again.digest
    changing = [entry for entry in sandbox.journal(operation=operation) if entry["changed"]]
    assert len({str(entry["body"]) for entry in changing}) == 1
    if api == "moov":
        evidence = sandbox.dispute(dispute)["evidence"]
        assert sorted(item["evidenceType"] for item in evidence) == ["cover-letter", "receipt"]


def test_a_dispute_that_cannot_be_read_is_held_and_nothing_is_sent(
    api: str, driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)
    read = {"stripe": "GetDisputesDispute", "moov": "getDispute"}[api]
    sandbox.fault(operation=read, effect="status", status=503, times=None)
    [record] = driver.run(api, submit(staged))
    assert record.state == State.HELD
    assert not sandbox.journal(submitted=True)


def test_a_call_without_a_reading_after_it_ends_unknown(api: str, driver: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)
    read = {"stripe": "GetDisputesDispute", "moov": "getDispute"}[api]
    sandbox.fault(operation=read, effect="status", status=503, times=None, nth=2)
    if api == "stripe":
        # Its answer would show the submission.
        sandbox.fault(operation=SUBMIT[api], effect="drop-after", times=None)
    [record] = driver.run(api, submit(staged))
    assert record.state == State.UNKNOWN
    assert "do not send again" in record.reason
    assert len(sandbox.dispute(dispute)["submissions"]) == 1


async def meanwhile(api: Api, record: Record, act: Callable[[], None]) -> Record:
    """Have something happen while a task waits for a submission without an answer."""
    sleep = api.client.sleep

    async def wait(seconds: float) -> None:
        if seconds == timeouts.SETTLED_AFTER:
            act()
            await asyncio.sleep(seconds)
        await sleep(seconds)

    api.client.sleep = wait  # type: ignore[method-assign]
    return await steps.submit(api, record)


def test_a_call_that_times_out_is_waited_for_and_may_answer_the_next_stage(
    api: str, driver: Driver, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute = sandbox.create_dispute(api=api, **INQUIRY[api])["id"]
    staged = stage(api, dispute, driver)
    monkeypatch.setattr(timeouts, "READ_SECONDS", 0.2)
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 1.5)
    monkeypatch.setattr(timing, "TAKEOVER_AFTER", 1.5)
    sandbox.fault(operation=SUBMIT[api], effect="delay", seconds=1.2, times=None)

    def escalate() -> None:
        sandbox.edit_dispute(dispute, submit=True)
        sandbox.edit_dispute(dispute, reopen=True, **ESCALATED[api])

    [record] = driver.run(api, lambda an_api: meanwhile(an_api, staged, escalate))
    assert [made["stage"] for made in sandbox.dispute(dispute)["submissions"]] == ["inquiry", "chargeback"]
    assert record.state == State.SUBMITTED_DIFFERS
    assert "its stage" in record.reason


@pytest.mark.parametrize(
    ("resumed", "end"), [(True, State.UNKNOWN), (False, State.ALREADY_SUBMITTED)], ids=["resumed", "first"]
)
@pytest.mark.parametrize("reopened", [False, True], ids=["at the next stage", "at the same one again"])
def test_the_answered_stage_of_a_moved_dispute_is_not_guessed(
    reopened: bool, resumed: bool, end: State, api: str, driver: Driver, sandbox: Sandbox
) -> None:
    made, moved = ({}, {"due_in": 86_400}) if reopened else (INQUIRY[api], ESCALATED[api])
    dispute = sandbox.create_dispute(api=api, **made)["id"]
    staged = stage(api, dispute, driver)
    if resumed:
        driver.run(api, lambda an_api: steps.claim(an_api, staged, Kind.SUBMIT, "a task"))
    sandbox.edit_dispute(dispute, submit=True)
    sandbox.edit_dispute(dispute, reopen=True, **moved)
    [record] = driver.run(api, lambda an_api: steps.submit(an_api, staged, "a task"))
    assert record.state == end
    assert "but the API does not show at which stage" in record.reason
    assert not sandbox.journal(submitted=True)


def test_an_answer_that_a_reopened_dispute_does_not_show_is_not_denied(
    driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="moov")["id"]
    staged = stage("moov", dispute, driver)
    driver.run("moov", lambda an_api: steps.claim(an_api, staged, Kind.SUBMIT, "a task"))
    sandbox.edit_dispute(dispute, submit=True)
    sandbox.edit_dispute(dispute, reopen=True, submittedOn=None, due_in=86_400)
    [record] = driver.run("moov", lambda an_api: steps.submit(an_api, staged, "a task"))
    assert (record.state, record.reason) == (
        State.UNKNOWN,
        "an earlier try may have sent it; since then: its due date has changed since it was approved; "
        "review it again. Check the dispute",
    )
    assert not sandbox.journal(submitted=True)


def test_a_changed_due_date_is_named_in_the_reason(api: str, driver: Driver, sandbox: Sandbox) -> None:
    dispute = sandbox.create_dispute(api=api)["id"]
    staged = stage(api, dispute, driver)
    sandbox.edit_dispute(dispute, due_in=86_400)
    [record] = driver.run(api, submit(staged))
    assert (record.state, record.reason) == (
        State.REFUSED,
        "its due date has changed since it was approved; review it again",
    )
    assert not sandbox.journal(submitted=True)


def test_a_refusal_after_a_conflict_does_not_prove_that_nothing_was_sent(
    driver: Driver, sandbox: Sandbox
) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    staged = stage("stripe", dispute, driver)
    sandbox.fault(operation=SUBMIT["stripe"], effect="status", status=409, after=True)
    sandbox.fault(operation=SUBMIT["stripe"], effect="status", status=402)
    [record] = driver.run("stripe", submit(staged))
    assert len(sandbox.dispute(dispute)["submissions"]) == 1
    assert record.state == State.SUBMITTED


OPEN = Dispute(
    "moov", None, "d", "chargeback", "response-needed", 1, False, "2026-01-01", None, None, 1, "usd", ""
)


@pytest.mark.parametrize(
    ("change", "answered"),
    [
        ({}, False),
        ({"status": "under-review", "submitted": True}, True),
        ({"submissions": 2}, True),
        # A stage that was opened again keeps its count and has only its moment to tell.
        ({"submitted_at": "2026-11-22"}, True),
        ({"stage": "appeal"}, False),
        ({"stage": "appeal", "status": "under-review", "submitted": True}, False),
    ],
)
def test_what_shows_that_a_stage_was_answered(change: dict[str, Any], answered: bool) -> None:
    assert final_call.answered(OPEN, replace(OPEN, **change)) == answered
