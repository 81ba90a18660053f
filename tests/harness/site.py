"""A lab is set up for as long as tests need it, and taken down without a trace."""

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

_START_SECONDS = 180.0


@contextmanager
def running(
    sandbox: Sandbox,
    folder: Path,
    dags: Sequence[Path],
    settings: Mapping[str, str],
    *,
    needed: Sequence[str],
) -> Iterator[Lab]:
    """An Airflow of its own, ready; its connections are up to the caller.

    :param folder: of all that is made, the cases' too.
    :param dags: folders whose DAGs it reads.
    :param settings: environment variables besides those of :class:`tests.harness.processes.Airflow`.
    :param needed: ids of the DAGs that have to be there before it counts as ready.
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
