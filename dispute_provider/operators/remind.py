"""Send reminders about open disputes before their due dates."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, XComNotFound

from dispute_provider import _config as config
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider._state.stores import run_key
from dispute_provider._state.sweep_store import (
    ANSWERED,
    ENDED,
    LAST_REMINDERS,
    LAST_REVIEWS,
    REMINDED,
    REVIEWED,
    answers_to,
    load,
    save,
)
from dispute_provider._tasks.batch import Given, accept_upstream, resolve
from dispute_provider._tasks.notifications import ConfiguredNotifier, address, notify
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.record_lists import records_of
from dispute_provider._tasks.signing import Signer

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import Dispute
    from dispute_provider._state.sweep import LastReview, ReviewAnswer

# Disputes per message, so that it fits into a chat or an email.
_LINES = 25
_log = logging.getLogger(__name__)


def due_soon(disputes: Iterable[Dispute], now: datetime) -> list[Dispute]:
    """Return the open disputes that are due within the longest of the ``[dispute] reminders`` hours."""
    latest = max(config.reminders(), default=0) * 3600
    return [
        dispute
        for dispute in disputes
        if dispute.due and not dispute.closed and 0 < (dispute.due - now).total_seconds() <= latest
    ]


class RemindOperator(BaseOperator):
    """Send a reminder about each open dispute at each of the hours in ``[dispute] reminders``.

    A reminder states why the dispute is open and how its earlier reviews ended. Rejected and submitted
    disputes get no reminder. Give the task the trigger rule ``all_done``, so that it runs even if staging
    fails.

    :param disputes: records of the disputes that are due soon. A record with a reason has no case.
    :param staged: the records that staging returned.
    :param conn_id: Airflow connection (templated).
    :param notifiers: the notifiers to use; their templates have ``message`` and ``link``. Default: those of
        ``[dispute] notifiers``. If all of them fail, the task does not fail, and the next sweep sends the
        reminder again.
    :raises AirflowSkipException: if the disputes could not be listed.
    :returns: the number of disputes in the reminders.
    """

    template_fields: Sequence[str] = ("conn_id",)

    def __init__(
        self,
        *,
        disputes: Given,
        staged: Given,
        conn_id: str,
        notifiers: Sequence[BaseNotifier] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED, REMINDED))
        self.disputes = accept_upstream(self, disputes)
        self.staged = accept_upstream(self, staged)
        self.conn_id = conn_id
        self.notifiers = [ConfiguredNotifier()] if notifiers is None else list(notifiers)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, REVIEWED, ANSWERED, ENDED, REMINDED))

    def execute(self, context: Context) -> int:
        from dispute_provider._evidence.record import by_due_date

        try:
            soon = by_due_date(list(self._verified(context, self.disputes)))
        except XComNotFound:
            raise AirflowSkipException("no reminders: the disputes could not be listed") from None
        reminded = {
            dispute: entry
            for dispute, entry in load(context, LAST_REMINDERS, connection=self.conn_id).items()
            if _is_reminder(entry)
            and any(record.dispute == dispute and record.due == entry["due"] for record in soon)
        }
        reminders = self._due(context, soon, reminded)
        for start in range(0, len(reminders), _LINES):
            part = reminders[start : start + _LINES]
            for reminder in part:
                self.log.warning("still open: %s", reminder.line)
            head = f"Open disputes of connection {self.conn_id} that are due soon: {len(part)}"
            link = part[0].link if len(part) == 1 else address("required_actions")
            if notify(self.notifiers, context, "\n".join([head, *(each.line for each in part)]), link):
                reminded |= {
                    each.record.dispute: {"due": each.record.due, "hours": each.hours} for each in part
                }
                # Saved after each message, so that a retry repeats at most the last one.
                save(context, LAST_REMINDERS, reminded, connection=self.conn_id)
        return len(reminders)

    def _due(self, context: Context, soon: list[Record], reminded: dict[str, Any]) -> list[_Reminder]:
        from dispute_provider._evidence.deadlines import threshold_reached
        from dispute_provider._state.sweep import LastReview

        named = {record.dispute for record in soon}
        staged = {record.dispute: record for record in self._staged(context) if record.dispute in named}
        now, hours = datetime.now(UTC), config.reminders()
        reviewed = load(context, LAST_REVIEWS, connection=self.conn_id)
        last_reviews = {dispute: each for dispute in named if (each := LastReview.find(reviewed, dispute))}
        answers = answers_to(context, self.conn_id, last_reviews)
        due: list[_Reminder] = []
        for record in soon:
            before = reminded.get(record.dispute, {}).get("hours")
            reached = threshold_reached(record.due_at, hours, before, now) if record.due_at else None
            if reached is not None:
                known = (
                    staged.get(record.dispute),
                    last_reviews.get(record.dispute),
                    answers.get(record.dispute),
                )
                why, link = _state(record, *known)
                due += [_Reminder(record, reached, why, link)] if why else []
        return due

    def _verified(self, context: Context, given: Given) -> Iterator[Record]:
        """Yield the records with valid signatures; log the others."""
        records = records_of(resolve(given, context))
        for record in Signer(run_key(context)).verified(records, "look at the dispute"):
            if record.unverified:
                self.log.warning("%s", record.log_line())
            else:
                yield record

    def _staged(self, context: Context) -> list[Record]:
        """Return the staged records; none if they cannot be read, so that reminders are still sent."""
        try:
            return list(self._verified(context, self.staged))
        except (EvidenceStoreError, XComNotFound) as error:
            self.log.warning("cannot read the staged records: %s", error)
            return []


@dataclass(frozen=True, slots=True)
class _Reminder:
    """A reminder about one dispute.

    :param hours: the threshold that was reached, in hours before the due date.
    """

    record: Record
    hours: float
    why: str
    link: str

    @property
    def line(self) -> str:
        record = self.record
        facts = [record.dispute, record.money, f"due {record.due_text}", self.why, self.link]
        return " · ".join(fact for fact in facts if fact)


def _state(
    record: Record, staged: Record | None, last_review: LastReview | None, answer: ReviewAnswer | None
) -> tuple[str, str]:
    """Return why a dispute is open and the page to act on it; no reason if it needs no reminder."""
    from dispute_provider._evidence.record import State
    from dispute_provider._explain.markdown import one_line

    own_page = record.url or ""
    if record.reason:
        return record.reason, own_page
    if staged and staged.state != State.STAGED:
        return f"{staged.state}: {one_line(staged.reason)}", own_page
    if last_review is None:
        return "its case is not staged yet", own_page
    if answer and answer.is_over:
        return "", ""
    if answer:
        why = answer.summary
    else:
        until = f", answer by {last_review.until:%Y-%m-%d %H:%M} UTC" if last_review.until else ""
        why = f"its review is open{until}"
    return "; before: ".join([why, *reversed(last_review.history)]), _page(last_review.review)


def _is_reminder(entry: Any) -> bool:
    """Return whether an entry of the store is valid."""
    return isinstance(entry, dict) and isinstance(entry.get("hours"), int | float) and "due" in entry


def _page(review: str) -> str:
    dag_id, _, run_id = review.partition("/")
    return address("dags", dag_id, "runs", run_id)
