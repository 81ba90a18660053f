"""Contest thousands of disputes with Celery workers, kill one, and check the sandbox's journal."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.harness.client import Client
from tests.harness.processes import adopt_orphans, end_cleanly
from tests.harness.progress import DemoError, Progress
from tests.scale import report
from tests.scale.batch import Batch
from tests.scale.judge import mistakes
from tests.scale.run import DAG, Runs, state_stores
from tests.scale.sandbox import Sandbox
from tests.scale.services import Postgres, Redis, program
from tests.scale.site import SLOTS, Site

_LIMIT = 3000.0
_PROGRAMS = ("initdb", "postgres", "redis-server")
# The second run has a tenth of the first run's disputes, and at least 60.
_SECOND = 10
_LEAST = 60
# Two run at a time: the third replaces the worker that is killed in the first run.
_WORKERS = ("worker-1", "worker-2", "worker-3")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    parser.add_argument("--disputes", type=int, default=5000, help="in the first run (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    options = parser.parse_args()
    end_cleanly()
    progress = Progress(_LIMIT)
    try:
        for name in _PROGRAMS:
            program(name)
        with _folder(keep=options.keep) as folder:
            return _measure(folder, options.disputes, progress)
    except KeyboardInterrupt:
        return 130
    except DemoError as error:
        progress.give_up(error)
        return 1


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dispute-scale-"))
    # PostgreSQL runs as another user, and has to enter it.
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if keep:
            print(f"all logs: {folder}")
        else:
            shutil.rmtree(folder)


def _measure(folder: Path, count: int, progress: Progress) -> int:
    adopt_orphans()
    for name in ("postgres", "redis"):
        (folder / name).mkdir()
    postgres, redis = Postgres(folder / "postgres"), Redis(folder / "redis")
    site = Site(folder, postgres, redis)
    try:
        first, second = Batch.of("first", count), Batch.of("second", max(count // _SECOND, _LEAST))
        sandbox, client = _start(site, (first, second), progress)
        runs = Runs(site, sandbox, client, progress)
        contests = [runs.contest(first, site.kill_group)]
        site.start_worker(_WORKERS[2], sandbox.address[_WORKERS[2]])
        contests.append(runs.contest(second, site.kill_parent))
        wrong = mistakes({**first.disputes, **second.disputes}, sandbox.requests, sandbox.held())
        return report.show(contests, wrong, state_stores(site), progress.minutes)
    except KeyboardInterrupt:
        progress.report("stopping")
        raise
    except (DemoError, httpx.HTTPError) as error:
        raise DemoError(
            str(error) or type(error).__name__, getattr(error, "log", "") or site.tail()
        ) from error
    finally:
        left = site.stop()
        progress.report(f"STILL RUNNING: {', '.join(left)}" if left else "all processes stopped")


def _start(site: Site, batches: Sequence[Batch], progress: Progress) -> tuple[Sandbox, Client]:
    """Start all services, the sandbox, Airflow and two workers."""
    site.postgres.start()
    site.redis.start()
    progress.report("PostgreSQL and Redis are running")
    sandbox = Sandbox(_WORKERS)
    # The APIs' guard against a second submission must not hide a failure of ours.
    sandbox.settle(permissive=True)
    for batch in batches:
        sandbox.create(batch.made())
        batch.write_cases(site.cases)
    progress.report(f"the sandbox holds {sum(len(batch.disputes) for batch in batches)} disputes")
    client = Client(site.url, "admin", site.passwords["admin"])
    site.start(progress)
    for name in _WORKERS[:2]:
        site.start_worker(name, sandbox.address[name])
    while not (client.is_healthy() and client.has_dag(DAG)):
        site.check()
        if client.is_healthy() and (errors := client.unreadable_dags()):
            raise DemoError("Airflow cannot read the DAG", errors)
        progress.wait("Airflow starts")
    for api, slots in SLOTS.items():
        client.add("pools", {"name": f"{api}_api", "slots": slots})
    progress.report(f"Airflow is ready with two workers of {len(os.sched_getaffinity(0))} cores together")
    return sandbox, client


if __name__ == "__main__":
    sys.exit(main())
