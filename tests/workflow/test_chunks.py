"""The DAG of `make scale`, and what judges it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scale.batch import Batch
from tests.scale.judge import Rate, mistakes, rate, shares
from tests.scale.sandbox import Request

DAGS = Path(__file__).parents[1] / "scale" / "dags"
WORKER = "worker-1"


def request(entry: dict[str, Any]) -> Request:
    facts = (entry[name] for name in ("operation", "dispute", "status", "submitted", "body"))
    return Request(entry["time"], entry["api"], WORKER, *facts)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return Batch.of("t", 8)


def test_concurrent_chunks_submit_each_dispute_once(
    batch, engine, sandbox, cases, stripe_connection, moov_connection
):
    from airflow.dag_processing.dagbag import DagBag

    sandbox.create_disputes(batch.made())
    batch.write_cases(cases)
    dag = DagBag(dag_folder=DAGS / "contest_in_chunks.py", bundle_name="dags-folder").dags[
        "contest_in_chunks"
    ]

    run = engine.run(dag, conf={"cases": str(cases / batch.name), "chunk": 2})

    assert run.state == "success"
    assert engine.forms == []
    requests = [request(entry) for entry in sandbox.journal()]
    held = sandbox.disputes()
    assert mistakes(batch.disputes, requests, held) == []

    [sent, *_] = [each for each in requests if each.submits]
    [text, *_] = [each for each in requests if each.operation == "uploadDisputeEvidenceText"]
    assert any("submitted 2 times" in each for each in mistakes(batch.disputes, [*requests, sent], held))
    without = [each for each in requests if each is not sent]
    assert any("submitted 0 times" in each for each in mistakes(batch.disputes, without, held))
    swapped = [replace(each, dispute="another") if each is text else each for each in requests]
    assert any("the evidence of another dispute" in each for each in mistakes(batch.disputes, swapped, held))
    assert len(mistakes(batch.disputes, requests, held[1:])) == 1
    assert any("not part of this run" in each for each in mistakes({}, requests, held))


def test_the_rate_is_that_of_the_busiest_second():
    at = [0.0, 0.5, 0.9, 1.2, 1.4, 7.0]
    requests = [Request(time, "moov", WORKER, "getDispute", None, 200, False, None) for time in at]
    other = Request(0.1, "stripe", WORKER, "GetDisputesDispute", None, 429, False, None)
    assert rate([*requests, other], "moov", 2) == Rate(6, 4, 1, 2.0, 0)
    assert rate([*requests, other], "stripe", 2) == Rate(1, 1, 0, 1.0, 1)


def test_a_kill_splits_the_submissions_of_a_worker():
    at = [1.0, 2.0, 3.0]
    requests = [Request(time, "moov", WORKER, "submitDisputeEvidence", "d", 200, True, None) for time in at]
    share = shares(requests, killed_at=3.0)[WORKER, "moov"]
    assert (share.requests, share.before, share.after) == (3, 2, 1)
