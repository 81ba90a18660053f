"""Two runs of Airflow that start at the same time do not get the same port."""

from __future__ import annotations

import subprocess
import sys

from tests.harness.processes import free_port

_WANTED = 18_780
_CHILD = f"from tests.harness.processes import free_port; print(free_port({_WANTED}), flush=True); input()"


def test_a_port_is_kept_for_the_process_that_asked_first() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdin and first.stdout
        port = int(first.stdout.readline())
        assert free_port(_WANTED) != port
        first.stdin.write("end\n")
