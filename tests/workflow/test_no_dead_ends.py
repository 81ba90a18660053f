"""No dispute leaves a run, or is forgotten between sweeps, without a named end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import channels
import flows
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from faults_page import rows
from flows import SMALL
from msgspec.structs import replace
from sweeping import write_case
from test_asking_again import HOUR, in_store
from test_returning import records
from test_review_task import context

from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._state.approvals import SUBMISSIONS
from dispute_provider._state.sweep_store import ANSWERED, ENDED, REMINDED
from dispute_provider._tasks.signing import Signer
from dispute_provider.operators.evidence import ReportOutcomeOperator


@pytest.mark.parametrize(("marked", "state"), [("stage", None), ("review", "held"), ("submit", "unknown")])
def test_a_task_marked_as_success_fails_the_run_by_name(
    marked, state, engine, sandbox, stripe_connection, capfd
):
    sandbox.create_dispute(api="stripe", id="du_1", amount=1200)
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "Zoë"}}
    dag = flows.contest([case], stripe_connection, policy=SMALL)
    engine.register(dag)

    run = dag.test(mark_success_pattern=marked)

    assert run.state == "failed"
    log = capfd.readouterr().out
    assert f"task '{marked}' returned no records" in log
    if state:
        assert f"  dispute=du_1 state={state}" in log
    assert not any(entry["submitted"] for entry in sandbox.journal())
    title = f"The {marked} task is marked as success by hand"
    assert not state or rows()[title].quotes(log)
    assert engine.run(dag).state == "success"
    assert [entry["submitted"] for entry in sandbox.journal()].count(True) == 1


@pytest.mark.parametrize(
    ("now", "end"),
    [("needs_response", "unknown"), ("under_review", "already-submitted"), ("lost", "refused")],
)
def test_the_outcome_reads_an_unknown_end_again(now, end, sandbox, stripe_connection):
    found = sandbox.create_dispute(api="stripe", id="du_1")
    sandbox.edit_dispute("du_1", status=now)
    approval = Approval("submit", "ana (ana)", datetime.now(UTC).isoformat())
    record = Record("stripe", stripe_connection, "du_1", State.UNKNOWN, "sent perhaps", approval=approval)
    signed = Signer("contest/this-run").sign(replace(record, stage="chargeback", due=due_of(found)))
    with DAG("contest", schedule=None):
        outcome = ReportOutcomeOperator(task_id="outcome", results=[signed.to_dict()])

    if end == "already-submitted":
        assert outcome.execute(context()) == {end: 1}
    else:
        with pytest.raises(AirflowFailException, match=f"state={end}"):
            outcome.execute(context())


def due_of(dispute: dict[str, Any]) -> str:
    due = dispute["object"]["evidence_details"]["due_by"]
    return datetime.fromtimestamp(due, UTC).isoformat()


@pytest.mark.parametrize(("now", "end"), [("under_review", "already-submitted"), ("lost", "refused")])
def test_the_next_sweep_reports_the_result_of_an_unknown_end(
    now, end, sweep, engine, sandbox, cases, stripe_connection
):
    dispute = f"du_unknown_{now}"
    opening = ended_unknown(dispute, sweep, engine, sandbox, cases, stripe_connection)
    sandbox.edit_dispute(dispute, status=now)

    run = sweep.run()

    [record] = records(engine, run, "find", "no_longer_open")
    assert (record.dispute, record.state) == (dispute, end)
    assert rows()["Between sweeps: It ended `unknown`, or its end was not stored"].quotes(record.reason)
    assert run.state == ("failed" if end == "refused" else "success")
    assert records(engine, sweep.run(), "find", "no_longer_open") == [], "once"
    assert in_store(engine, SUBMISSIONS, lambda store: store.get(opening)) is None, "it is no longer needed"


def test_an_unknown_end_that_cannot_be_read_is_read_by_the_next_sweep(
    sweep, engine, sandbox, cases, stripe_connection, caplog
):
    dispute = "du_unknown_unread"
    ended_unknown(dispute, sweep, engine, sandbox, cases, stripe_connection)
    sandbox.edit_dispute(dispute, status="under_review")
    sandbox.fault(operation="GetDisputesDispute", dispute=dispute, effect="status", status=403, times=None)

    assert records(engine, sweep.run(), "find", "no_longer_open") == []
    title = "Between sweeps: A dispute that ended `unknown` is no longer open, and cannot be read"
    assert rows()[title].quotes(caplog.text)

    sandbox.clear_faults()
    [record] = records(engine, sweep.run(), "find", "no_longer_open")
    assert (record.dispute, record.state) == (dispute, "already-submitted")


def ended_unknown(
    dispute: str, sweep: Any, engine: Any, sandbox: Any, cases: Any, stripe_connection: str
) -> str:
    """Have the review of a dispute end unknown; returns the key of which of its openings counts."""
    sandbox.create_dispute(api="stripe", id=dispute)
    write_case(cases, dispute)
    sweep.run()
    [run_id] = sweep.reviews()
    review, key = f"dispute_review/{run_id}", f"{stripe_connection}/{dispute}"
    at = "2026-11-01T09:30:00+00:00"
    answer = {"review": review, "action": "submit", "who": "ana", "at": at, "place": "review/-1"}
    opening = f"answers {review}/review/-1"
    in_store(engine, ANSWERED, lambda store: store.set(review, {key: answer}))
    in_store(engine, ENDED, lambda store: store.set(review, {key: {**answer, "state": "unknown"}}))
    in_store(engine, SUBMISSIONS, lambda store: store.set(opening, "review/-1/first"))
    return opening


@pytest.mark.parametrize(("hours", "state"), [(50, "failed"), (300, "success")])
def test_a_dispute_without_a_case_fails_the_sweep_once_it_is_due_soon(
    hours, state, sweep, engine, sandbox, cases, stripe_connection, monkeypatch, capfd
):
    monkeypatch.setenv("AIRFLOW__DISPUTE__NOTIFIERS", "channels.team")
    monkeypatch.setattr(channels, "delivered", [])
    in_store(engine, REMINDED, lambda store: store.set(stripe_connection, {}))
    dispute = f"du_caseless_{hours}"
    sandbox.create_dispute(api="stripe", id=dispute, due_in=hours * HOUR)

    run = sweep.run()

    assert run.state == state
    assert (dispute in "".join(channels.delivered)) == (state == "failed")
    assert (f"  dispute={dispute} state=held" in capfd.readouterr().out) == (state == "failed")
    if state == "failed":
        title = (
            "Between sweeps: A dispute has no case, or its stage must be answered elsewhere, "
            "and it is due within the hours of `[dispute] reminders`"
        )
        assert rows()[title].quotes("".join(channels.delivered))
    write_case(cases, dispute)
    assert sweep.run().state == "success"
    assert list(sweep.reviews().values()) == [[dispute]]
