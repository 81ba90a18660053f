"""Single operators make a final call once, and report what the dispute shows."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from faults_page import rows
from running import run
from sending import Killed, deliver, kept_back
from support import Connect, chains_of, pass_time

from dispute_provider._contracts import contract
from dispute_provider._ledger import timing
from dispute_provider._ledger.stores import FolderStore
from dispute_provider._tasks.retry import ApiRetryPolicy
from dispute_provider._transport import timeouts
from dispute_provider._transport.client import Client
from dispute_provider._transport.transport import HttpResponse
from dispute_provider._workflow.sending import final_call
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    DisputeError,
    InvalidRequestError,
    TryAgainError,
)
from dispute_provider.operators.moov import MoovAcceptDisputeOperator, MoovSubmitDisputeEvidenceOperator
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.operators.stripe import StripeCloseDisputeOperator, StripeUpdateDisputeOperator
from dispute_provider.sandbox import Sandbox

_SINGLE = (
    "A single operator submits, concedes or accepts, and its answer is lost or is no readable success; "
    "or its worker is killed"
)
SINGLE_CALL = rows()[_SINGLE]
SINGLE_CALL_TOO_LATE = rows()[
    f"{_SINGLE} … and the dispute was answered or closed before the task's first try, "
    "or is open again after an earlier try"
]
EVIDENCE = {"stripe": {"customer_name": "Zoë"}, "moov": {"cover-letter": "We sent it."}}


@dataclass(frozen=True)
class Kind:
    """A final call, the operator that makes it, and the status that it leads to."""

    api: str
    operation: str
    make: Callable[[str], BaseOperator]
    status: str


KINDS = {
    "moov submit": Kind(
        "moov",
        "submitDisputeEvidence",
        lambda dispute: MoovSubmitDisputeEvidenceOperator(task_id="submit", dispute_id=dispute),
        "under-review",
    ),
    "moov accept": Kind(
        "moov",
        "acceptDispute",
        lambda dispute: MoovAcceptDisputeOperator(task_id="accept", dispute_id=dispute),
        "accepted",
    ),
    "stripe submit": Kind(
        "stripe",
        "PostDisputesDispute",
        lambda dispute: StripeUpdateDisputeOperator(task_id="submit", dispute=dispute, submit=True),
        "under_review",
    ),
    "stripe close": Kind(
        "stripe",
        "PostDisputesDisputeClose",
        lambda dispute: StripeCloseDisputeOperator(task_id="close", dispute=dispute),
        "lost",
    ),
}
MOOV = [name for name in KINDS if name.startswith("moov")]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def dispute(kind: Kind, sandbox: Sandbox, connect: Connect) -> str:
    connect(kind.api)
    return str(sandbox.create_dispute(api=kind.api, evidence=EVIDENCE[kind.api])["id"])


def done(sandbox: Sandbox, kind: Kind) -> int:
    """How many requests of this kind were carried out."""
    return sum(1 for entry in sandbox.journal(operation=kind.operation) if entry["changed"])


def log(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_killed_try_and_the_next_one_send_once(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker is gone, its request is not: it arrives while the second try runs."""
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 1.5)
    monkeypatch.setattr(timing, "TAKEOVER_AFTER", 1.5)
    monkeypatch.setattr(Client, "sleep", staticmethod(asyncio.sleep))
    sandbox.settings(permissive=True)
    sandbox.fault(effect="delay", operation=kind.operation, seconds=0.8)
    operator, task = kind.make(dispute), uuid.uuid4().hex
    first = multiprocessing.get_context("fork").Process(target=lambda: run(operator, run_id=task))
    first.start()
    while not takes(sandbox):
        assert first.is_alive()
    first.kill()
    answer = run(operator, 2, run_id=task)
    assert answer["status"] == kind.status
    assert done(sandbox, kind) == 1


def takes(sandbox: Sandbox) -> list[Path]:
    """The claims that stand in the ledger."""
    return [*chains_of(sandbox).glob("*/*/*/*")]


def ends(sandbox: Sandbox) -> list[str]:
    """Return the states that the links in the ledger ended with."""
    signed = [json.loads(path.read_bytes())["signed"] for path in takes(sandbox)]
    return [facts["state"] for facts in signed if facts["what"] == "end"]


