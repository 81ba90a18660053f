"""Stage, review, submit on Airflow's engine against the sandbox: who enters, leaves in a named state."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import running
from airflow.sdk import DAG
from flows import contest
from running import ASSETS

from dispute_provider._state.approvals import open_review
from dispute_provider._transport import retries as attempts
from dispute_provider.operators.evidence import SubmitEvidenceOperator


def stripe_case(dispute: str, text: str = "Delivered and signed for.") -> dict[str, Any]:
    return {"provider": "stripe", "dispute": dispute, "evidence": {"uncategorized_text": text}}


def as_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_an_approved_dispute_is_submitted_once(kind, engine, sandbox, connect):
    conn_id = connect(kind)
    dispute = sandbox.create_dispute(api=kind)["id"]
    evidence = {"uncategorized_text": "Signed for."} if kind == "stripe" else {"cover-letter": "Signed for."}
    dag = contest([{"provider": kind, "dispute": dispute, "evidence": evidence}], conn_id)

    run = engine.run(
        dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {"note": "ok"}}
    )

    assert run.state == "success"
    [record] = as_json(engine.result(run, "submit"))
    assert record["state"] == "submitted"
    assert record["approval"]["responder"].startswith("ana")
    assert [entry["submitted"] for entry in sandbox.journal()].count(True) == 1
    [form] = engine.forms
    assert form["subject"].split(" · ")[0].endswith("UTC")
    assert dispute in form["subject"]
    assert "Signed for." in form["body"]
    assert "Signed for." not in json.dumps(as_json(engine.result(run, "stage")))


def test_a_duplicate_record_is_sent_once_to_an_api_without_keys(
    engine, sandbox, moov_connection, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    dispute = sandbox.create_dispute(api="moov")["id"]
    case = {"provider": "moov", "dispute": dispute, "evidence": {"cover-letter": "Signed for."}}
    dag = contest([case], moov_connection)
    with dag:
        answered = dag.get_task("review").output
        SubmitEvidenceOperator(task_id="both", approved=answered.concat(answered))
    dag.get_task("submit").set_upstream(dag.get_task("both"))

    run = engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    [record] = as_json(engine.result(run, "both"))
    assert record["state"] == "submitted"
    assert [entry["submitted"] for entry in sandbox.journal()].count(True) == 1
    [receipt] = tmp_path.rglob("*.json")
    assert json.loads(receipt.read_text())["digest"] == record["digest"]
    [again] = as_json(engine.result(run, "submit"))
    assert again["state"] == "already-submitted", "another task of the same run"


def test_a_batch_is_submitted_held_and_rejected_dispute_by_dispute(engine, sandbox, stripe_connection):
    for number, days in ((1, 3), (2, 1), (3, 2)):
        sandbox.create_dispute(api="stripe", id=f"du_{number}", due_in=days * 86_400)
    cases = [stripe_case(f"du_{number}") for number in (1, 2, 3)]

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        chosen = [option for option in form["options"] if "du_2" in option]
        return {"chosen_options": chosen, "params_input": {"note": "refunded", "reject": ["du_3"]}}

    run = engine.run(contest(cases, stripe_connection), answer)

    states = {record["dispute"]: record["state"] for record in as_json(engine.result(run, "submit"))}
    assert states == {"du_1": "held", "du_2": "submitted", "du_3": "rejected"}
    [form] = engine.forms
    assert form["options"][0].startswith("Submit all 3")
    assert form["options"][1] == "Submit none"
    order = [option.split()[1] for option in form["options"][2:]]
    assert order == ["du_2", "du_3", "du_1"], "soonest deadline first"
    assert [entry["dispute"] for entry in sandbox.journal() if entry["submitted"]] == ["du_2"]


@pytest.mark.parametrize(
    ("chosen", "params"),
    [
        (["Submit none"], {}),
        (["Submit all", "Submit none"], {}),
        (["Submit all"], {"reject": ["du_of_another_review"]}),
        (["Submit all"], {"reject": "du_1"}),
        (["Submit all"], {"note": {"not": "text"}}),
    ],
)
def test_an_ambiguous_answer_holds_everything(chosen, params, engine, sandbox, stripe_connection):
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        options = [form["options"][0] if option == "Submit all" else option for option in chosen]
        return {"chosen_options": options, "params_input": params}

    run = engine.run(contest([stripe_case("du_1"), stripe_case("du_2")], stripe_connection), answer)

    assert {record["state"] for record in as_json(engine.result(run, "review"))} == {"held"}
    assert not any(entry["submitted"] for entry in sandbox.journal())


def test_one_invalid_case_stops_no_other_and_the_run_fails_at_its_end(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_good")
    sandbox.create_dispute(api="stripe", id="du_won", status="won")
    cases = [
        stripe_case("du_good"),
        stripe_case("du_missing"),
        stripe_case("du_won"),
        stripe_case("du_long", text="x" * 20_001),
        {"provider": "stripe"},
        {"provider": "moov", "dispute": "du_other", "evidence": {"cover-letter": "x"}},
        stripe_case("du_twice"),
        stripe_case("du_twice"),
        "/etc/passwd",
    ]

    run = engine.run(
        contest(cases, stripe_connection),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    assert run.state == "failed", "what was refused needs a person"
    records = as_json(engine.result(run, "submit"))
    assert len(records) == len(cases), "who enters, leaves"
    assert sorted(record["state"] for record in records) == ["refused"] * 8 + ["submitted"]
    reasons = " ".join(record["reason"] for record in records)
    for part in (
        "20,001",
        "resource_missing",
        "decided: won",
        "case roots",
        "is for moov",
        "case 8 of the list",
    ):
        assert part in reasons
    assert [entry["dispute"] for entry in sandbox.journal() if entry["submitted"]] == ["du_good"]


def test_an_empty_review_does_not_open(engine, sandbox, stripe_connection):
    run = engine.run(contest([], stripe_connection))
    assert run.state == "success"
    assert as_json(engine.result(run, "submit")) == []


@pytest.mark.parametrize("status", [401, 503])
# Moov's account is read before any dispute.
@pytest.mark.parametrize(("kind", "reading"), [("stripe", "GetDisputesDispute"), ("moov", "getAccount")])
def test_an_approved_dispute_that_cannot_be_sent_is_held_and_fails_the_run(
    kind, reading, status, engine, sandbox, connect
):
    dispute = sandbox.create_dispute(api=kind)["id"]
    evidence = {"uncategorized_text": "Signed for."} if kind == "stripe" else {"cover-letter": "Signed for."}

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.fault(operation=reading, effect="status", status=status, times=None)
        return {"chosen_options": form["options"][:1], "params_input": {}}

    case = {"provider": kind, "dispute": dispute, "evidence": evidence}
    run = engine.run(contest([case], connect(kind)), answer)

    [record] = as_json(engine.result(run, "submit"))
    assert record["state"] == "held"
    assert str(status) in record["reason"]
    assert run.state == "failed", "no reviewer held it"
    assert not any(entry["submitted"] for entry in sandbox.journal())


def test_a_retried_task_has_logged_its_submissions(engine, sandbox, stripe_connection, capfd, monkeypatch):
    monkeypatch.setattr(attempts, "_ATTEMPTS", 1)
    for dispute in ("du_1", "du_2"):
        sandbox.create_dispute(api="stripe", id=dispute)

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.fault(operation="GetDisputesDispute", dispute="du_2", effect="status", status=503, times=None)
        return {"chosen_options": form["options"][:1], "params_input": {}}

    dag = contest([stripe_case("du_1"), stripe_case("du_2")], stripe_connection)
    dag.get_task("submit").retries = 1
    dag.get_task("submit").retry_delay = timedelta(0)
    run = engine.run(dag, answer)

    assert {record["state"] for record in as_json(engine.result(run, "submit"))} == {"submitted", "held"}
    first_try, _, second_try = capfd.readouterr().out.partition("1 of 2 disputes could not be reached")
    assert "dispute=du_1 state=submitted" in first_try
    assert "dispute=du_1 state=submitted" in second_try


def test_evidence_that_changed_after_the_review_is_not_submitted(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1")

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.edit_dispute("du_1", evidence={"customer_name": "a colleague's edit"})
        return {"chosen_options": form["options"][:1], "params_input": {}}

    run = engine.run(contest([stripe_case("du_1")], stripe_connection), answer)

    [record] = as_json(engine.result(run, "submit"))
    assert record["state"] == "refused"
    assert "changed since it was approved" in record["reason"]
    assert not any(entry["submitted"] for entry in sandbox.journal())


@pytest.mark.parametrize(
    "forged", ["responder", "no signature", "digest", "documents", "run", "state", "taken back"]
)
def test_an_approval_that_was_edited_in_xcom_submits_nothing(forged, engine, sandbox, stripe_connection):
    """The review's XCom is edited, or copied from another run or an earlier answer, before it is read."""
    import steps
    from msgspec.structs import replace

    from dispute_provider._evidence.record import Approval, Record, State
    from dispute_provider._tasks.signing import Signer
    from dispute_provider.hooks.stripe import StripeHook

    sandbox.create_dispute(api="stripe", id="du_1")
    hook = StripeHook(http_conn_id=stripe_connection)
    from dispute_provider._evidence.case import Case

    case = Case.parse(stripe_case("du_1"))
    record = Record("stripe", stripe_connection, "du_1", State.STAGED, "")
    record = hook.with_api(lambda api: steps.stage(api, case, {}, record))
    run_key = "test/another-run" if forged == "run" else "test/this-run"
    answer = Approval("submit", "ana", "now", review="review/-1/first")
    record = replace(record.ended(State.APPROVED, "approved"), approval=answer)
    if forged == "state":
        record = replace(record, state=State.HELD)
    record = Signer(run_key).sign(record)
    if forged == "state":
        record = replace(record, state=State.APPROVED)
    if forged == "responder":
        record = replace(record, approval=replace(answer, responder="mallory"))
    if forged == "no signature":
        record = replace(record, signature=None)
    if forged == "digest":
        record = replace(record, digest="0" * 64)
    if forged == "documents":
        record = replace(record, documents={"file_1": "0" * 64})
    with DAG("submit_only", schedule=None) as dag:
        SubmitEvidenceOperator(task_id="submit", approved=[record.to_dict()])
    opened = "second" if forged == "taken back" else "first"
    open_review(
        {
            "dag_run": SimpleNamespace(dag_id="test", run_id="this-run"),
            "ti": SimpleNamespace(task_id="review", map_index=-1, id=opened),
            "asset_state_store": ASSETS,
        }
    )
    [result] = running.run(dag.get_task("submit"), run_id="this-run")

    assert result["state"] == "refused"
    whys = {"no signature": "not signed", "run": "another run", "taken back": "the review was opened again"}
    assert whys.get(forged, "edited after it was signed") in result["reason"]
    assert not any(entry["submitted"] for entry in sandbox.journal())


