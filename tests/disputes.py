"""Build snapshots of disputes and their records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from dispute_provider._evidence.record import Record, State
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot

DUE = datetime(2026, 12, 1, tzinfo=UTC)


def snapshot(dispute: str, text: str = "Delivered.", **facts: Any) -> Snapshot:
    held = Dispute(
        provider="stripe",
        account=None,
        id=dispute,
        stage="chargeback",
        status="needs_response",
        submissions=0,
        submitted=False,
        submitted_at=None,
        closed=None,
        due=DUE,
        amount=1200,
        currency="usd",
        reason="fraudulent",
    )
    return Snapshot(replace(held, **facts), (Evidence("uncategorized_text", text=text),))


def record(held: Snapshot, **more: Any) -> Record:
    seen = Record(
        held.dispute.provider, f"{held.dispute.provider}_default", held.dispute.id, State.STAGED, ""
    ).seen(held)
    return replace(seen, **more)


def batch(count: int, **facts: Any) -> tuple[list[Record], dict[str, Snapshot]]:
    snapshots = {f"du_{n}": snapshot(f"du_{n}", amount=100 * (n + 1), **facts) for n in range(count)}
    return [record(held) for held in snapshots.values()], snapshots
