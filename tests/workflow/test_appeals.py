"""An appeal goes out at the appeal stage and only there; other evidence goes out at the other stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from faults_page import rows
from flows import contest
from papers import pdf
from sweeping import write_case

from dispute_provider.operators.evidence import ReportOutcomeOperator, StageEvidenceOperator
from dispute_provider.sandbox import Sandbox

REASON = "appeal/card/reason_for_filing"
FILES = "appeal/card/supporting_files"
ONLY_APPEAL = "it is at the appeal stage, which accepts only appeal"
WHY = "The bank overlooked the signed delivery slip."


def ordinary(dispute: str) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": {"customer_name": "Zoë"}}


def appeal(dispute: str, *paths: str, **others: Any) -> dict[str, Any]:
    card: dict[str, Any] = {"reason_for_filing": WHY}
    if paths:
        card["supporting_files"] = [{"file": path} for path in paths]
    return {"provider": "stripe", "dispute": dispute, "evidence": {**others, "appeal": {"card": card}}}


def folder_with_both(cases: Path, dispute: str) -> str:
    """One case folder for the whole life of a dispute: evidence for every stage, a document for each kind."""
    place = cases / dispute
    place.mkdir()
    for name in ("receipt", "slip", "tracking"):
        (place / f"{name}.pdf").write_bytes(pdf(text=f"The {name}."))
    case = appeal(dispute, "slip.pdf", "tracking.pdf", customer_name="Zoë", receipt={"file": "receipt.pdf"})
    (place / "case.json").write_text(json.dumps(case))
    return str(place / "case.json")


def records(engine: Any, run: Any, task_id: str) -> list[dict[str, Any]]:
    returned = engine.result(run, task_id)
    return list(json.loads(returned) if isinstance(returned, str) else returned)


def stage(engine: Any, conn_id: str, *given: Any, **options: Any) -> list[dict[str, Any]]:
    with DAG("stage_some", schedule=None) as dag:
        StageEvidenceOperator(task_id="stage", cases=list(given), conn_id=conn_id, **options)
    return records(engine, engine.run(dag), "stage")


def approve(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {"note": "ok"}}


def _option(form: dict[str, Any], action: str) -> str:
    return next(str(option) for option in form["options"] if option.startswith(action))


def without_case(engine: Any, run: Any) -> list[dict[str, Any]]:
    """What the sweep lists as left to a person."""
    task = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/contest.find"
    params = {"deserialize": False, "map_index": 0}
    listed = engine.api.get(f"{task}/xcomEntries/without_case", params=params).json()["value"]
    return list(json.loads(listed) if isinstance(listed, str) else listed)


def writes(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal() if entry["method"] == "POST"]


def held(sandbox: Sandbox, dispute: str) -> dict[str, Any]:
    return dict(sandbox.dispute(dispute)["evidence"].get("appeal") or {}).get("card") or {}


def test_one_case_folder_works_from_inquiry_to_appeal(engine, sandbox, stripe_connection, cases, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(cases / "store"))
    dispute = sandbox.create_dispute(api="stripe", status="warning_needs_response", case_type="inquiry")["id"]
    path = folder_with_both(cases, dispute)
    stages = ("warning_needs_response", "needs_response", "appeal_needs_response")
    ended = []
    for status in stages:
        sandbox.edit_dispute(dispute, status=status)
        [record] = records(engine, engine.run(contest([path], stripe_connection), approve), "submit")
        ended.append((record["state"], record["stage"]))
        [note] = [
            note for note in record["notes"] if note.startswith("not sent, because it is for another stage")
        ]
        others = (
            "Customer's name, Receipt"
            if record["stage"] == "appeal"
            else "Appeal › Card › Reason for the appeal, Appeal › Card › Documents"
        )
        assert note.endswith(f"for another stage: {others}")
    assert ended == [("submitted", "inquiry"), ("submitted", "chargeback"), ("submitted", "appeal")]
    sent = [set(each["evidence"]) for each in sandbox.dispute(dispute)["submissions"]]
    assert sent == [{"customer_name", "receipt"}, {"customer_name", "receipt"}, {"appeal"}]
    card = held(sandbox, dispute)
    assert card["reason_for_filing"] == WHY
    assert len(card["supporting_files"]) == 2
    # Nothing that a stage does not take was written at it, not even without submitting it.
    bodies = [entry["body"]["evidence"] for entry in writes(sandbox) if "evidence" in (entry["body"] or {})]
    assert all(set(body) == {"appeal"} or "appeal" not in body for body in bodies)


def test_a_reviewer_sees_the_appeal_its_documents_and_its_fee(
    engine, sandbox, stripe_connection, cases, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(cases / "store"))
    dispute = sandbox.create_dispute(
        api="stripe", status="appeal_needs_response", evidence={"customer_name": "of the chargeback"}
    )["id"]
    run = engine.run(contest([folder_with_both(cases, dispute)], stripe_connection), approve)
    [form] = engine.forms
    assert WHY in form["body"]
    assert "slip-" in form["body"] and "tracking-" in form["body"], "documents by their names"
    assert "not uploaded by this case" not in form["body"]
    assert "can charge a high fee for it" in form["body"]
    assert "of the chargeback" not in form["body"], "it is not sent at this stage"
    [record] = records(engine, run, "review")
    assert record["verdict"] == "ready"
    assert sorted(record["documents"]) == sorted(held(sandbox, dispute)["supporting_files"])


@pytest.mark.parametrize(
    ("status", "given", "named"),
    [
        ("appeal_needs_response", ordinary, "customer_name"),
        ("needs_response", appeal, REASON),
        ("warning_needs_response", appeal, REASON),
    ],
)
def test_a_case_without_evidence_for_the_stage_is_refused_before_any_request(
    status, given, named, engine, sandbox, stripe_connection
):
    dispute = sandbox.create_dispute(api="stripe", status=status)["id"]
    other = sandbox.create_dispute(api="stripe")["id"]
    refused, staged = stage(engine, stripe_connection, given(dispute), ordinary(other))
    assert (refused["state"], staged["state"]) == ("refused", "staged")
    assert f"and its case has only {named}. To do: " in refused["reason"]
    assert refused["reason"].startswith(ONLY_APPEAL) == (status == "appeal_needs_response")
    assert [entry["dispute"] for entry in writes(sandbox)] == [other]


@pytest.mark.parametrize("moment", ["before the review", "before the submission"])
def test_a_dispute_that_moves_to_its_appeal_needs_a_new_review(moment, engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(api="stripe")["id"]
    dag = contest([ordinary(dispute)], stripe_connection)

    def move() -> None:
        sandbox.edit_dispute(dispute, status="appeal_needs_response")

    def approve_late(form: dict[str, Any]) -> dict[str, Any]:
        move()
        return approve(form)

    if moment == "before the review":
        dag.get_task("stage")._post_execute_hook = lambda *_, **__: move()
    run = engine.run(dag, approve_late)
    [record] = records(engine, run, "submit")
    assert record["state"] == "refused"
    if moment == "before the review":
        assert record["reason"].startswith(f"it was staged for the chargeback, and {ONLY_APPEAL}. To do: ")
    else:
        assert (
            record["reason"]
            == "it has moved to the appeal stage since it was approved; stage and review it again"
        )
    assert [entry["submitted"] for entry in writes(sandbox)] == [False]
    assert len(engine.forms) == (moment == "before the submission")
    row = rows()["A dispute moves to its appeal, or back, after it was staged"]
    row.check(record)
    run = engine.run(contest([appeal(dispute)], stripe_connection), approve)
    assert records(engine, run, "submit")[0]["state"] == "submitted"


def test_an_appeal_that_was_staged_is_not_submitted_at_another_stage(engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(api="stripe", status="appeal_needs_response")["id"]

    def approve_late(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.edit_dispute(dispute, status="needs_response")
        return approve(form)

    run = engine.run(contest([appeal(dispute)], stripe_connection), approve_late)
    [record] = records(engine, run, "submit")
    assert (record["state"], record["reason"]) == (
        "refused",
        "it has moved to the chargeback stage since it was approved; stage and review it again",
    )
    assert sandbox.dispute(dispute)["submissions"] == []


def test_the_sweep_reviews_appeals_and_lists_disputes_without_one(
    sweep, engine, sandbox, cases, stripe_connection
):
    for dispute in ("du_appealed", "du_forgotten"):
        sandbox.create_dispute(api="stripe", id=dispute, status="appeal_needs_response")
    sandbox.create_dispute(api="stripe", id="du_open")
    folder_with_both(cases, "du_appealed")
    for dispute in ("du_forgotten", "du_open"):
        write_case(cases, dispute)
    run = sweep.run()
    assert list(sweep.reviews().values()) == [["du_appealed", "du_open"]]
    assert {entry["dispute"] for entry in writes(sandbox)} == {None, "du_appealed", "du_open"}
    [listed] = without_case(engine, run)
    assert (listed["dispute"], listed["state"]) == ("du_forgotten", "held")
    assert listed["reason"].startswith(f"{ONLY_APPEAL}, and its case has only uncategorized_text. To do: ")
    # The way out that it names.
    (cases / "du_forgotten" / "case.json").write_text(json.dumps(appeal("du_forgotten")))
    run = sweep.run()
    assert ["du_forgotten"] in sweep.reviews().values()
    assert without_case(engine, run) == []


def test_a_sweep_lists_an_appeal_whose_case_has_only_facts(sweep, engine, sandbox, cases, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1", status="appeal_needs_response", reason="fraudulent")
    facts = {
        "provider": "stripe",
        "dispute": "du_1",
        "product": "physical",
        "facts": {"order": {"number": "1"}},
    }
    place = cases / "stripe" / "du_1"
    place.mkdir(parents=True)
    (place / "case.json").write_text(json.dumps(facts))
    run = sweep.run()
    assert run.state == "success", "as for a case with ordinary evidence"
    [listed] = without_case(engine, run)
    assert listed["reason"].startswith(f"{ONLY_APPEAL}, and its case has only customer_name, ")
    (place / "case.json").write_text(json.dumps({**facts, **appeal("du_1")}))
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_1"]]
    assert set(sandbox.dispute("du_1")["evidence"]) == {"appeal"}


def gives_ordinary(provider: str, disputes: list[Any]) -> list[dict[str, Any]]:
    return [ordinary(each["id"]) for each in disputes]


def test_a_source_without_an_appeal_leaves_it_to_the_next_source(sweep, sandbox, cases, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_SOURCES", f"{__name__}.gives_ordinary, address")
    sandbox.create_dispute(api="stripe", id="du_1", status="appeal_needs_response")
    folder_with_both(cases, "du_1")
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_1"]]
    assert held(sandbox, "du_1")["reason_for_filing"] == WHY


def test_the_sweep_reviews_the_appeal_after_the_chargeback(sweep, sandbox, cases):
    dispute = sandbox.create_dispute(api="stripe", id="du_1")["id"]
    folder_with_both(cases, dispute)
    sweep.run()
    assert list(sweep.reviews().values()) == [[dispute]]
    sweep.run()
    assert len(sweep.reviews()) == 1, "nothing has changed"
    sandbox.edit_dispute(dispute, status="appeal_needs_response")
    sweep.run()
    assert list(sweep.reviews().values()) == [[dispute], [dispute]]
    assert held(sandbox, dispute)["reason_for_filing"] == WHY


def test_a_separate_folder_for_the_appeal_is_used_at_that_stage(sweep, sandbox, cases):
    write_case(cases, "du_1")
    (cases / "appeal.json").write_text(json.dumps(appeal("du_1")))
    for status in ("needs_response", "appeal_needs_response"):
        sandbox.create_dispute(api="stripe", id="du_1", status=status) if status == "needs_response" else (
            sandbox.edit_dispute("du_1", status=status)
        )
        sweep.run()
    written = [set(entry["body"]["evidence"]) for entry in writes(sandbox)]
    assert written == [{"uncategorized_text"}, {"appeal"}]


def test_staging_again_writes_nothing_and_uploads_nothing(engine, sandbox, stripe_connection, cases):
    dispute = sandbox.create_dispute(api="stripe", status="appeal_needs_response")["id"]
    path = folder_with_both(cases, dispute)
    [first] = stage(engine, stripe_connection, path)
    before = len(writes(sandbox))
    [again] = stage(engine, stripe_connection, path)
    assert first["digest"] == again["digest"]
    assert len(writes(sandbox)) == before
    assert {each["kind"] for each in again["differences"]} == {"same"}


def test_a_changed_case_replaces_its_own_documents_and_a_colleagues_stay(
    engine, sandbox, stripe_connection, cases
):
    filed = {"receipt": {"filename": "theirs.pdf"}}
    theirs = sandbox.create_dispute(api="stripe", evidence=filed)["object"]["evidence"]["receipt"]
    dispute = sandbox.create_dispute(
        api="stripe",
        status="appeal_needs_response",
        evidence={"appeal": {"card": {"supporting_files": [theirs]}}},
    )["id"]
    path = Path(folder_with_both(cases, dispute))
    [record] = stage(engine, stripe_connection, str(path))
    slip, tracking = sorted(set(held(sandbox, dispute)["supporting_files"]) - {theirs})
    assert sorted(each["kind"] for each in record["differences"]) == ["added", "added", "added", "foreign"]
    assert record["reason"] == "4 pieces of evidence staged, 1 of them not from the case, not submitted"

    path.write_text(json.dumps(appeal(dispute, "slip.pdf")))
    [record] = stage(engine, stripe_connection, str(path))
    files = held(sandbox, dispute)["supporting_files"]
    assert theirs in files and len(files) == 2 and set(files) < {theirs, slip, tracking}
    assert sorted(each["kind"] for each in record["differences"]) == ["foreign", "removed", "same", "same"]


@pytest.mark.parametrize(
    ("merge", "state"), [("keep", "staged"), ("overwrite", "staged"), ("fail", "refused")]
)
def test_a_colleagues_reason_is_merged_like_any_text(
    merge, state, engine, sandbox, stripe_connection, cases, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(cases / "store"))
    theirs = {"card": {"reason_for_filing": "A colleague's."}}
    dispute = sandbox.create_dispute(
        api="stripe", status="appeal_needs_response", evidence={"appeal": theirs}
    )["id"]
    [record] = stage(engine, stripe_connection, appeal(dispute), merge=merge)
    assert record["state"] == state
    reason = held(sandbox, dispute)["reason_for_filing"]
    assert reason == (WHY if merge == "overwrite" else "A colleague's.")
    if merge == "fail":
        assert REASON in record["reason"]


def test_a_rejected_appeal_is_put_back_if_the_api_would_send_it(
    engine, sandbox, stripe_connection, cases, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(cases / "store"))
    filed = {"receipt": {"filename": "theirs.pdf"}}
    theirs = sandbox.create_dispute(api="stripe", evidence=filed)["object"]["evidence"]["receipt"]
    before = {"card": {"reason_for_filing": "A colleague's.", "supporting_files": [theirs]}}
    dispute = sandbox.create_dispute(
        api="stripe",
        status="appeal_needs_response",
        evidence={"appeal": before},
        intended_submission_method="smart_disputes",
    )["id"]
    dag = contest([folder_with_both(cases, dispute)], stripe_connection)
    dag.get_task("stage").switch_to_manual = True
    dag.get_task("stage").merge = "overwrite"

    def reject(form: dict[str, Any]) -> dict[str, Any]:
        assert len(held(sandbox, dispute)["supporting_files"]) == 3
        return {"chosen_options": [_option(form, "Reject")], "params_input": {"note": "no"}}

    [record] = records(engine, engine.run(dag, reject), "submit")
    assert record["state"] == "rejected"
    assert record["reason"].endswith("its earlier evidence was put back")
    assert sandbox.dispute(dispute)["evidence"]["appeal"] == before
    assert sandbox.dispute(dispute)["object"]["intended_submission_method"] == "smart_disputes"


def test_the_stages_do_not_share_their_limits(engine, sandbox, stripe_connection, cases):
    """49 pages of evidence and 49 pages of an appeal never go out together."""
    dispute = sandbox.create_dispute(api="stripe")["id"]
    place = cases / dispute
    place.mkdir()
    for name in ("receipt", "slip"):
        (place / f"{name}.pdf").write_bytes(pdf(30, text=f"The {name}."))
    case = appeal(dispute, "slip.pdf", receipt={"file": "receipt.pdf"}, uncategorized_text="x" * 20_000)
    case["evidence"]["appeal"]["card"]["reason_for_filing"] = "y" * 140_000
    (place / "case.json").write_text(json.dumps(case))
    for status in ("needs_response", "appeal_needs_response"):
        sandbox.edit_dispute(dispute, status=status)
        [record] = stage(engine, stripe_connection, str(place / "case.json"))
        assert record["state"] == "staged", record["reason"]
    (place / "slip.pdf").write_bytes(pdf(50, text="Too long."))
    [record] = stage(engine, stripe_connection, str(place / "case.json"))
    assert record["state"] == "refused"
    assert (
        "slip.pdf (appeal/card/supporting_files) has 50 pages, and the limit is 49 pages" in record["reason"]
    )


def test_all_errors_of_an_appeal_are_reported_at_once_and_nothing_is_sent(
    engine, sandbox, stripe_connection, cases
):
    dispute = sandbox.create_dispute(api="stripe", status="appeal_needs_response")["id"]
    card = {"reason_for_filing": "Card 4242 4242 4242 4242.", "supporting_files": [{"file": "gone.pdf"}]}
    (cases / "case.json").write_text(
        json.dumps({**ordinary(dispute), "evidence": {"appeal": {"card": card}}})
    )
    [record] = stage(engine, stripe_connection, str(cases / "case.json"))
    assert record["state"] == "refused"
    assert "/evidence/appeal/card/reason_for_filing: has a card number" in record["reason"]
    assert "/evidence/appeal/card/supporting_files: gone.pdf: there is no such file" in record["reason"]
    assert sandbox.journal() == []


def test_unknown_members_are_shown_and_not_changed(engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(
        api="stripe", status="appeal_needs_response", evidence={"appeal": {"card": None}}
    )["id"]
    sandbox.odd(of=dispute, set={"/evidence/appeal/klarna": {"note": "of a later version"}})
    engine.run(contest([appeal(dispute)], stripe_connection), approve)
    [form] = engine.forms
    assert r"| Appeal › Klarna | `Note: of a later version` ·" in form["body"]
    bodies = [entry["body"]["evidence"]["appeal"] for entry in writes(sandbox)]
    assert bodies and all(set(body) == {"card"} for body in bodies)


def test_the_review_names_a_document_that_was_deleted_at_the_api(engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(
        api="stripe",
        status="appeal_needs_response",
        evidence={"appeal": {"card": {"supporting_files": ["file_gone"]}}},
    )["id"]
    [record] = stage(engine, stripe_connection, {**ordinary(dispute), "evidence": {}})
    assert (record["state"], record["verdict"]) == ("staged", "weak")


def test_an_unknown_stage_is_held_for_a_person(sweep, engine, sandbox, cases, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_new")
    sandbox.odd(of="du_new", set={"/status": "arbitration_needs_response"})
    write_case(cases, "du_new")
    [listed] = without_case(engine, sweep.run())
    assert (listed["dispute"], listed["state"]) == ("du_new", "held")
    assert listed["reason"].startswith(
        "its status, arbitration_needs_response, is unknown to this version. To do: "
    )
    [record] = stage(engine, stripe_connection, ordinary("du_new"))
    rows()["A dispute is at a stage that this version does not know"].check(record)
    assert writes(sandbox) == []
    sandbox.clear_oddities()
    sandbox.edit_dispute("du_new", submit=True)
    assert without_case(engine, sweep.run()) == []


def test_a_dispute_answered_at_an_unknown_stage_is_not_held(engine, sandbox, stripe_connection):
    dispute = sandbox.create_dispute(api="stripe", status="appeal_under_review")["id"]
    with DAG("stage_answered", schedule=None) as dag:
        staged = StageEvidenceOperator(task_id="stage", cases=[ordinary(dispute)], conn_id=stripe_connection)
        ReportOutcomeOperator(task_id="outcome", results=staged.output)
    run = engine.run(dag)
    assert run.state == "success"
    assert records(engine, run, "stage")[0]["state"] == "already-submitted"
