"""Install the wheel into new environments with old and new releases; run tests and the demo there."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.compat.rows import ROWS, Result, check
from tests.compat.wheel import build_wheel


def main() -> int:
    """Check the rows named on the command line, or all; return 0 if every one passed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; default: all")
    names = parser.parse_args().rows or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        results = [check(name, wheel) for name in names]
    _show(results)
    return 0 if all(result.passed for result in results) else 1


def _show(results: list[Result]) -> None:
    table = Table(title=f"The wheel on Python {sys.version_info.major}.{sys.version_info.minor}")
    for heading in ("Row", "Airflow", "HTTP", "Standard", "Tests", "Demo", "Seconds"):
        table.add_column(heading, justify="right" if heading == "Seconds" else "left")
    for result in results:
        versions = (result.versions.get(name, "–") for name in ("", "-providers-http", "-providers-standard"))
        table.add_row(result.row, *versions, result.tests, result.demo, f"{result.seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
