"""Imports stay cheap: a DAG file imports no HTTP client, hook or validator; a task one HTTP client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import dispute_provider.example_dags
import pytest

import dispute_provider._apis
import dispute_provider._cases
import dispute_provider._state
import dispute_provider._tasks
import dispute_provider._transport
import dispute_provider._workflow
import dispute_provider.hooks
import dispute_provider.operators
from dispute_provider.sandbox import Sandbox


def _modules(*packages: ModuleType) -> list[str]:
    return [
        module.name
        for package in packages
        for module in iter_modules(package.__path__, f"{package.__name__}.")
    ]


MODULES = _modules(
    dispute_provider.operators,
    dispute_provider._tasks,
    dispute_provider._state,
    dispute_provider._cases,
    dispute_provider.example_dags,
)
# Modules that any DAG file with a human-in-the-loop task imports.
BASELINE = (
    "import airflow.sdk, airflow.providers.standard.operators.hitl; from airflow.sdk import DAG, BaseOperator"
)
PROBE = f"""
import importlib, json, sys
{BASELINE}
costs = {{}}
for name in sys.argv[1:]:
    before = set(sys.modules)
    importlib.import_module(name)
    costs[name] = sorted(set(sys.modules) - before)
print(json.dumps(costs))
"""
HEAVY = (
    "aiohttp",
    "airflow.models.asset",
    "airflow.providers.http",
    "dispute_provider._apis",
    "dispute_provider._contracts.validation",
    "dispute_provider.hooks",
    "dispute_provider.sandbox",
    "dispute_provider._transport",
    "dispute_provider._workflow.staging.write_evidence",
    "dispute_provider._workflow.sending.submit",
    "jsonschema",
    "requests",
    "tenacity",
    "urllib3",
    "uvicorn",
)
# A task imports this before the DAG file. It then stages a case, and imports the hooks of other tasks.
TASK = f"""
import importlib, json, sys
from types import SimpleNamespace
import airflow.sdk.execution_time.task_runner
{BASELINE}
before = set(sys.modules)
from dispute_provider.operators.evidence import StageEvidenceOperator
case, conn_id, *others = sys.argv[1:]
stage = StageEvidenceOperator(task_id="stage", cases=[json.loads(case)], conn_id=conn_id)
sys.path.append({str(Path(__file__).parent)!r})
from state_stores import AssetStores, StateStore
[record] = stage.execute(
    {{
        "asset_state_store": AssetStores(),
        "task_state_store": StateStore(),
        "ti": SimpleNamespace(task_id="stage", map_index=-1, try_number=1),
        "dag_run": SimpleNamespace(dag_id="cost", run_id="one"),
    }}
)
for name in others:
    importlib.import_module(name)
