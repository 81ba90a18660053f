"""Start a sandbox, Airflow and a sweep; then answer the reviews yourself, or let ``--auto`` do it."""

from __future__ import annotations

import argparse
import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from demo import orders
from demo.cases import disputes
from demo.connections import connections
from demo.flow import Flow
from dispute_provider.sandbox import Sandbox
from tests.harness.processes import Airflow, end_cleanly, free_port
from tests.harness.progress import DemoError, Progress
from tests.harness.rest import Rest

_ROOT = Path(__file__).resolve().parent.parent
_FOLDER = _ROOT / ".demo"
_LIMIT = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--auto", action="store_true", help="answer the reviews, check every outcome and exit"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        help="port of Airflow; the next free one if it is in use (default: %(default)s)",
    )
    options = parser.parse_args()

    end_cleanly()
    progress = Progress(_LIMIT)
    try:
        with _folder() as folder:
            return _run(folder, free_port(options.port), progress, auto=options.auto)
    except DemoError as error:
        progress.give_up(error)
        return 1


@contextmanager
def _folder() -> Iterator[Path]:
    """Empty the demo's folder, and lock it while the demo runs."""
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("a demo of this checkout is already running") from None
        for entry in _FOLDER.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
        yield _FOLDER


def _run(folder: Path, port: int, progress: Progress, *, auto: bool) -> int:
    all_disputes = orders.disputes(disputes())
    cases = folder / "cases"
    for dispute in all_disputes:
        dispute.write_case(cases)
    shop = folder / "shop"
    source = orders.write_shop(shop, cases)
    with Sandbox() as sandbox:
        sandbox.create_disputes([{"id": dispute.id, **dispute.made} for dispute in all_disputes])
        progress.report(
            f"the sandbox runs at {sandbox.url}, with {len(all_disputes)} disputes at Stripe and Moov"
        )
        made = connections(sandbox.url)
        settings = {
            "AIRFLOW__DISPUTE__CASE_ROOTS": str(cases),
            "AIRFLOW__DISPUTE__CASE_SOURCES": f"address,{source}",
            "AIRFLOW__DISPUTE__PREPARE": "convert,shrink",
            "AIRFLOW__DISPUTE__RECEIPTS": str(folder / "receipts"),
            "AIRFLOW__DISPUTE__CONNECTIONS": ",".join(each["connection_id"] for each in made),
        }
        airflow = Airflow(folder / "airflow", port, _ROOT / "dags", settings)
        flow = Flow(all_disputes, cases, sandbox, airflow, Rest(airflow.url, "ana", airflow.passwords["ana"]))
        try:
            airflow.start(progress)
            flow.wait_for_airflow(progress)
            admin = Rest(airflow.url, "admin", airflow.passwords["admin"])
            for connection in [*made, orders.connection(shop)]:
                admin.add("connections", connection)
            flow.open_reviews(progress)
            return flow.answer_and_check(progress) if auto else flow.stand_by(progress)
        except KeyboardInterrupt:
            progress.report("stopping")
            return 130 if auto else 0
        except (DemoError, httpx.HTTPError) as error:
            log = getattr(error, "log", "") or airflow.tail()
            raise DemoError(
                str(error) or type(error).__name__, f"{log}\nall logs: {airflow.home}/logs"
            ) from error
        finally:
            left = airflow.stop()
            progress.report(f"STILL RUNNING: {', '.join(left)}" if left else "all processes stopped")


if __name__ == "__main__":
    sys.exit(main())
