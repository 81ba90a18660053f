"""One dispute that reaches submission by several ways is sent once; one failure stays with its dispute."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import running
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.context import TaskStateStoreAccessor
from contesting import READ
from faults_page import rows
from flows import SMALL, contest
from support import pass_time

from dispute_provider._transport import timeouts
from dispute_provider._workflow.sending import final_call
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

TEXT = {"stripe": "uncategorized_text", "moov": "cover-letter"}
SUBMIT = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}
SENT_BUT = "another approved record of this dispute"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(final_call, "READ_BACK_DELAYS", (0.0, 0.0))
    monkeypatch.setattr(timeouts, "SETTLED_AFTER", 0.0)
    pass_time(monkeypatch)


def case(kind: str, dispute: str, text: str = "Signed for.") -> dict[str, Any]:
    return {"provider": kind, "dispute": dispute, "evidence": {TEXT[kind]: text}}


def records(engine: Any, run: Any, task: str = "submit") -> list[dict[str, Any]]:
    value = engine.result(run, task)
    return json.loads(value) if isinstance(value, str) else value


def submitted(sandbox: Any) -> int:
    return [entry["submitted"] for entry in sandbox.journal()].count(True)


def in_chunks(chunks: list[list[Any]], conn_id: str) -> DAG:
    """Mapped staging and reviews of chunks, as a large batch is worked on; one submission of all."""
    with DAG("contest_chunks", schedule=None) as dag:
        stage = StageEvidenceOperator.partial(task_id="stage", conn_id=conn_id).expand(cases=chunks)
        review = ReviewEvidenceOperator.partial(task_id="review", policy=SMALL).expand(staged=stage.output)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


def by_two_stagings(cases: list[dict[str, Any]], connections: list[str]) -> DAG:
    """Two stagings in turn, each with its review and its connection; one submission of both."""
    with DAG("contest_twice", schedule=None) as dag:
        before, approved = None, []
        for number, (each, connection) in enumerate(zip(cases, connections, strict=True)):
            stage = StageEvidenceOperator(task_id=f"stage_{number}", cases=[each], conn_id=connection)
            review = ReviewEvidenceOperator(task_id=f"review_{number}", staged=stage.output, policy=SMALL)
            if before:
                before >> stage
            before = review
            approved.append(review.output)
        SubmitEvidenceOperator(task_id="submit", approved=approved[0].concat(approved[1]))
    return dag


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_dispute_in_two_mapped_chunks_is_sent_once_and_both_records_end_submitted(
    kind, engine, sandbox, connect
):
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api=kind, amount=100)["id"]
    run = engine.run(in_chunks([[case(kind, dispute)], [case(kind, dispute)]], connect(kind)))
    first, second = records(engine, run)
    assert submitted(sandbox) == 1
    assert [first["state"], second["state"]] == ["submitted", "submitted"]
    assert SENT_BUT not in first["reason"]
    assert SENT_BUT in second["reason"]


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_dispute_of_two_cases_with_other_evidence_is_sent_once(kind, engine, sandbox, connect):
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api=kind, amount=100)["id"]
    cases = [case(kind, dispute, "The first version."), case(kind, dispute, "The second version.")]
    run = engine.run(by_two_stagings(cases, [connect(kind), connect(kind, f"{kind}_again")]))
    states = sorted(record["state"] for record in records(engine, run))
    assert submitted(sandbox) == 1, states
    assert states == ["refused", "submitted"], "the first is not what the dispute holds any more"


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_cleared_submission_of_two_versions_says_which_one_was_sent(kind, sandbox, connect):
    sandbox.settings(permissive=True)
    dispute, conn_id = sandbox.create_dispute(api=kind, amount=100)["id"], connect(kind)

    def task(operator: BaseOperator, try_number: int = 1) -> list[dict[str, Any]]:
        value = running.run(operator, try_number, "one run")
        return json.loads(value) if isinstance(value, str) else list(value)

    approved = []
    for version in ("first", "second"):
        cases = [case(kind, dispute, f"The {version} version.")]
        staged = task(StageEvidenceOperator(task_id=f"stage_{version}", cases=cases, conn_id=conn_id))
        approved += task(ReviewEvidenceOperator(task_id=f"review_{version}", staged=staged, policy=SMALL))

    def submit(try_number: int) -> list[str]:
        submission = SubmitEvidenceOperator(task_id="submit", approved=approved)
        return [end["state"] for end in task(submission, try_number)]

    sandbox.fault(operation=READ[kind], effect="status", status=404)
    assert submit(1) == ["refused", "submitted"]
    assert submit(2) == ["already-submitted", "submitted"], "each looks up its own end"
    assert submitted(sandbox) == 1


def test_two_spellings_of_a_uuid_and_two_connections_are_one_dispute(engine, sandbox, connect):
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api="moov", amount=100)["id"]
    connections = [connect("moov"), connect("moov", "moov_again")]
    sandbox.fault(operation=SUBMIT["moov"], effect="delay", seconds=0.3, times=None)
    run = engine.run(by_two_stagings([case("moov", dispute), case("moov", dispute)], connections))
    assert submitted(sandbox) == len(sandbox.journal(operation=SUBMIT["moov"])) == 1
    first, second = records(engine, run)
    assert (first["state"], second["state"]) == ("submitted", "submitted")
    assert SENT_BUT in second["reason"]

    from dispute_provider._evidence.record import Record, State
    from dispute_provider._state.approvals import dispute_of

    spelt = [
        Record("moov", "c", each, State.APPROVED, "", account=account)
        for each, account in ((dispute.upper(), "a"), (dispute, None))
    ]
    assert len({dispute_of(each) for each in spelt}) == 1


def test_a_dispute_that_two_reviews_submit_and_concede_is_answered_once(engine, sandbox, connect):
    dispute = sandbox.create_dispute(api="moov", amount=100)["id"]
    conn_id = connect("moov")
    with DAG("contest_both_ways", schedule=None) as dag:
        stage = StageEvidenceOperator(task_id="stage", cases=[case("moov", dispute)], conn_id=conn_id)
        policy = ReviewEvidenceOperator(task_id="review_0", staged=stage.output, policy=SMALL)
        person = ReviewEvidenceOperator(task_id="review_1", staged=stage.output)
        SubmitEvidenceOperator(task_id="submit", approved=policy.output.concat(person.output))

    def concede(form: dict[str, Any]) -> dict[str, Any]:
        [option] = [option for option in form["options"] if option.startswith("Concede")]
        return {"chosen_options": [option], "params_input": {"concede_confirm": dispute}}

    run = engine.run(dag, concede)
    first, second = records(engine, run)
    assert (first["state"], second["state"]) == ("submitted", "refused")
    assert f"{SENT_BUT} was sent" in second["reason"]
    assert not sandbox.journal(operation="acceptDispute")


def test_a_retry_keeps_the_first_and_stops_the_second(engine, sandbox, connect):
    dispute, other = (sandbox.create_dispute(api="moov", amount=100)["id"] for _ in range(2))
    chunks = [[case("moov", dispute)], [case("moov", dispute), case("moov", other)]]
    dag = in_chunks(chunks, connect("moov"))
    dag.get_task("submit").retries = 1
    dag.get_task("submit").retry_delay = timedelta(0)
    # The first try cannot reach one dispute, and is repeated for it.
    limited = {"effect": "status", "status": 429, "headers": {"Retry-After": "0"}, "times": 4}
    sandbox.fault(operation=SUBMIT["moov"], dispute=other, **limited)
    run = engine.run(dag)
    ends = [(record["dispute"], record["state"]) for record in records(engine, run)]
    assert sorted(ends) == sorted([(dispute, "submitted"), (dispute, "submitted"), (other, "submitted")])
    assert len([e for e in sandbox.journal(operation=SUBMIT["moov"]) if e["dispute"] == dispute]) == 1


def test_an_unusable_connection_stops_only_its_own_disputes(engine, sandbox, connect, monkeypatch):
    dispute, other = (sandbox.create_dispute(api="moov", amount=100)["id"] for _ in range(2))
    connections = [connect("moov"), connect("moov", "moov_again")]
    dag = by_two_stagings([case("moov", dispute), case("moov", other)], connections)
    dag.get_task("review_1").policy = None

    def answer(form: dict[str, Any]) -> dict[str, Any]:
        # The connection is changed after the review; its key, which signs approvals, is not.
        connect("moov", "moov_again", extra={"account": "no uuid"})
        return {"chosen_options": form["options"][:1], "params_input": {}}

    run = engine.run(dag, answer)
    ends = {record["dispute"]: record for record in records(engine, run)}
    assert ends[dispute]["state"] == "submitted"
    assert ends[other]["state"] == "held"
    assert "connection" in ends[other]["reason"]


def test_a_state_store_that_fails_after_the_send_loses_nothing(
    engine, sandbox, connect, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    dispute = sandbox.create_dispute(api="moov", amount=100)["id"]
    original = TaskStateStoreAccessor.set

    def fail_after_the_send(self: Any, key: str, value: Any, **options: Any) -> None:
        if submitted(sandbox):
            raise ConnectionError("the API server is away")
        original(self, key, value, **options)

    monkeypatch.setattr(TaskStateStoreAccessor, "set", fail_after_the_send)
    run = engine.run(contest([case("moov", dispute)], connect("moov"), policy=SMALL))
    [record] = records(engine, run)
    assert record["state"] == "submitted"
    assert submitted(sandbox) == 1
    assert len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.parametrize("place", ["gopher://nowhere/receipts", "a file"])
def test_receipts_that_cannot_be_written_are_logged(
    place, engine, sandbox, connect, tmp_path, monkeypatch, caplog, capfd
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path / "file") if place == "a file" else place)
    disputes = [sandbox.create_dispute(api="stripe", amount=100)["id"] for _ in range(2)]
    cases = [case("stripe", dispute) for dispute in disputes]
    run = engine.run(contest(cases, connect("stripe"), policy=SMALL))
    assert [record["state"] for record in records(engine, run)] == ["submitted", "submitted"]
    log = capfd.readouterr().out + caplog.text
    # A line may be captured as output and as a log.
    logged = {line.split('"')[3] for line in log.splitlines() if line.lstrip().startswith('"dispute":')}
    assert rows()["A receipt cannot be written"].quotes(log)
    assert logged == {*disputes}
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path / "receipts"))
    next_case = case("stripe", sandbox.create_dispute(api="stripe", amount=100)["id"])
    engine.run(contest([next_case], connect("stripe"), policy=SMALL))
    assert len([*(tmp_path / "receipts").rglob("*.json")]) == 1


def test_a_partial_receipt_is_written_again_and_a_complete_one_is_kept(
    engine, sandbox, connect, tmp_path, monkeypatch
):
    from dispute_provider._evidence.record import Record
    from dispute_provider._state.receipts import Receipts

    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    dispute = sandbox.create_dispute(api="stripe", amount=100)["id"]
    engine.run(contest([case("stripe", dispute)], connect("stripe"), policy=SMALL))
    [receipt] = tmp_path.rglob("*.json")
    whole = receipt.read_text()
    # As it was approved: the task signs its result again.
    record = Record.from_dict(json.loads(whole))

    receipt.write_text(whole[:40])
    Receipts().write(record)
    assert json.loads(receipt.read_text())["digest"] == record.digest
    receipt.write_text(whole)
    Receipts().write(record)
    assert receipt.read_text() == whole
    assert [path for path in tmp_path.rglob("*") if Path(path).is_file()] == [receipt]


def test_a_concession_has_a_receipt(engine, sandbox, connect, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__RECEIPTS", str(tmp_path))
    dispute = sandbox.create_dispute(api="stripe")["id"]

    def concede(form: dict[str, Any]) -> dict[str, Any]:
        [option] = [option for option in form["options"] if option.startswith("Concede")]
        return {"chosen_options": [option], "params_input": {"concede_confirm": dispute}}

    run = engine.run(contest([case("stripe", dispute)], connect("stripe")), concede)
    assert records(engine, run)[0]["state"] == "conceded"
    [receipt] = tmp_path.rglob("*.json")
    assert json.loads(receipt.read_text())["state"] == "conceded"
