"""The DAGs that ship, and sweeps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DAGS = Path(__file__).parents[2] / "dags"


def load(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    file = "dispute_evidence" if dag_id.endswith("_dispute_evidence") else dag_id
    bag = DagBag(dag_folder=DAGS / f"{file}.py", bundle_name="dags-folder")
    assert not bag.import_errors
    return bag.dags[dag_id]


def write_case(folder: Path, dispute: str, text: str = "Delivered.", provider: str = "stripe") -> Path:
    place = folder / dispute
    place.mkdir(exist_ok=True)
    field = "uncategorized_text" if provider == "stripe" else "cover-letter"
    path = place / "case.json"
    path.write_text(json.dumps({"provider": provider, "dispute": dispute, "evidence": {field: text}}))
    return path


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
