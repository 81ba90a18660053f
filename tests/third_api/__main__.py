"""Add a third API to a copy of this checkout and run its tests there: ``python -m tests.third_api``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.third_api.change import diff_stat, run_tests, with_third_api

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        copy = with_third_api(Path(folder))
        print(diff_stat(copy), flush=True)
        sys.exit(run_tests(copy).returncode)
