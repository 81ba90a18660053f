"""Count the calls of each task, from the sandbox's journal."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from contesting import Contest
from papers import pdf
from running import run
from sweeping import Sweep, write_case

from bench import calls as counted
from dispute_provider import StageEvidenceOperator
from dispute_provider._ledger.ledger import DisputeLedger
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

YEAR = 365 * 86_400
READ = ["GetDisputesDispute"]
READ_MOOV = ["getDispute", "listDisputeEvidence"]


class Calls:
    """The calls since the last count; Moov's check of the connection, once per task, is left out."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._counted = 0
        self.count()

    def count(self) -> Counter[str]:
        made = [entry["operation"] for entry in self._sandbox.journal()]
        new, self._counted = made[self._counted :], len(made)
        return Counter(name for name in new if name != "getAccount")


def test_a_dispute_at_stripe_takes_five_calls(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    run = Contest("stripe", sandbox.create_dispute(api="stripe")["id"])
    calls = Calls(sandbox)
    staged = run.stage()
    assert calls.count() == Counter([*READ, "PostDisputesDispute"])
    approved = run.ask(staged)
    assert calls.count() == Counter(READ)
    assert run.submit(approved)["state"] == "submitted"
    assert calls.count() == Counter([*READ, "PostDisputesDispute"])


def test_three_documents_take_three_more_calls(sandbox: Sandbox, connect: Any, cases: Path) -> None:
    connect("stripe")
    dispute = sandbox.create_dispute(api="stripe")["id"]
    names = ("receipt", "shipping_documentation", "customer_communication")
    for number, name in enumerate(names, 1):
        (cases / f"{name}.pdf").write_bytes(pdf(number))
    run = Contest("stripe", dispute, folder=str(cases))
    run.evidence |= {name: {"file": f"{name}.pdf"} for name in names}
    calls = Calls(sandbox)
    assert run.submit(run.ask(run.stage()))["state"] == "submitted"
    made = calls.count()
    assert made == Counter({"PostFiles": 3, "GetDisputesDispute": 3, "PostDisputesDispute": 2})


def stage_facts(sandbox: Sandbox) -> StageEvidenceOperator:
    dispute = sandbox.create_dispute(api="stripe", reason="product_not_received")["id"]
    shipment = {"carrier": "UPS", "date": "2026-03-01", "tracking_number": "1Z999AA10123456784"}
    case = {"provider": "stripe", "dispute": dispute, "product": "physical", "facts": {"shipment": shipment}}
    return StageEvidenceOperator(task_id="stage", cases=[case], conn_id="stripe_default")


def test_a_case_of_facts_reads_its_dispute_once(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    stage = stage_facts(sandbox)
    calls = Calls(sandbox)
    [record] = run(stage)
    assert record["state"] == "staged"
    assert calls.count() == Counter([*READ, "GetChargesCharge", "PostDisputesDispute"])


def test_a_reading_that_is_too_old_for_a_write_is_made_again(
    sandbox: Sandbox, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("stripe")
    stage = stage_facts(sandbox)
    calls = Calls(sandbox)
    # Making the letters and the documents takes 11 seconds.
    times = iter([0.0])
    monkeypatch.setattr(DisputeLedger, "clock", staticmethod(lambda: next(times, 11.0)))
    [record] = run(stage)
    assert record["state"] == "staged"
    assert calls.count() == Counter([*READ, *READ, "GetChargesCharge", "PostDisputesDispute"])


def test_unchanged_evidence_is_read_once(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    run = Contest("stripe", sandbox.create_dispute(api="stripe")["id"])
    run.stage()
    calls = Calls(sandbox)
    assert run.stage()["state"] == "staged"
    assert calls.count() == Counter(READ)


def test_a_dispute_at_moov_takes_twelve_calls(sandbox: Sandbox, connect: Any) -> None:
    connect("moov")
    run = Contest("moov", sandbox.create_dispute(api="moov")["id"])
    run.evidence["other"] = "Signed for."
    calls = Calls(sandbox)
    staged = run.stage()
    uploads = ["uploadDisputeEvidenceText"] * 2
    assert calls.count() == Counter([*READ_MOOV, *uploads, "listDisputeEvidence"])
    approved = run.ask(staged)
    assert calls.count() == Counter(READ_MOOV)
    assert run.submit(approved)["state"] == "submitted"
    assert calls.count() == Counter([*READ_MOOV, "submitDisputeEvidence", *READ_MOOV])


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_sweep_reads_what_the_list_does_not_show(
    kind: str, sandbox: Sandbox, connect: Any, cases: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"account": MOOV_ACCOUNT} if kind == "moov" else {}
    monkeypatch.setenv("AIRFLOW__DISPUTE__CONNECTIONS", connect(kind, extra=extra))

    def open_disputes(count: int) -> None:
        for _ in range(count):
            write_case(cases, sandbox.create_dispute(api=kind)["id"], provider=kind)

    open_disputes(3)
    sweep.run()
    open_disputes(1)
    calls = Calls(sandbox)
    sweep.run()
    made = calls.count()
    assert sorted(map(len, sweep.reviews().values())) == [1, 3]
    staging = [*READ, "PostDisputesDispute"]
    if kind == "moov":
        staging = [*READ_MOOV, "uploadDisputeEvidenceText", "listDisputeEvidence"]
    listing = ["GetDisputes"] if kind == "stripe" else ["listDisputes", *["listDisputeEvidence"] * 3]
    assert made == Counter([*listing, *staging])


def test_old_disputes_are_not_listed(sandbox: Sandbox, connect: Any, cases: Path, sweep: Sweep) -> None:
    connect("stripe")
    old = int(time.time()) - 2 * YEAR
    sandbox.create_disputes([{"api": "stripe", "created": old, "status": "lost"} for _ in range(150)])
    write_case(cases, sandbox.create_dispute(api="stripe", created=old + YEAR)["id"])
    calls = Calls(sandbox)
    sweep.run()
    assert calls.count()["GetDisputes"] == 1
    assert len(sweep.reviews()) == 1


def test_the_calls_of_one_dispute_are_as_documented(sandbox: Sandbox) -> None:
    assert counted.of_one_dispute(sandbox) == {
        "calls_stripe": 5,
        "calls_stripe_3docs": 8,
        "calls_unchanged": 1,
        "calls_moov": 12,
    }


def test_a_sweep_of_two_hundred_disputes_calls_for_the_new_ones_only(sandbox: Sandbox) -> None:
    # Two pages, and 8 calls for each new dispute; at Moov, the evidence of each dispute in a review too.
    assert counted.of_sweeps(sandbox) == {
        "calls_sweep_200_5": 2 + 5 * 8,
        "lists_1500_closed": 1,
        "calls_sweep_moov": 2 + 195,
    }
