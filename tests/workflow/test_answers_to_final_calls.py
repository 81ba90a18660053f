"""Final calls whose answer is wrong or whose request a proxy repeats, from the case to the receipt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows import contest
from support import pass_time

from dispute_provider._transport import timeouts
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

# What a gateway, a proxy or the API itself can answer after the call was carried out.
STATUSES = (202, 204, 303, 307, 400, 401, 402, 403, 404, 408, 410, 422, 425, 429, 451, 500, 503)
FAULTS: dict[str, dict[str, Any]] = {
    "repeated by a proxy": {"effect": "repeat"},
    "repeated twice by a proxy": {"effect": "repeat", "copies": 2},
    **{
        str(status): {"effect": "status", "status": status, "after": True, "headers": {"Retry-After": "0"}}
        for status in STATUSES
    },
}
OPERATIONS = {
    ("stripe", "submit"): "PostDisputesDispute",
    ("stripe", "concede"): "PostDisputesDisputeClose",
    ("moov", "submit"): "submitDisputeEvidence",
    ("moov", "concede"): "acceptDispute",
}
STATES = {"submit": "submitted", "concede": "conceded"}
# None of these is true of a call that this run has made, or can know to be the only one.
FALSE = ("someone else submitted", "not submitted", "not conceded", "was answered", "send again")
TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}
EXTRA = {"stripe": {"rate_limit": 1000}, "moov": {"rate_limit": 1000, "account": MOOV_ACCOUNT}}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


def answer(action: str, form: dict[str, Any], disputes: list[str]) -> dict[str, Any]:
    """Return a reviewer's answer that submits or concedes all of them."""
    if action == "submit":
        return {"chosen_options": form["options"][:1], "params_input": {}}
    labels = form["params"]["concede"]["schema"]["examples"]
    given = {"concede": labels, "concede_confirm": " ".join(disputes)}
    return {"chosen_options": ["Submit none"], "params_input": given}


def wrong(
    record: dict[str, Any], receipt: dict[str, Any] | None, sandbox: Sandbox, operation: str, action: str
) -> list[str]:
    """Return what is wrong with the end of a dispute whose call was carried out once."""
    entries = sandbox.journal(operation=operation, dispute=record["dispute"])
    if operation == "PostDisputesDispute":
        # Staging makes the same call.
        entries = [entry for entry in entries if entry["body"].get("submit") in (True, "true")]
    # A request without a key counts each time; what a proxy adds to it does not.
    ours = [entry for entry in entries if entry["fault"] != "repeat"] or entries[-1:]
    sent = {entry["headers"].get("idempotency-key", entry["seq"]) for entry in ours}
    done = sum(bool(entry["changed"]) for entry in entries)
    found = []
    if record["state"] != STATES[action]:
        found.append(f"state {record['state']}")
    found += [f"reason: …{words}…" for words in FALSE if words in record["reason"]]
    if (receipt or {}).get("state") != STATES[action]:
        found.append("no receipt" if receipt is None else f"receipt with state {receipt['state']}")
    if done != 1:
        found.append(f"carried out {done} times")
    if len(sent) != 1:
        found.append(f"sent {len(sent)} times")
    return found


@pytest.mark.parametrize("action", STATES)
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_call_that_was_carried_out_has_a_receipt_for_any_answer(
    kind: str,
    action: str,
    engine: Any,
    sandbox: Sandbox,
    connect: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    operation = OPERATIONS[kind, action]
    made = sandbox.create_disputes([{"api": kind, "amount": 100} for _ in FAULTS])
    names = dict(zip((each["id"] for each in made), FAULTS, strict=True))

    def decide(form: dict[str, Any]) -> dict[str, Any]:
        for dispute, name in names.items():
            sandbox.fault(operation=operation, dispute=dispute, **FAULTS[name])
        return answer(action, form, [*names])

    cases = [
        {"provider": kind, "dispute": dispute, "evidence": {TEXT[kind]: "Signed for."}} for dispute in names
    ]
    run = engine.run(contest(cases, connect(kind, extra=EXTRA[kind])), decide)

    value = engine.result(run, "submit")
    records = json.loads(value) if isinstance(value, str) else value
    assert {record["dispute"] for record in records} == {*names}
    written = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    receipts = {receipt["dispute"]: receipt for receipt in written}
    rows = {
        names[record["dispute"]]: wrong(record, receipts.get(record["dispute"]), sandbox, operation, action)
        for record in records
    }
    assert not list(tmp_path.rglob(".*")), "nothing half-written is left"
    bad = {name: found for name, found in rows.items() if found}
    assert not bad, f"{len(bad)} of {len(rows)} rows: {bad}"
