"""One dispute: its evidence is staged, looked at as it will go out, approved and sent."""

from __future__ import annotations

from typing import Any

from demo.cases import disputes
from dispute_provider._evidence.record import State
from tests.e2e.pages import box, choose, field, open_task, section, trigger, trigger_form
from tests.e2e.person import Person
from tests.e2e.review import Review, contest
from tests.e2e.viewer import Viewer
from tests.harness.lab import Lab, Run

_DAG = "stripe_dispute_evidence"
_DISPUTE = "du_by_hand"
_TEXTS = {
    "customer_name": "Keiko Tanaka (田中恵子)",
    "shipping_tracking_number": "NW4471992017",
    "uncategorized_text": "Delivered on 3 November.\n\nThe photo shows the parcel at the door.",
}


def test_a_case_is_typed_in_reviewed_with_its_documents_and_submitted(lab: Lab, ana: Person) -> None:
    (kettle,) = [each for each in disputes() if each.id == "du_demo_kettle"]
    lab.sandbox.create_dispute(id=_DISPUTE, **kettle.made)
    folder = lab.cases / "by_hand"
    folder.mkdir()
    for name, content in kettle.documents.items():
        (folder / name).write_bytes(content)

    form = trigger_form(ana.page, _DAG)
    field(form, "Folder of the documents").fill(str(folder))
    field(form, "Dispute").fill(_DISPUTE)
    ana.shoot("c-stripe-1-form")
    section(form, "The case")
    choose(box(form, "Product type"), "Physical")
    section(form, "Customer")
    field(form, "Customer's name").fill(_TEXTS["customer_name"])
    section(form, "Product")
    field(form, "Receipt").fill("receipt.pdf")
    section(form, "Shipping")
    field(form, "Tracking number").fill(_TEXTS["shipping_tracking_number"])
    field(form, "Proof of shipment").fill("doorstep.jpg")
    ana.shoot("c-stripe-2-shipping")
    section(form, "Other")
    field(form, "Additional information").fill(_TEXTS["uncategorized_text"])
    run = Run(lab, "stripe", _DISPUTE, _DAG, trigger(form))

    review = Review(ana, run)
    assert not lab.submissions(_DISPUTE)
    ana.shoot("c-stripe-3-review", height=2000)
    viewer = Viewer(ana)
    viewer.shows("This is exactly the evidence that will be submitted.")
    viewer.shows(_TEXTS["customer_name"])
    ana.shoot("c-stripe-4-evidence")
    viewer.look_at("receipt", "PDF")
    viewer.look_at("doorstep", "JPEG")
    ana.shoot("c-stripe-5-evidence-photo", around=viewer.document("doorstep"))
    ana.shoot("c-stripe-6-evidence-whole", height=2600)
    for name, content in kettle.documents.items():
        assert viewer.original(name.partition(".")[0]) == content

    viewer.leave()
    _submit(review, run, "c-stripe-7-answer")
    held = lab.sandbox.dispute(_DISPUTE)["evidence"]
    assert {name: held[name] for name in _TEXTS} == _TEXTS
    open_task(ana.page, _DAG, run.run_id, "submit")
    Viewer(ana).shows("Submitted. The dispute holds exactly the approved evidence.")
    ana.shoot("c-stripe-8-submitted")


def test_a_moov_case_with_a_scan_is_reviewed_and_submitted(lab: Lab, ana: Person) -> None:
    dispute, run = contest(lab, "d15b07e5-0000-4000-8000-000000000001")
    review = Review(ana, run)
    viewer = Viewer(ana)
    viewer.shows("This is exactly the evidence that will be submitted.")
    for file, kind in (("delivery", "TIFF"), ("order", "PDF"), ("invoice", "PDF")):
        viewer.look_at(file, kind)
    ana.shoot("c-moov-1-evidence-scan", around=viewer.document("delivery"), height=1400)
    assert viewer.original("delivery") == dispute.documents["delivery.tiff"]

    viewer.leave()
    _submit(review, run, "c-moov-2-answer")
    sent: list[dict[str, Any]] = lab.sandbox.dispute(dispute.id)["evidence"]
    assert len(sent) == 4


def _submit(review: Review, run: Run, picture: str) -> None:
    """Approve it, and see that it went out once."""
    review.choose("Submit")
    review.fill("Note", "Read against the documents.")
    review.person.shoot(picture, around=review.button)
    review.respond()
    assert run.wait_for_end() == "success"
    assert run.record.state == State.SUBMITTED
    assert len(run.lab.submissions(run.dispute)) == 1
