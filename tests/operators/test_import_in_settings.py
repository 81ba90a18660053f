"""``docs/scale.md`` lets Airflow's local settings import the operators, before Airflow itself is imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SCALE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_airflows_settings_can_import_what_the_page_recommends(tmp_path: Path) -> None:
    [lines] = re.findall(r"```python\n((?:import dispute_provider\S+\n)+)```", SCALE.read_text("utf-8"))
    modules = re.findall(r"import (\S+)", lines)
    assert "dispute_provider.operators.evidence" in modules
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "airflow_local_settings.py").write_text(lines)
    code = f"import airflow.settings, sys; assert {set(modules)!r} <= {{*sys.modules}}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("_AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
