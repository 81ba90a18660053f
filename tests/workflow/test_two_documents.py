"""Two cases of one dispute with different documents, staged by two tasks: one submission."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from papers import picture

from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

SUBMIT = {"stripe": "PostDisputesDispute", "moov": "submitDisputeEvidence"}
# Both documents stay on the dispute, so that a reviewer sees the same evidence for either case.
DOCUMENTS = {"stripe": ("receipt", "service_documentation"), "moov": ("receipt", "proof-of-delivery")}


def write_cases(folder: Path, kind: str, dispute: str) -> list[str]:
    paths = []
    for size, name in enumerate(DOCUMENTS[kind], 40):
        (folder / name).mkdir()
        (folder / name / "page.jpg").write_bytes(picture("JPEG", size=(size, 30)))
        path = folder / name / "case.json"
        case = {"provider": kind, "dispute": dispute, "evidence": {name: {"file": "page.jpg"}}}
        path.write_text(json.dumps(case))
        paths.append(str(path))
    return paths


def contest(paths: list[str], conn_id: str, reviews: int) -> DAG:
    """Two stagings in turn, one review of both or one of each, and one submission."""
    with DAG("contest", schedule=None) as dag:
        first, second = (
            StageEvidenceOperator(task_id=f"stage_{number}", cases=[path], conn_id=conn_id)
            for number, path in enumerate(paths)
        )
        first >> second
        both = [first.output, second.output] if reviews == 2 else [first.output.concat(second.output)]
        asked = [
            ReviewEvidenceOperator(task_id=f"review_{number}", staged=staged)
            for number, staged in enumerate(both)
        ]
        second >> asked
        approved = asked[0].output.concat(asked[1].output) if reviews == 2 else asked[0].output
        submit = SubmitEvidenceOperator(task_id="submit", approved=approved)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    return dag


@pytest.mark.parametrize("reviews", [1, 2], ids=["one review", "two reviews"])
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_two_cases_with_different_documents_are_submitted_once(
    kind: str, reviews: int, engine: Any, sandbox: Any, connect: Any, cases: Path
) -> None:
    # The API carries out each request, after a moment, so that two requests can meet.
    sandbox.settings(permissive=True)
    dispute = sandbox.create_dispute(api=kind, amount=100, currency="usd")["id"]

    def approve(form: dict[str, Any]) -> dict[str, Any]:
        sandbox.fault(operation=SUBMIT[kind], effect="delay", seconds=0.5, times=None)
        return {"chosen_options": form["options"][:1], "params_input": {}}

    run = engine.run(contest(write_cases(cases, kind, dispute), connect(kind), reviews), approve)

    value = engine.result(run, "submit")
    records = json.loads(value) if isinstance(value, str) else value
    sent = [entry for entry in sandbox.journal(operation=SUBMIT[kind]) if entry["submitted"]]
    keys = [entry["headers"].get("idempotency-key") for entry in sent]
    assert len(sent) == 1, keys
    states = sorted(record["state"] for record in records)
    if reviews == 1:
        assert states == ["refused", "submitted"]
        assert run.state == "failed", "a person learns that there are two cases"
    else:
        # Both reviewers were shown both documents, and approved the same evidence.
        assert states == ["submitted", "submitted"]
        assert len({record["digest"] for record in records}) == 1
