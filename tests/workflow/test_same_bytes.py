"""Tasks of the workflow send, byte for byte, what the single operators send."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import papers
import pytest
from flows import contest
from running import run
from support import forget_chains, pass_time

from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.request import Request
from dispute_provider._transport import timeouts
from dispute_provider._transport.client import Client
from dispute_provider._transport.transport import HttpRequest
from dispute_provider.exceptions import DisputeError
from dispute_provider.operators import moov, stripe
from dispute_provider.operators._api import ApiOperator
from dispute_provider.sandbox import Sandbox

IDS = {"stripe": "du_1", "moov": "5a4db0c5-0b0e-4c3b-8f5e-5a0db0c50077"}
EVIDENCE = {
    "stripe": {
        "access_activity_log": "11-01 10:00 login\n11-02 download",
        "customer_name": "Zoë & Søn",
        "product_description": "{{ conn.x }} & 100% wool",
        "refund_refusal_explanation": "§ 4: worn goods 😀",
        "uncategorized_text": "Signed for & kept: «yes»; a[b]=c&d",
        "receipt": {"file": "a.pdf"},
    },
    "moov": {
        "cover-letter": "Signed for & kept: «yes»\n{{ conn.x }} & 100% wool 😀",
        "receipt": {"file": "a.pdf"},
    },
}
# The least that the workflow sends.
SENT = {
    ("stripe", "submit"): {"GetDisputesDispute", "PostFiles", "PostDisputesDispute"},
    ("stripe", "concede"): {
        "GetDisputesDispute", "PostFiles", "PostDisputesDispute", "PostDisputesDisputeClose",
    },
    ("moov", "submit"): {
        "getAccount", "getDispute", "listDisputeEvidence", "uploadDisputeEvidenceFile",
        "uploadDisputeEvidenceText", "submitDisputeEvidence",
    },
    ("moov", "concede"): {
        "getAccount", "getDispute", "listDisputeEvidence", "uploadDisputeEvidenceFile",
        "uploadDisputeEvidenceText", "acceptDispute",
    },
}  # fmt: skip
OF_THE_CONNECTION = {"Stripe-Version", "x-moov-version"}
SINGLE: dict[str, type[ApiOperator]] = {
    found.operation_id: found
    for module in (stripe, moov)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, ApiOperator) and hasattr(found, "operation_id")
}


def bytes_of(entry: dict[str, Any]) -> dict[str, Any]:
    headers = {name: value for name, value in entry["headers"].items() if name != "host"}
    return {**{name: entry[name] for name in ("method", "path", "query", "raw_body")}, "headers": headers}


def set_up(sandbox: Sandbox, api: str) -> None:
    sandbox.reset()
    forget_chains(sandbox)
    sandbox.create_dispute(api=api, id=IDS[api], amount=100)


def make_again(request: Request, folder: Path) -> None:
    """Make a call by its single operator."""
    names = request.operation.python_names
    given = {names[name]: value for name, value in request.arguments.items() if name not in OF_THE_CONNECTION}
    if isinstance(given.get("file"), FilePart):
        path = folder / "again.pdf"
        path.write_bytes(given["file"].content)
        given |= {"file": str(path), "filename": given["file"].filename}
    operator = SINGLE[request.operation.id](task_id="single", **given)
    with suppress(DisputeError):
        run(operator)


@pytest.mark.parametrize(("kind", "action"), SENT)
def test_a_task_sends_what_the_single_operator_sends(
    kind: str,
    action: str,
    engine: Any,
    sandbox: Sandbox,
    connect: Any,
    cases: Path,
    outgoing: list[HttpRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)
    connect(kind)
    set_up(sandbox, kind)
    (cases / "a.pdf").write_bytes(papers.pdf(1))
    requests: list[Request] = []
    send = Client.send

    async def recorded(self: Client, request: Request, *rest: Any) -> Any:
        requests.append(request)
        return await send(self, request, *rest)

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        if action == "submit":
            return {"chosen_options": form["options"][:1], "params_input": {}}
        conceded = {"concede_confirm": IDS[kind]}
        return {"chosen_options": form["options"][-1:], "params_input": conceded}

    case = {"provider": kind, "dispute": IDS[kind], "evidence": EVIDENCE[kind]}
    (cases / "case.json").write_text(json.dumps(case))
    with monkeypatch.context() as patch:
        patch.setattr(Client, "send", recorded)
        engine.run(contest([str(cases / "case.json")], f"{kind}_default"), answer)
    arrived = [entry for entry in sandbox.journal() if entry["operation"]]
    assert [entry["operation"] for entry in arrived] == [request.operation.id for request in requests]
    assert {entry["operation"] for entry in arrived} >= SENT[kind, action]

    for entry, went_out, request in zip(arrived, list(outgoing), requests, strict=True):
        set_up(sandbox, kind)
        outgoing.clear()
        make_again(request, cases)
        again = sandbox.journal(operation=request.operation.id)[-1]
        assert bytes_of(again) == bytes_of(entry), request.operation.id
        assert went_out in outgoing, request.operation.id
