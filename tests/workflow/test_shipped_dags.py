"""The DAGs that ship, on Airflow's engine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from papers import pdf
from sweeping import load, write_case


def approve(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {"note": ""}}


def records(engine: Any, run: Any, task_id: str) -> list[dict[str, Any]]:
    value = engine.result(run, task_id)
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("kind", "typed", "held"),
    [
        ("stripe", {"customer_name": "Zoë"}, {"customer_name": "Zoë"}),
        ("moov", {"cover-letter": "Zoë bought it."}, "Zoë bought it."),
    ],
)
def test_a_case_typed_into_the_form_is_submitted(kind, typed, held, engine, sandbox, connect):
    connect(kind)
    dispute = sandbox.create_dispute(api=kind)["id"]

    run = engine.run(load(f"{kind}_dispute_evidence"), approve, {"dispute": dispute, **typed})

    assert run.state == "success"
    [record] = records(engine, run, "submit")
    assert record["state"] == "submitted"
    at_api = sandbox.dispute(dispute)["evidence"]
    assert held in [item["text"] for item in at_api] if kind == "moov" else held.items() <= at_api.items()


def test_a_case_file_is_read_with_its_documents(engine, sandbox, stripe_connection, cases):
    sandbox.create_dispute(api="stripe", id="du_1")
    (cases / "receipt.pdf").write_bytes(pdf())
    evidence = "{service_date: 2026-03-22, receipt: {file: receipt.pdf}}"
    case = f"provider: stripe\ndispute: du_1\nevidence: {evidence}\n"
    (cases / "one.yaml").write_text(case)

    # As it is pasted from a terminal.
    run = engine.run(load("stripe_dispute_evidence"), approve, {"case_path": f" {cases / 'one.yaml'}\n"})

    assert run.state == "success"
    evidence = sandbox.dispute("du_1")["evidence"]
    assert evidence["service_date"] == "2026-03-22", "a date stays as it was written"
    assert evidence["receipt"].startswith("file_")
    [form] = engine.forms
    assert f"{len(pdf())} bytes" in form["body"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{cases}/../outside.json", "{cases}/link.json", "file:///etc/passwd"]
)
def test_a_path_outside_of_the_case_roots_is_not_read(
    path, engine, sandbox, stripe_connection, cases, tmp_path_factory
):
    outside = tmp_path_factory.mktemp("elsewhere") / "case.json"
    outside.write_text(
        json.dumps({"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "x"}})
    )
    (cases / "link.json").symlink_to(outside)

    run = engine.run(load("stripe_dispute_evidence"), conf={"case_path": path.format(cases=cases)})

    [record] = records(engine, run, "stage")
    assert record["state"] == "refused"
    assert "case roots" in record["reason"]
    assert not [entry for entry in sandbox.journal() if entry["changed"]]


def test_the_sweep_asks_once_and_again_after_a_change(sweep, sandbox, cases, request):
    disputes = [f"du_{request.node.name[-4:]}_{number}" for number in range(3)]
    for dispute in disputes:
        sandbox.create_dispute(api="stripe", id=dispute)
    for dispute in disputes[:2]:
        write_case(cases, dispute)

    assert sweep.run().state == "success"
    assert list(sweep.reviews().values()) == [disputes[:2]], "the third has no case"

    assert sweep.run().state == "success"
    assert len(sweep.reviews()) == 1, "nothing changed, so no review opens"

    write_case(cases, disputes[0], "Delivered, and signed for.")
    sweep.run()
    assert sorted(sweep.reviews().values()) == sorted([disputes[:2], disputes[:1]]), "its case changed"

    sandbox.edit_dispute(disputes[1], evidence={"customer_name": "a colleague's"})
    sweep.run()
    assert max(sweep.reviews().values()) == disputes[1:2], "the evidence at the API changed"


def test_two_sweeps_that_overlap_open_one_review(sweep, sandbox, cases, monkeypatch):
    """Both read the memory before either has written to it: the worst case of an overlap."""
    from dispute_provider.operators import _find_cases, _open_review

    sandbox.create_dispute(api="stripe", id="du_overlap")
    write_case(cases, "du_overlap")
    for module in (_find_cases, _open_review):
        monkeypatch.setattr(module, "load", lambda context, key, **parts: {})

    first, second = sweep.run(), sweep.run()

    assert (first.state, second.state) == ("success", "success")
    assert list(sweep.reviews().values()) == [["du_overlap"]]


def test_the_scheduler_never_runs_two_sweeps_at_once():
    assert load("dispute_sweep").max_active_runs == 1


def test_an_invalid_case_fails_the_run_and_stops_no_other(sweep, sandbox, cases):
    for dispute in ("du_fine", "du_broken"):
        sandbox.create_dispute(api="stripe", id=dispute)
    write_case(cases, "du_fine")
    (cases / "broken.yaml").write_text("dispute: du_broken\nprovider: [")

    run = sweep.run()

    assert run.state == "failed"
    assert list(sweep.reviews().values()) == [["du_fine"]]
