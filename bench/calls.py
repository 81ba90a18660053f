"""Count the calls that disputes take, from the sandbox's journal."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow.sdk.bases.operator import ExecutorSafeguard

from bench import ours
from bench.timing import Table
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY, Sandbox
from tests.papers import pdf

_OPEN, _NEW, _CLOSED = 200, 5, 1500
_TEXTS = {
    "stripe": {"uncategorized_text": "Delivered.", "customer_name": "Jane Roe"},
    "moov": {"cover-letter": "Delivered.", "other": "Signed for."},
}
_DOCUMENTS = ("receipt", "shipping_documentation", "customer_communication")
_CONNECTIONS: dict[str, dict[str, Any]] = {
    "stripe": {"password": STRIPE_KEY, "extra": {"rate_limit": 10_000}},
    "moov": {
        "login": MOOV_PUBLIC_KEY,
        "password": MOOV_SECRET_KEY,
        "extra": {"account": MOOV_ACCOUNT, "rate_limit": 10_000},
    },
}
_LONG_AGO = 2 * 365 * 86_400


def counts(table: Table) -> dict[str, int]:
    """Report and return the number of calls of each kind of work."""
    with Sandbox() as sandbox:
        found = {**of_one_dispute(sandbox), **of_sweeps(sandbox)}
    for name, number in found.items():
        table.add("API calls", name, number, "calls")
    return found


def of_one_dispute(sandbox: Sandbox) -> dict[str, int]:
    """Return the calls of one dispute from staging to submission, and of staging it again.

    :param sandbox: it is reset for each count.
    """
    with _shop(sandbox, "stripe") as shop:
        case = shop.open(1)
        stripe = shop.count(lambda: shop.contest(case))
    with _shop(sandbox, "stripe") as shop:
        case = shop.open(1, _DOCUMENTS)
        documents = shop.count(lambda: shop.contest(case))
    with _shop(sandbox, "stripe") as shop:
        case = shop.open(1)
        shop.stage(case)
        unchanged = shop.count(lambda: shop.stage(case))
    with _shop(sandbox, "moov") as shop:
        case = shop.open(1)
        moov = shop.count(lambda: shop.contest(case))
    return {
        "calls_stripe": stripe,
        "calls_stripe_3docs": documents,
        "calls_unchanged": unchanged,
        "calls_moov": moov,
    }


def of_sweeps(sandbox: Sandbox) -> dict[str, int]:
    """Return the calls of sweeps of 200 open disputes, of which 5 are new, and of a list with old disputes.

    At Stripe, the new ones have three documents, and their review and submission are counted too.

    :param sandbox: it is reset for each count.
    """
    found = {}
    for kind in ("stripe", "moov"):
        with _shop(sandbox, kind) as shop:
            shop.open(_OPEN - _NEW)
            while new := shop.find():
                shop.remember(shop.stage(new))
            shop.open(_NEW, _DOCUMENTS if kind == "stripe" else ())
            work = (lambda: shop.contest(shop.find())) if kind == "stripe" else shop.find
            found[kind] = shop.count(work)
    with _shop(sandbox, "stripe") as shop:
        closed = {"api": "stripe", "created": int(time.time()) - _LONG_AGO, "status": "lost"}
        sandbox.create_disputes([closed] * _CLOSED)
        shop.open(1)
        listed = shop.count(shop.find)
    return {
        "calls_sweep_200_5": found["stripe"],
        "lists_1500_closed": listed,
        "calls_sweep_moov": found["moov"],
    }


class _Shop:
    """A connection to a sandbox, its cases, and the state that its tasks share."""

    def __init__(self, sandbox: Sandbox, kind: str, folder: Path) -> None:
        self._sandbox, self._kind, self._folder = sandbox, kind, folder
        self._connection = f"bench_{kind}"
        self._context = ours.context()

    def open(self, count: int, documents: Sequence[str] = ()) -> list[str]:
        """Open disputes with cases at their addresses; return the paths of the cases.

        :param documents: the names of the evidence for which each case has a document.
        """
        new = self._sandbox.create_disputes([{"api": self._kind, "amount": 100}] * count)
        return [self._case(each["id"], documents) for each in new]

    def _case(self, dispute: str, documents: Sequence[str]) -> str:
        folder = self._folder / self._kind / dispute
        folder.mkdir(parents=True)
        for pages, name in enumerate(documents, 1):
            (folder / f"{name}.pdf").write_bytes(pdf(pages))
        evidence = {**_TEXTS[self._kind], **{name: {"file": f"{name}.pdf"} for name in documents}}
        path = folder / "case.json"
        path.write_text(json.dumps({"provider": self._kind, "dispute": dispute, "evidence": evidence}))
        return str(path)

    def count(self, work: Callable[[], object]) -> int:
        """Return the calls of some work, without Moov's check of the account, which each task makes once."""
        self._sandbox.clear_journal()
        work()
        return sum(entry["operation"] != "getAccount" for entry in self._sandbox.journal())

    def find(self) -> list[str]:
        """Return the paths of the cases to stage."""
        from dispute_provider.operators.sweep import FindCasesOperator

        return list(self._run(FindCasesOperator(task_id="find", conn_id=self._connection)))

    def stage(self, paths: list[str]) -> Any:
        from dispute_provider.operators.evidence import StageEvidenceOperator

        return self._run(StageEvidenceOperator(task_id="stage", cases=paths, conn_id=self._connection))

    def remember(self, staged: Any) -> None:
        """Remember for the next sweep that staged disputes are in a review that is open."""
        from dispute_provider._tasks.record_lists import records_of
        from dispute_provider.operators.sweep import RememberReviewOperator

        disputes = [record.dispute for record in records_of(staged)]
        operator = RememberReviewOperator(
            task_id="remember",
            staged=staged,
            review=[{"run": f"dispute_review/{disputes[0]}", "disputes": disputes}],
            still_open=[each["id"] for each in self._sandbox.disputes()],
            conn_id=self._connection,
        )
        with patch.object(ExecutorSafeguard, "test_mode", new=True):
            operator.execute(self._context)

    def contest(self, paths: list[str]) -> None:
        """Stage, approve and submit."""
        from dispute_provider._tasks.record_lists import records_of

        ends = ours.submit(ours.approve(self.stage(paths), self._context), self._context)
        states = [record.state for record in records_of(ends)]
        if states != ["submitted"] * len(paths) or not paths:
            raise RuntimeError(f"not all of {len(paths)} disputes were submitted: {states}")

    def _run(self, operator: Any) -> Any:
        return asyncio.run(operator.aexecute(self._context))


@contextmanager
def _shop(sandbox: Sandbox, kind: str) -> Iterator[_Shop]:
    sandbox.reset()
    with tempfile.TemporaryDirectory(prefix="bench-shop-") as folder:
        connection = {"conn_type": kind, "host": sandbox.url, **_CONNECTIONS[kind]}
        settings = {
            f"AIRFLOW_CONN_BENCH_{kind.upper()}": json.dumps(connection),
            "AIRFLOW__DISPUTE__CASE_ROOTS": f"{folder}/cases",
            "AIRFLOW__DISPUTE__LEDGER": f"{folder}/ledger",
        }
        with patch.dict(os.environ, settings):
            yield _Shop(sandbox, kind, Path(folder, "cases"))
