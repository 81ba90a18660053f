"""Start a lab for tests, and stop it without leaving a process or a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dispute_provider.sandbox import Sandbox
from tests.harness.client import Client
from tests.harness.lab import Lab
from tests.harness.processes import Airflow, end_cleanly, free_port
from tests.harness.progress import Progress

# Only a start that hangs takes longer; other work may load the machine.
_START_SECONDS = 900.0


@contextmanager
def running(
    sandbox: Sandbox,
    folder: Path,
    dags: Sequence[Path],
    settings: Mapping[str, str],
    *,
    needed: Sequence[str],
) -> Iterator[Lab]:
    """Start an Airflow, and yield it once it is ready; the caller adds the connections.

    :param folder: for all files, the cases included.
    :param dags: folders whose DAGs it reads.
    :param settings: environment variables in addition to those of :class:`tests.harness.processes.Airflow`.
    :param needed: ids of the DAGs that it must have read before it is ready.
    """
    for source in dags:
        shutil.copytree(source, folder / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__*"))
    (folder / "cases").mkdir()
    settings = {"AIRFLOW__DISPUTE__CASE_ROOTS": str(folder / "cases"), **settings}
    airflow = Airflow(folder / "airflow", free_port(18080), folder / "dags", settings)
    progress = Progress(_START_SECONDS)
    ana = Client(airflow.url, "ana", airflow.passwords["ana"])
    admin = Client(airflow.url, "admin", airflow.passwords["admin"])
    end_cleanly()
    try:
        airflow.start(progress)
        while not (ana.is_healthy() and all(map(ana.has_dag, needed))):
            airflow.check()
            progress.wait("Airflow starts")
        yield Lab(sandbox, airflow, ana, admin, folder)
    finally:
        left = airflow.stop()
        ana.close()
        admin.close()
    assert not left
