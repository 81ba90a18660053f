"""Apply the third API to a copy of the checkout, and run its tests there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDED = Path(__file__).with_name("added")
ENTRIES = Path(__file__).with_name("entries.patch")
COPIED = ("dispute_provider", "schemas", "dags", "docs", "tests")
# Its own tests; the redaction of its answers; and that no name of its wire is used elsewhere.
TESTS = (
    "tests/acme",
    "tests/ui/test_acme_view.py",
    "tests/operators/test_redacted_answers.py",
    "tests/test_wire_names.py::test_the_package_has_no_wire_names",
)


def with_third_api(folder: Path) -> Path:
    """Copy the checkout into a folder and apply the change to the copy; return the copy.

    The copy's git index holds the checkout, so that ``git diff`` shows the change.

    :raises subprocess.CalledProcessError: if the patch does not apply.
    """
    copy = folder / "checkout"
    copy.mkdir()
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "third_api", "artifacts")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    _git(copy, "init", "--quiet")
    _git(copy, "add", "--all")
    shutil.copytree(ADDED, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    _git(copy, "apply", str(ENTRIES))
    _git(copy, "add", "--all", "--intent-to-add")
    return copy


def diff_stat(copy: Path) -> str:
    """Return ``git diff --stat`` of the change."""
    return _git(copy, "diff", "--stat")


def changed_files(copy: Path) -> dict[str, tuple[int, int]]:
    """Return the lines that the change adds and removes, by file."""
    lines = (line.split("\t") for line in _git(copy, "diff", "--numstat").splitlines())
    return {name: (int(added), int(removed)) for added, removed, name in lines}


def run_tests(copy: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests of the change in the copy, whose package comes before the installed one."""
    # As in the wheel, where they are inside the package.
    for name, folder in (("schemas", "schemas"), ("example_dags", "dags")):
        (copy / "dispute_provider" / name).symlink_to(copy / folder)
    # Of the tests that are made from every contract, those of the API that is added.
    chosen = ["-k", "not stripe- and not moov-"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, *TESTS]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "COV"))
    }
    environment["PYTHONPATH"] = str(copy)
    return subprocess.run(command, cwd=copy, env=environment, text=True, check=False)


def _git(copy: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=copy, check=True, capture_output=True, text=True).stdout
