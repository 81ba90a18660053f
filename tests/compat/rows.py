"""Check one row: an environment with the wheel, the chosen tests and the demo."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.compat.wheel import ROOT

_HERE = Path(__file__).parent
_FOLDER = ROOT / ".compat"
# Each row's constraints file in tests/compat/constraints; None installs the newest releases.
ROWS: Mapping[str, str | None] = {
    "oldest": "3.3.0.txt",
    "3.3.1": "3.3.1.txt",
    "3.3.2": "3.3.2.txt",
    "lowest": "lowest.txt",
    "newest": None,
}
# Tests that depend on the releases of Airflow, its providers and the libraries. All others test plain Python.
TESTS = (
    "tests/apis",
    "tests/cases/test_case_files.py",
    "tests/contracts/test_answers.py",
    "tests/contracts/test_refusals.py",
    "tests/contracts/test_screening.py",
    "tests/documents",
    "tests/explain/test_forms.py",
    "tests/hooks",
    "tests/ledger/test_ledger_id.py",
    "tests/ledger/test_write_check.py",
    "tests/network",
    "tests/operators",
    "tests/sandbox/test_sandbox_control.py",
    "tests/state/test_evidence_store.py",
    "tests/state/test_staging_memory.py",
    "tests/tasks",
    "tests/transport",
    "tests/ui",
    "tests/workflow/test_case_limits.py",
    "tests/workflow/test_final_calls.py",
    "tests/workflow/test_protocol.py",
    "tests/workflow/test_review_task.py",
    "tests/workflow/test_shipped_dags.py",
    "tests/workflow/test_staging.py",
    "tests/workflow/test_workflow.py",
)
_TAIL = 40


class _StepError(Exception):
    """A command failed; its log was printed."""


@dataclass
class Result:
    """The result of a row; ``–`` marks steps that were not reached.

    :param versions: of Airflow's packages, by name without ``apache-airflow``.
    """

    row: str
    versions: Mapping[str, str] = field(default_factory=dict)
    tests: str = "–"
    demo: str = "–"
    seconds: float = 0.0
    passed: bool = False


def check(row: str, wheel: Path) -> Result:
    """Check one row in a new ``.compat/<row>``; failures are printed, not raised."""
    result = Result(row)
    began = time.monotonic()
    folder = _FOLDER / row
    shutil.rmtree(folder, ignore_errors=True)
    tree = folder / "tree"
    _copy_tests(tree)
    try:
        python = _install(folder, wheel, ROWS[row])
        result.versions = _versions(python)
        result.tests = _test(folder, python)
        _run(folder / "demo.log", python, "-m", "demo", "--auto", cwd=tree)
        result.demo = "ok"
        result.passed = True
    except _StepError as error:
        print(f"{row}: {error}", flush=True)
    result.seconds = time.monotonic() - began
    return result


def _copy_tests(tree: Path) -> None:
    """Copy tests, demo and docs without the package, so that only the installed package can be imported."""
    for name in ("tests", "demo", "dags", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)


def _install(folder: Path, wheel: Path, constraints: str | None) -> Path:
    """Create the environment and return its Python."""
    uv = (sys.executable, "-m", "uv")
    log = folder / "install.log"
    _run(log, *uv, "venv", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    limits = ("-c", _HERE / "constraints" / constraints) if constraints else ()
    packages = (f"{wheel}[packet,sql]", "-r", _HERE / "tools.in")
    _run(log, *uv, "pip", "install", "--python", python, *packages, *limits, cwd=folder)
    _run(log, *uv, "pip", "check", "--python", python, cwd=folder)
    code = "import pathlib, dispute_provider; print(pathlib.Path(dispute_provider.__file__))"
    origin = Path(_output(python, "-c", code, cwd=folder / "tree"))
    if not origin.is_relative_to(folder / "venv"):
        raise _StepError(f"dispute_provider was imported from {origin}, not from the wheel")
    return python


def _versions(python: Path) -> dict[str, str]:
    listed = json.loads(
        _output(sys.executable, "-m", "uv", "pip", "list", "--format", "json", "--python", python)
    )
    prefix = re.compile("^apache-airflow")
    return {prefix.sub("", each["name"]): each["version"] for each in listed if prefix.match(each["name"])}


def _test(folder: Path, python: Path) -> str:
    """Run the chosen tests; return their counts."""
    report = folder / "tests.xml"
    options = ("-q", "--disable-warnings", "-n", "2", "--dist", "worksteal", f"--junitxml={report}")
    _run(folder / "tests.log", python, "-m", "pytest", *options, *TESTS, cwd=folder / "tree")
    [suite] = ElementTree.parse(report).getroot().iter("testsuite")  # pytest wrote it just now
    skipped = int(suite.get("skipped", 0))
    if skipped:
        raise _StepError(f"{skipped} tests were skipped: see {folder / 'tests.log'}")
    return f"{suite.get('tests')} passed"


def _run(log: Path, *command: str | Path, cwd: Path) -> None:
    """Run a command to its end, and append its output to the log.

    ``subprocess.run`` would kill the demo on Ctrl-C, and leave its Airflow running.

    :raises _StepError: if it fails.
    """
    if not log.exists():
        print(f"{log.parent.name}: {log.stem}", flush=True)
    with (
        log.open("ab") as output,
        subprocess.Popen(  # our own commands
            [str(part) for part in command], cwd=cwd, env=_environment(), stdout=output, stderr=output
        ) as process,
    ):
        code = process.wait()
    if code:
        print("\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:]))
        raise _StepError(f"failed; all of it is in {log}")


def _output(*command: str | Path, cwd: Path = ROOT) -> str:
    parts = [str(part) for part in command]
    return subprocess.run(  # our own commands
        parts, cwd=cwd, env=_environment(), check=True, capture_output=True, text=True
    ).stdout.strip()


def _environment() -> dict[str, str]:
    """Return the caller's environment, without settings for another package or another Airflow."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