@pytest.mark.parametrize("kind", [KINDS["stripe submit"], KINDS["stripe close"]], ids=["submit", "close"])
def test_while_the_api_executes_a_killed_try_s_call_the_next_try_claims_nothing_about_it(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = kind.make(dispute)
    late = kept_back(monkeypatch)
    with pytest.raises(Killed):
        run(operator)
    in_use = {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use."}}
    sandbox.fault(effect="status", operation=kind.operation, status=409, body=in_use, times=None)
    with pytest.raises(TryAgainError, match="read after that, does not show it") as waiting:
        run(operator, 2)
    assert SINGLE_CALL.quotes(str(waiting.value))
    assert ApiRetryPolicy().evaluate(waiting.value, 2, 3).retry_delay == timedelta(
        seconds=timing.TAKEOVER_AFTER
    )
    assert ends(sandbox) == []
    sandbox.clear_faults()
    deliver(late.pop())
    assert run(operator, 3)["status"] == kind.status
    assert done(sandbox, kind) == 1
    assert ends(sandbox) == [{"submit": "submitted", "close": "conceded"}[operator.task_id]]


def test_the_try_after_a_killed_one_reports_that_the_call_arrived(
    kind: Kind,
    sandbox: Sandbox,
    dispute: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    operator = kind.make(dispute)
    late = kept_back(monkeypatch)
    with pytest.raises(Killed):
        run(operator)
    deliver(late.pop())
    assert run(operator, 2)["status"] == kind.status
    assert done(sandbox, kind) == 1
    text = log(capsys)
    assert SINGLE_CALL.quotes(text)
    assert "this try sent nothing" in text


@pytest.mark.parametrize("refusal", [400, 404, 422])
def test_a_call_that_a_gateway_refused_and_delivers_later_is_seen(
    refusal: int, kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = kept_back(monkeypatch, HttpResponse(refusal, {}, b""))
    sleep = Client.sleep

    async def pause(seconds: float) -> None:
        await sleep(seconds)
        if seconds > 100:
            deliver(late[0])

    monkeypatch.setattr(Client, "sleep", staticmethod(pause))
    assert run(kind.make(dispute))["status"] == kind.status
    assert done(sandbox, kind) == 1


@pytest.mark.parametrize(
    "status", [202, 204, 303, 307, 400, 402, 403, 404, 408, 409, 422, 425, 429, 451, 503]
)
def test_a_call_that_was_carried_out_succeeds_whatever_was_answered(
    status: int, kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.fault(
        effect="status", operation=kind.operation, status=status, after=True, headers={"Retry-After": "0"}
    )
    assert run(kind.make(dispute))["status"] == kind.status
    assert done(sandbox, kind) == 1
    assert f"{kind.operation} {dispute}: " in log(capsys)
    if kind.api == "moov":
        assert len(sandbox.journal(operation=kind.operation)) == 1


@pytest.mark.parametrize("effect", ["drop-after", "truncate", "wrong-json", "wrong-type", "repeat"])
def test_an_unclear_answer_is_followed_by_a_reading(
    effect: str, kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.fault(effect=effect, operation=kind.operation)
    assert run(kind.make(dispute))["status"] == kind.status
    assert done(sandbox, kind) == 1
    if kind.api == "moov":
        line = f"{kind.operation} {dispute}: confirmed by reading back after: "
        text = log(capsys)
        assert line in text
        assert sandbox.journal(operation="getDispute")[-1]["request_id"] in text


NOT_CARRIED_OUT = [
    *((name, 400, InvalidRequestError, "refused") for name in KINDS),
    *((name, 409, ConflictError, "unknown") for name in MOOV),
    *((name, 500, AmbiguousError, "unknown") for name in KINDS),
]


@pytest.mark.parametrize(
    ("kind", "status", "error", "state"), [(KINDS[name], *rest) for name, *rest in NOT_CARRIED_OUT]
)
def test_a_call_that_was_not_carried_out_fails_as_answered_and_names_the_reading(
    status: int, error: type[ApiError], state: str, kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    sandbox.fault(effect="status", operation=kind.operation, status=status, times=None)
    with pytest.raises(error, match=f"dispute {dispute}, read after that, does not show it") as failed:
        run(kind.make(dispute))
    assert failed.value.status == status
    assert done(sandbox, kind) == 0
    assert ends(sandbox) == [state]


@pytest.mark.parametrize("kind", [KINDS[name] for name in MOOV], ids=MOOV)
def test_after_a_429_it_reads_before_it_sends_again(kind: Kind, sandbox: Sandbox, dispute: str) -> None:
    limited = {"effect": "status", "status": 429, "headers": {"Retry-After": "0"}}
    sandbox.fault(operation=kind.operation, times=2, **limited)
    assert run(kind.make(dispute))["status"] == kind.status
    asked = [entry["operation"] for entry in sandbox.journal()]
    first, second, third = (place for place, name in enumerate(asked) if name == kind.operation)
    assert "getDispute" in asked[first:second]
    assert "getDispute" in asked[second:third]


@pytest.mark.parametrize("kind", [KINDS[name] for name in MOOV], ids=MOOV)
def test_somebody_else_answers_during_the_pause_after_a_429(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = {"effect": "status", "status": 429, "headers": {"Retry-After": "7"}}
    sandbox.fault(operation=kind.operation, **limited)

    sleep = Client.sleep

    async def pause(seconds: float) -> None:
        if seconds >= 7:
            sandbox.edit_dispute(dispute, status="won")
        await sleep(seconds)

    monkeypatch.setattr(Client, "sleep", staticmethod(pause))
    with pytest.raises(ConflictError, match="won"):
        run(kind.make(dispute))
    assert len(sandbox.journal(operation=kind.operation)) == 1


def test_a_first_try_of_an_answered_dispute_fails_and_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    run(kind.make(dispute))
    sandbox.clear_journal()
    with pytest.raises(ConflictError, match=f"{dispute} cannot be answered.*{kind.status}.*nothing was sent"):
        run(kind.make(dispute))
    assert sandbox.journal(operation=kind.operation) == []


def test_a_cleared_task_that_succeeded_returns_the_dispute_and_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task, operator = uuid.uuid4().hex, kind.make(dispute)
    run(operator, run_id=task)
    assert run(operator, 2, run_id=task)["status"] == kind.status
    assert len(sandbox.journal(operation=kind.operation)) == 1
    assert "this try sent nothing" in log(capsys)


def test_a_cleared_task_whose_dispute_is_open_again_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    task, operator = uuid.uuid4().hex, kind.make(dispute)
    run(operator, run_id=task)
    sandbox.edit_dispute(dispute, status={"moov": "response-needed", "stripe": "needs_response"}[kind.api])
    with pytest.raises(AmbiguousError, match="this try sent nothing") as failed:
        run(operator, 2, run_id=task)
    assert SINGLE_CALL_TOO_LATE.quotes(str(failed.value))
    assert len(sandbox.journal(operation=kind.operation)) == 1
    sandbox.edit_dispute(dispute, due_in=86_400 * 9)
    assert run(kind.make(dispute))["status"] == kind.status, "a new stage, which has its own due date"


def test_a_refused_call_can_be_made_again(kind: Kind, sandbox: Sandbox, dispute: str) -> None:
    task = uuid.uuid4().hex
    sandbox.fault(effect="status", operation=kind.operation, status=400)
    with pytest.raises(InvalidRequestError):
        run(kind.make(dispute), run_id=task)
    assert run(kind.make(dispute), 2, run_id=task)["status"] == kind.status


def test_the_wait_counts_from_when_the_call_was_noted(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("moov")
    kind = KINDS["moov submit"]
    dispute = sandbox.create_dispute(api="moov", evidence=EVIDENCE["moov"])["id"]
    task = uuid.uuid4().hex
    sandbox.fault(effect="drop-before", operation=kind.operation)
    with pytest.raises(AmbiguousError):
        run(kind.make(dispute), run_id=task)
    waited = pass_time(monkeypatch)
    assert run(kind.make(dispute), 2, run_id=task)["status"] == kind.status
    assert timing.TAKEOVER_AFTER - 5 < sum(waited) < timing.TAKEOVER_AFTER + 15
    assert done(sandbox, kind) == 1


def test_a_ledger_that_fails_after_the_call_hides_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = FolderStore.create

    def fail(self: FolderStore, path: str, content: bytes) -> bool:
        if done(sandbox, kind):
            raise ConnectionError("the share is away")
        return create(self, path, content)

    monkeypatch.setattr(FolderStore, "create", fail)
    assert run(kind.make(dispute))["status"] == kind.status


def test_a_ledger_that_fails_before_the_call_prevents_it(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FolderStore, path: str, content: bytes) -> bool:
        raise ConnectionError("the share is away")

    run(kind.make(str(sandbox.create_dispute(api=kind.api, evidence=EVIDENCE[kind.api])["id"])))
    sandbox.clear_journal()
    monkeypatch.setattr(FolderStore, "create", fail)
    with pytest.raises(DisputeError, match="the ledger cannot be written: ConnectionError"):
        run(kind.make(dispute))
    assert sandbox.journal(operation=kind.operation) == []


class TestFromAForm:
    """The DAGs for single requests keep to the same rules."""

    def request(self, kind: Kind, dispute: str, try_number: int, task: str) -> Any:
        operation = contract.load(kind.api)[kind.operation]
        params = {name: param.value for name, param in form(operation).items()}
        params |= {"dry_run": False, "confirm": dispute, "dispute": dispute, "disputeID": dispute}
        params |= {"submit": True, "evidence.customer_name": "Zoë"}
        operator = RequestOperator(task_id="request", api=kind.api, operation_id=kind.operation)
        return run(operator, try_number, run_id=task, params=params)

    def test_it_sends_once(self, kind: Kind, sandbox: Sandbox, dispute: str) -> None:
        task = uuid.uuid4().hex
        sandbox.fault(effect="status", operation=kind.operation, status=429, after=True)
        for try_number in (1, 2):
            assert self.request(kind, dispute, try_number, task)["answer"]["status"] == kind.status
        assert done(sandbox, kind) == 1
        with pytest.raises(ConflictError):
            self.request(kind, dispute, 1, uuid.uuid4().hex)
        assert done(sandbox, kind) == 1