HOSTILE = (
    "{{ conn.stripe_default.password }} {% raw %} ``` ![x](http://evil.example/x.png) <script>\u202e</script>"
)


def test_customer_text_is_never_rendered(engine, sandbox, stripe_connection):
    sandbox.create_dispute(api="stripe", id="du_1")

    run = engine.run(
        contest([stripe_case("du_1", HOSTILE)], stripe_connection),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    assert run.state == "success"
    assert sandbox.dispute("du_1")["evidence"]["uncategorized_text"] == HOSTILE
    [form] = engine.forms
    assert "sk_test" not in json.dumps(form)
    assert "````text" in form["body"], "a fence that the text cannot close"
    assert "\u202e" not in form["body"]


def test_every_submission_has_a_receipt_with_the_approver(
    engine, sandbox, stripe_connection, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    sandbox.create_dispute(api="stripe", id="du_1")

    run = engine.run(
        contest([stripe_case("du_1", "Delivered and signed for.")], stripe_connection),
        lambda form: {"chosen_options": form["options"][:1], "params_input": {}},
    )

    [record] = as_json(engine.result(run, "submit"))
    [file] = tmp_path.rglob("*.json")
    receipt = json.loads(file.read_text())
    assert receipt["digest"] == record["digest"]
    assert receipt["request_id"] == record["request_id"]
    assert receipt["approval"]["responder"].startswith("ana")
    assert "Delivered" not in file.read_text()


@pytest.mark.parametrize(
    ("prepared_by", "state"), [("Ana", "held"), ("Bob Jones", "submitted"), (None, "held")]
)
def test_above_an_amount_the_preparer_of_a_case_may_not_approve_it(
    prepared_by, state, engine, sandbox, stripe_connection, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__PEOPLE", "ana, Bob Jones:bob")
    sandbox.create_dispute(api="stripe", id="du_1", amount=50_000, currency="usd")
    case = stripe_case("du_1") | ({"prepared_by": prepared_by} if prepared_by else {})
    dag = contest([case], stripe_connection, four_eyes_from={"USD": 50_000})

    run = engine.run(dag, lambda form: {"chosen_options": form["options"][:1], "params_input": {}})

    [record] = as_json(engine.result(run, "submit"))
    assert record["state"] == state
    assert state == "submitted" or "four eyes" in record["reason"]
