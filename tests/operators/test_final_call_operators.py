"""Single operators make a final call once, and report what the dispute shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from running import Store, run
from support import Connect

from dispute_provider.contracts import contract
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConflictError,
    InvalidRequestError,
)
from dispute_provider.operators.moov import MoovAcceptDisputeOperator, MoovSubmitDisputeEvidenceOperator
from dispute_provider.operators.request import RequestOperator, form
from dispute_provider.operators.stripe import StripeCloseDisputeOperator, StripeUpdateDisputeOperator
from dispute_provider.sandbox import Sandbox
from dispute_provider.transport import timeouts
from dispute_provider.transport.client import Client
from dispute_provider.workflow import final_call

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
    monkeypatch.setattr(final_call, "LOOK_AGAIN_AFTER", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)


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
    sandbox.settings(permissive=True)
    sandbox.fault(effect="delay", operation=kind.operation, seconds=0.8)
    store, operator = Store(), kind.make(dispute)
    sent = threading.Event()
    first = threading.Thread(target=lambda: run(operator, store=Noted(store, sent)), daemon=True)
    first.start()
    assert sent.wait(5)
    answer = run(operator, 2, store)
    first.join(10)
    assert answer["status"] == kind.status
    assert done(sandbox, kind) == 1


class Noted(Store):
    """A store whose first note sets an event; what follows it reaches nobody, as after a kill."""

    def __init__(self, store: Store, event: threading.Event) -> None:
        self._store, self._event = store, event

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if not self._event.is_set():
            self._store.set(key, value)
            self._event.set()

    def delete(self, key: str) -> None:
        """Leave the note."""


@pytest.mark.parametrize(
    "status", [202, 204, 303, 307, 400, 402, 403, 404, 408, 409, 422, 425, 429, 451, 503]
)
def test_a_call_that_was_carried_out_succeeds_whatever_was_answered(
    status: int, kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.fault(
        effect="status", operation=kind.operation, status=status, after=True, headers={"Retry-After": "0"}
    )
    assert run(kind.make(dispute), store=Store())["status"] == kind.status
    assert done(sandbox, kind) == 1
    assert f"{kind.operation} {dispute}: " in log(capsys)
    if kind.api == "moov":
        assert len(sandbox.journal(operation=kind.operation)) == 1


@pytest.mark.parametrize("effect", ["drop-after", "truncate", "wrong-json", "wrong-type", "repeat"])
def test_an_unclear_answer_is_followed_by_a_reading(
    effect: str, kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.fault(effect=effect, operation=kind.operation)
    assert run(kind.make(dispute), store=Store())["status"] == kind.status
    assert done(sandbox, kind) == 1
    if kind.api == "moov":
        line = f"{kind.operation} {dispute}: confirmed by reading back after: "
        text = log(capsys)
        assert line in text
        assert sandbox.journal(operation="getDispute")[-1]["request_id"] in text


@pytest.mark.parametrize(
    ("status", "error"), [(400, InvalidRequestError), (409, ConflictError), (500, AmbiguousError)]
)
def test_a_call_that_was_not_carried_out_fails_as_answered_and_names_the_reading(
    status: int, error: type[ApiError], kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    sandbox.fault(effect="status", operation=kind.operation, status=status, times=None)
    with pytest.raises(error, match=f"dispute {dispute}, read after that, does not show it") as failed:
        run(kind.make(dispute), store=Store())
    assert failed.value.status == status
    assert done(sandbox, kind) == 0


@pytest.mark.parametrize("kind", [KINDS[name] for name in MOOV], ids=MOOV)
def test_after_a_429_it_reads_before_it_sends_again(kind: Kind, sandbox: Sandbox, dispute: str) -> None:
    limited = {"effect": "status", "status": 429, "headers": {"Retry-After": "0"}}
    sandbox.fault(operation=kind.operation, times=2, **limited)
    assert run(kind.make(dispute), store=Store())["status"] == kind.status
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

    async def pause(seconds: float) -> None:
        if seconds == 7:
            sandbox.edit_dispute(dispute, status="won")

    monkeypatch.setattr(Client, "sleep", staticmethod(pause))
    with pytest.raises(ConflictError, match="won"):
        run(kind.make(dispute), store=Store())
    assert len(sandbox.journal(operation=kind.operation)) == 1


def test_a_first_try_of_an_answered_dispute_fails_and_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    run(kind.make(dispute), store=Store())
    sandbox.clear_journal()
    with pytest.raises(ConflictError, match=f"{dispute} takes no answer.*{kind.status}.*nothing was sent"):
        run(kind.make(dispute), store=Store())
    assert sandbox.journal(operation=kind.operation) == []


def test_a_cleared_task_that_succeeded_returns_the_dispute_and_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, operator = Store(), kind.make(dispute)
    run(operator, store=store)
    assert run(operator, 2, store)["status"] == kind.status
    assert len(sandbox.journal(operation=kind.operation)) == 1
    assert "this try sent nothing" in log(capsys)


def test_a_cleared_task_whose_dispute_is_open_again_sends_nothing(
    kind: Kind, sandbox: Sandbox, dispute: str
) -> None:
    store, operator = Store(), kind.make(dispute)
    run(operator, store=store)
    sandbox.edit_dispute(dispute, status={"moov": "response-needed", "stripe": "needs_response"}[kind.api])
    with pytest.raises(AmbiguousError, match="this try sent nothing"):
        run(operator, 2, store)
    assert len(sandbox.journal(operation=kind.operation)) == 1


def test_a_refused_call_leaves_nothing_to_wait_for(
    kind: Kind, sandbox: Sandbox, dispute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    sandbox.fault(effect="status", operation=kind.operation, status=400)
    with pytest.raises(InvalidRequestError):
        run(kind.make(dispute), store=store)
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 3600.0)
    assert run(kind.make(dispute), 2, store)["status"] == kind.status


def test_the_wait_counts_from_when_the_call_was_noted(
    sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("moov")
    kind = KINDS["moov submit"]
    dispute = sandbox.create_dispute(api="moov", evidence=EVIDENCE["moov"])["id"]
    store = Store()
    sandbox.fault(effect="drop-before", operation=kind.operation)
    with pytest.raises(AmbiguousError):
        run(kind.make(dispute), store=store)
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(Client, "sleep", staticmethod(pause))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 180.0)
    assert run(kind.make(dispute), 2, store)["status"] == kind.status
    assert 0 < sum(waited) < 180
    assert done(sandbox, kind) == 1


def test_a_store_that_fails_after_the_call_hides_nothing(kind: Kind, sandbox: Sandbox, dispute: str) -> None:
    class Failing(Store):
        def set(self, key: str, value: Any, *, retention: Any = None) -> None:
            if done(sandbox, kind):
                raise ConnectionError("the API server is away")
            super().set(key, value)

    assert run(kind.make(dispute), store=Failing())["status"] == kind.status


def test_a_store_that_fails_before_the_call_prevents_it(kind: Kind, sandbox: Sandbox, dispute: str) -> None:
    class Failing(Store):
        def set(self, key: str, value: Any, *, retention: Any = None) -> None:
            raise ConnectionError("the API server is away")

    with pytest.raises(ConnectionError):
        run(kind.make(dispute), store=Failing())
    assert sandbox.journal(operation=kind.operation) == []


class TestFromAForm:
    """The DAGs for single requests keep to the same rules."""

    def request(self, kind: Kind, dispute: str, try_number: int, store: Store) -> Any:
        operation = contract.load(kind.api)[kind.operation]
        params = {name: param.value for name, param in form(operation).items()}
        params |= {"dry_run": False, "confirm": dispute, "dispute": dispute, "disputeID": dispute}
        params |= {"submit": True, "evidence.customer_name": "Zoë"}
        operator = RequestOperator(task_id="request", api=kind.api, operation_id=kind.operation)
        return run(operator, try_number, store, params=params)

    def test_it_sends_once(self, kind: Kind, sandbox: Sandbox, dispute: str) -> None:
        store = Store()
        sandbox.fault(effect="status", operation=kind.operation, status=429, after=True)
        for try_number in (1, 2):
            assert self.request(kind, dispute, try_number, store)["answer"]["status"] == kind.status
        assert done(sandbox, kind) == 1
        with pytest.raises(ConflictError):
            self.request(kind, dispute, 1, Store())
        assert done(sandbox, kind) == 1
