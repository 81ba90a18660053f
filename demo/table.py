"""Print the final table, and check every dispute."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.dispute import DemoDispute
from dispute_provider import Record

_IRREVERSIBLE = {"PostDisputesDisputeClose", "acceptDispute"}
_DECISIONS = {"submit": "approved", "reject": "rejected", "hold": "held"}


def show(records: Sequence[Record], held_by_api: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a line for each stage of each dispute, soonest deadline first."""
    table = Table(title="Disputes: their records in Airflow, their status at the API")
    for heading in ("Dispute", "API", "Stage", "Amount", "Due", "Verdict", "Reviewer", "State", "At the API"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "Amount" else "left")
    table.add_column("Request id", overflow="fold")
    for record in sorted(records, key=lambda record: (record.due is None, record.due or "", record.dispute)):
        approval = record.approval
        table.add_row(
            record.dispute,
            record.provider,
            record.stage or "",
            record.money,
            record.due_text,
            _DECISIONS.get(approval.action, approval.action) if approval else "–",
            approval.responder if approval else "–",
            str(record.state),
            # The record of an unreadable case has the file's path instead of a dispute.
            str(held_by_api[record.dispute]["status"]) if record.dispute in held_by_api else "–",
            record.request_id or "–",
        )
    # A log file cannot be widened: leave room for all columns.
    console = Console(width=None if sys.stdout.isatty() else 220)
    console.print(table)
    for record in records:
        if record.approval is None:
            console.print(f"  {record.dispute} {record.state}: {record.reason}", highlight=False)


def mistakes(
    disputes: Sequence[DemoDispute],
    records: Sequence[Record],
    journal: Sequence[Mapping[str, Any]],
    held_by_api: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Return the differences from the expected ends, at the sandbox and in Airflow's records.

    :param journal: every request that the sandbox received.
    :param held_by_api: the sandbox's disputes with their submissions, by id.
    """
    found: list[str] = []
    sent = Counter(entry["dispute"] for entry in journal if entry["submitted"])
    for dispute in disputes:
        held = held_by_api.get(dispute.id, {"status": "deleted", "submissions": ()})
        stages = tuple(submission["stage"] for submission in held["submissions"])
        states = {str(record.state) for record in records if record.dispute == dispute.id}
        if sent.pop(dispute.id, 0) != len(dispute.stages) or stages != dispute.stages:
            found.append(f"{dispute.id}: submitted in {stages or 'no stage'}, expected {dispute.stages}")
        if held["status"] != dispute.status:
            found.append(f"{dispute.id}: its status is {held['status']}, expected {dispute.status}")
        if states != {dispute.state}:
            found.append(
                f"{dispute.id}: its records are {sorted(states) or 'missing'}, expected {dispute.state}"
            )
    found += [f"{other}: submitted, but not part of the demo" for other in sent]
    found += [
        f"{entry['dispute']}: {entry['operation']} was called; none may be conceded"
        for entry in journal
        if entry["operation"] in _IRREVERSIBLE
    ]
    return found