print(json.dumps([record["state"], sorted(set(sys.modules) - before)]))
"""
OTHER_CLIENT = {"requests", "urllib3", "airflow.providers.http.hooks.http"}
OF_HOOKS = {f"dispute_provider.hooks.{name}" for name in ("_base", *dispute_provider.APIS)}
OF_TASKS = [
    module
    for module in _modules(
        dispute_provider._apis,
        dispute_provider.hooks,
        dispute_provider._transport,
        dispute_provider._workflow,
    )
    if module not in OF_HOOKS
]

# What a review, its answer, its submission and its outcome import in turn, without Airflow.
OF_REVIEWS = (
    "_cases.storage",
    "_evidence.policy",
    "_ledger.signing",
    "_signatures",
    "_state.sweep",
    "_workflow.reviewing.decide",
    "_workflow.reviewing.deduplicate",
    "_workflow.reviewing.four_eyes",
    "_workflow.reviewing.reread",
    "_workflow.sending.reject",
    "_workflow.sending.submit",
)


@pytest.fixture(scope="module")
def costs() -> dict[str, list[str]]:
    """Return the modules that each module of the package adds, imported in turn in a new interpreter."""
    output = subprocess.run(
        [sys.executable, "-c", PROBE, *MODULES], capture_output=True, text=True, check=True
    ).stdout
    parsed: dict[str, list[str]] = json.loads(output.splitlines()[-1])
    return parsed


def test_the_operators_are_measured() -> None:
    assert {f"dispute_provider.operators.{name}" for name in ("evidence", "moov", "stripe")} <= {*MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_nothing_heavy(module: str, costs: dict[str, list[str]]) -> None:
    heavy = [name for name in costs[module] if name.startswith(tuple(f"{root}." for root in HEAVY))]
    heavy += [name for name in costs[module] if name in HEAVY]
    assert not heavy


def imported_by(code: str) -> set[str]:
    """Return the modules that code imports in a new interpreter."""
    printed = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", printed], capture_output=True, text=True, check=True).stdout
    return {*json.loads(out.splitlines()[-1])}


def test_the_package_and_its_provider_info_import_no_airflow() -> None:
    imported = imported_by("from dispute_provider.get_provider_info import get_provider_info as info; info()")
    ours = {name for name in imported if name.partition(".")[0] in ("airflow", "dispute_provider")}
    expected = {"_config", "_former_paths", "get_provider_info"}
    assert ours == {"dispute_provider", *(f"dispute_provider.{name}" for name in expected)}


def test_what_is_preloaded_is_all_that_is_heavy_in_a_task() -> None:
    preloaded = imported_by("import dispute_provider.preload")
    assert {"aiohttp", *(f"dispute_provider.{name}" for name in OF_REVIEWS)} <= preloaded
    assert not preloaded & OTHER_CLIENT
    of_task = imported_by("".join(f"import {module}\n" for module in OF_TASKS))
    assert not {name for name in of_task - preloaded if name.startswith(("aiohttp", "jsonschema_rs"))}


def test_the_scheduler_imports_what_the_tasks_that_it_forks_need() -> None:
    imported = imported_by("from airflow.jobs.job import Job\nJob()")
    assert {"aiohttp", "dispute_provider.operators.sweep", "dispute_provider.preload"} <= imported


def test_a_scheduler_that_forks_no_tasks_imports_only_the_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor")
    imported = imported_by("from airflow.jobs.job import Job\nJob()")
    assert "dispute_provider._preloading" in imported
    assert "dispute_provider.preload" not in imported


def test_a_task_of_another_dag_imports_only_the_listener() -> None:
    imported = imported_by("""
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker
from airflow.sdk.listener import get_listener_manager
get_listener_manager().hook.on_starting(component=TaskRunnerMarker())
""")
    ours = {name for name in imported if name.startswith("dispute_provider.")}
    expected = {"_config", "_former_paths", "_plugin", "_preloading", "get_provider_info"}
    assert ours <= {f"dispute_provider.{name}" for name in expected}
    assert "dispute_provider._preloading" in ours


def test_a_public_name_imports_no_more_than_its_module() -> None:
    names = [name for name in dispute_provider.__all__ if not name.endswith("Hook")]
    imported = imported_by(f"{BASELINE}\nfrom dispute_provider import {', '.join(names)}")
    # Only the contract of an answer is read; no other heavy module is imported.
    heavy = [name for name in HEAVY if name != "dispute_provider._contracts.validation"]
    assert not imported.intersection(heavy) - imported_by(BASELINE)


def test_files_of_the_evidence_store_do_not_start_the_lineage_of_airflow(tmp_path: Path) -> None:
    # It imports the assets of all providers, and with them Airflow's models.
    imported = imported_by(f"""{BASELINE}
import io, os
os.environ["AIRFLOW__DISPUTE__EVIDENCE_STORE"] = {str(tmp_path)!r}
from dispute_provider._state import evidence_store
sha256 = evidence_store.put(b"receipt")
evidence_store.put_file(io.BytesIO(b"receipts"), sha256[::-1])
assert evidence_store.get(sha256) == b"receipt"
assert evidence_store.fetch(sha256, copy := io.BytesIO()) and copy.getvalue() == b"receipt"
""")
    assert not {"airflow.models.asset", "airflow.sdk.lineage"} & imported


def test_a_task_of_the_workflow_imports_one_http_client(sandbox: Sandbox, stripe_connection: str) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    text = {"uncategorized_text": "Delivered and signed for."}
    case = json.dumps({"provider": "stripe", "dispute": "du_1", "evidence": text})
    output = subprocess.run(
        [sys.executable, "-c", TASK, case, stripe_connection, *OF_TASKS],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    state, imported = json.loads(output.splitlines()[-1])
    assert state == "staged"
    assert "aiohttp" in imported
    assert not (OTHER_CLIENT | OF_HOOKS).intersection(imported)
