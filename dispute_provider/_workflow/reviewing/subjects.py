"""Name reviews and their disputes in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from dispute_provider._contracts import contract
from dispute_provider._evidence.completeness import reason_in_words
from dispute_provider._evidence.record import Record
from dispute_provider._explain.markdown import one_line
from dispute_provider._explain.money import format_amount

# Documents that a label lists by name.
_MOST_NAMES = 3


def totals(records: Sequence[Record]) -> str:
    """Return the total amount per currency: ``5,000 JPY + 12.00 USD``."""
    sums: Counter[str] = Counter()
    for record in records:
        if record.amount is not None and record.currency is not None:
            sums[record.currency] += record.amount
    return " + ".join(format_amount(amount, currency) for currency, amount in sorted(sums.items()))


def reason_of(record: Record) -> str | None:
    """Return why the customer disputes a payment, in words; None if the record does not have it."""
    if record.dispute_reason is None:
        return None
    return reason_in_words(contract.load(record.provider), record.dispute_reason)


def single_subject(record: Record, now: datetime | None = None) -> str:
    """Return the subject of a review of one dispute; the due date comes first.

    :param now: when the review opens; None, the default, never writes *today*.
    """
    facts = (_due(record, now), record.money, one_line(reason_of(record) or "–"), record.dispute)
    return " · ".join(facts) + no_preview([record])


def _due(record: Record, now: datetime | None) -> str:
    """Return ``due today 15:03 UTC`` or ``due 1 Dec 15:03 UTC``: a list of subjects shows 45 characters."""
    if record.due_at is None:
        return record.due_text
    due = record.due_at.astimezone(UTC)
    today = now is not None and due.date() == now.astimezone(UTC).date()
    return f"due {'today' if today else f'{due.day} {due:%b}'} {due:%H:%M} UTC"


def no_preview(records: Sequence[Record]) -> str:
    """Return the end of a label that names the documents without a preview; empty if there are none."""
    names = [name for record in records for name in record.undrawn]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f" · NO PREVIEW: {', '.join(names[:_MOST_NAMES])}{more}" if names else ""


def batch_subject(records: Sequence[Record], now: datetime | None = None) -> str:
    """Return the subject of a batch.

    :param records: soonest deadline first.
    :param now: when the review opens; None, the default, never writes *today*.
    """
    apis = " and ".join(sorted({contract.load(record.provider).title for record in records}))
    facts = (_due(records[0], now), f"{len(records)} disputes", totals(records), apis)
    return " · ".join(facts) + no_preview(records)
