"""The DAGs that ship, on Airflow's engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"


def load(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    file = "dispute_evidence" if dag_id.endswith("_dispute_evidence") else dag_id
    bag = DagBag(dag_folder=DAGS / f"{file}.py", bundle_name="dags-folder")
    assert not bag.import_errors
    return bag.dags[dag_id]


def approve(form: dict[str, Any]) -> dict[str, Any]:
    return {"chosen_options": form["options"][:1], "params_input": {"note": ""}}


def records(engine: Any, run: Any, task_id: str) -> list[dict[str, Any]]:
    value = engine.result(run, task_id)
    return json.loads(value) if isinstance(value, str) else value


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of cases that may be read."""
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return tmp_path


def write_case(folder: Path, dispute: str, text: str = "Delivered.", provider: str = "stripe") -> Path:
    place = folder / dispute
    place.mkdir(exist_ok=True)
    field = "uncategorized_text" if provider == "stripe" else "cover-letter"
    path = place / "case.json"
    path.write_text(json.dumps({"provider": provider, "dispute": dispute, "evidence": {field: text}}))
    return path


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
    (cases / "receipt.pdf").write_bytes(b"%PDF-1.4\n%%EOF")
    evidence = "{service_date: 2026-03-22, receipt: {file: receipt.pdf}}"
    case = f"provider: stripe\ndispute: du_1\nevidence: {evidence}\n"
    (cases / "one.yaml").write_text(case)

    run = engine.run(load("stripe_dispute_evidence"), approve, {"case_path": str(cases / "one.yaml")})

    assert run.state == "success"
    evidence = sandbox.dispute("du_1")["evidence"]
    assert evidence["service_date"] == "2026-03-22", "a date stays as it was written"
    assert evidence["receipt"].startswith("file_")
    [form] = engine.forms
    assert "14 bytes" in form["body"]


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


class Sweep:
    """Runs of the sweep, and the reviews that they open."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.dag = load("dispute_sweep")
        engine.register(load("dispute_review"))

    def run(self) -> Any:
        return self.engine.run(self.dag)

    def reviews(self) -> dict[str, list[str]]:
        """Which disputes each open review run is about."""
        runs = self.engine.api.get("/api/v2/dags/dispute_review/dagRuns").json()["dag_runs"]
        return {
            run["dag_run_id"]: sorted(record["dispute"] for record in run["conf"]["staged"])
            for run in runs
            if run["conf"].get("staged")
        }


@pytest.fixture
def sweep(engine, sandbox, stripe_connection, cases, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__SWEEP_CONNECTIONS", stripe_connection)
    sweep = Sweep(engine)
    for run_id in sweep.reviews():
        engine.api.delete(f"/api/v2/dags/dispute_review/dagRuns/{run_id}")
    return sweep


def test_the_sweep_asks_once_and_again_when_something_changes(sweep, sandbox, cases, request):
    disputes = [f"du_{request.node.name[-4:]}_{number}" for number in range(3)]
    for dispute in disputes:
        sandbox.create_dispute(api="stripe", id=dispute)
    for dispute in disputes[:2]:
        write_case(cases, dispute)

    assert sweep.run().state == "success"
    assert list(sweep.reviews().values()) == [disputes[:2]], "the third has no case"

    assert sweep.run().state == "success"
    assert len(sweep.reviews()) == 1, "nothing changed: nobody is asked again"

    write_case(cases, disputes[0], "Delivered, and signed for.")
    sweep.run()
    assert sorted(sweep.reviews().values()) == sorted([disputes[:2], disputes[:1]]), "its case changed"

    sandbox.edit_dispute(disputes[1], evidence={"customer_name": "a colleague's"})
    sweep.run()
    assert max(sweep.reviews().values()) == disputes[1:2], "the evidence at the API changed"


def test_two_sweeps_that_overlap_open_one_review(sweep, sandbox, cases, monkeypatch):
    """Both read the memory before either has written to it: the worst case of an overlap."""
    from dispute_provider.operators import sweep as operators

    sandbox.create_dispute(api="stripe", id="du_overlap")
    write_case(cases, "du_overlap")
    monkeypatch.setattr(operators, "_memory", lambda context, conn_id: {})

    first, second = sweep.run(), sweep.run()

    assert (first.state, second.state) == ("success", "success")
    assert list(sweep.reviews().values()) == [["du_overlap"]]


def test_the_scheduler_never_runs_two_sweeps_at_once():
    assert load("dispute_sweep").max_active_runs == 1


def test_a_broken_case_is_refused_loudly_and_stops_no_other(sweep, sandbox, cases):
    sandbox.create_dispute(api="stripe", id="du_fine")
    write_case(cases, "du_fine")
    (cases / "broken.yaml").write_text("provider: [")

    run = sweep.run()

    assert run.state == "failed"
    assert list(sweep.reviews().values()) == [["du_fine"]]
