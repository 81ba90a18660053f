"""Build the package's wheel from a copy of the tree, so that no earlier build leaks into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def build_wheel(folder: Path) -> Path:
    """Build the wheel into ``folder`` and return its path.

    :raises subprocess.CalledProcessError: if the build fails; it has the build's output.
    """
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, source)
        for tree in ("dispute_provider", "schemas", "dags"):
            shutil.copytree(ROOT / tree, source / tree, ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, "-c", _BUILD, str(folder.resolve())]
        subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)  # our own
    [wheel] = folder.glob("*.whl")
    return wheel
