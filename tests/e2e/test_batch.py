"""A sweep stages twenty-five disputes; one form decides about all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import yaml
from playwright.sync_api import expect

from demo.cases import SHOP
from dispute_provider._evidence.record import Record, State
from tests.e2e.pages import trigger, trigger_form
from tests.e2e.person import Person
from tests.e2e.review import Review
from tests.e2e.viewer import Viewer
from tests.harness.documents import receipt
from tests.harness.lab import Lab, Run

_COUNT = 25
_SWEEP, _REVIEW = "dispute_sweep", "dispute_review"
_SALES = (
    ("usd", 4_999, "fraudulent", "10.4", "Road atlas, two volumes"),
    ("eur", 12_000, "product_not_received", "13.1", "Desk lamp, brass"),
    ("jpy", 8_400, "product_unacceptable", "13.3", "Tea bowl, grey glaze"),
    ("kwd", 15_500, "duplicate", "12.6.1", "Wool rug, 2 by 3 metres"),
    ("gbp", 2_250, "unrecognized", "10.4", "Rain coat, size M"),
)


def test_a_batch_of_twenty_five_is_reviewed_in_one_form(lab: Lab, ana: Person) -> None:
    disputes = [make_dispute(lab, number, timedelta(days=3)) for number in range(_COUNT)]
    sweep = trigger(trigger_form(ana.page, _SWEEP))
    assert Run(lab, "stripe", "", _SWEEP, sweep).wait_for_end() == "success"
    (run_id,) = lab.ana.runs(_REVIEW)
    run = Run(lab, "stripe", "", _REVIEW, run_id)

    review = Review(ana, run)
    page = ana.page
    table = page.get_by_role("table").filter(has_text="Due by (UTC)")
    # Soonest due first; the disputes were made in the opposite order.
    expect(table.get_by_role("row").nth(1)).to_contain_text(disputes[-1])
    expect(table.get_by_role("row").nth(_COUNT)).to_contain_text(disputes[0])
    ana.shoot("d-batch-1-table")
    ana.shoot("d-batch-2-table-whole", height=2400)

    viewer = Viewer(ana)
    viewer.shows(f"{_COUNT} disputes")
    viewer.choose(disputes[0])
    viewer.look_at("receipt", "PDF")
    ana.shoot("d-batch-3-evidence")
    viewer.leave()

    rejected, held, *submitted = disputes
    review.choose(*(f"Submit {dispute} " for dispute in submitted))
    review.pick("Reject", rejected)
    review.pick("Hold reason", "Needs documents")
    review.fill("Assignee", "Ben")
    review.fill("Note", "Read against the orders; the rug was sent back.")
    ana.shoot("d-batch-4-answer", around=review.button)
    review.respond()
    run.wait_for_end()

    records = {record.dispute: record for record in _records(lab, run)}
    assert {records[dispute].state for dispute in submitted} == {State.SUBMITTED}
    assert records[rejected].state == State.REJECTED
    assert records[held].state == State.HELD
    assert "needs documents, assigned to Ben" in records[held].reason
    sent = Counter(entry["dispute"] for entry in lab.sandbox.journal(submitted=True))
    assert {dispute: sent[dispute] for dispute in disputes} == {
        **dict.fromkeys(submitted, 1), rejected: 0, held: 0,
    }  # fmt: skip
    page.reload()
    expect(page.get_by_text("Response received at")).to_be_visible()
    ana.shoot("d-batch-5-answered")


def make_dispute(lab: Lab, number: int, due: timedelta) -> str:
    """Make a dispute of the connected account with its case.

    :param due: time left for the last one; the later a dispute is made, the sooner it is due.
    """
    currency, amount, reason, code, what = _SALES[number % len(_SALES)]
    due += timedelta(hours=_COUNT - number)
    made = lab.sandbox.create_dispute(
        api="stripe", account=SHOP, amount=amount + 10 * number, currency=currency, reason=reason,
        network_reason_code=code, due_in=due.total_seconds(),
    )  # fmt: skip
    dispute = str(made["id"])
    folder = lab.cases / dispute
    folder.mkdir()
    pdf = receipt("Corner Shop", f"CS-{number}", "2 November 2026", "Noor Haddad", [(what, amount)], currency)
    (folder / "receipt.pdf").write_bytes(pdf)
    case = {
        "provider": "stripe",
        "dispute": dispute,
        "prepared_by": "Ben",
        "customer_contacted": number % 2 == 0,
        "product": "physical",
        "evidence": {
            "customer_name": "Noor Haddad",
            "product_description": f"{what}.",
            "shipping_tracking_number": f"NW44719{number:04d}",
            "receipt": {"file": "receipt.pdf"},
        },
    }
    (folder / "case.yaml").write_text(yaml.safe_dump(case))
    return dispute


def _records(lab: Lab, run: Run) -> Iterator[Record]:
    found: list[dict[str, Any]] = lab.ana.xcom(run.dag_id, run.run_id, "submit")
    return map(Record.from_dict, found)
