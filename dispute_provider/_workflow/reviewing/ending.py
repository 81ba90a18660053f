"""Compute when a review ends and what happens then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from dispute_provider._evidence.deadlines import is_urgent, review_end
from dispute_provider._evidence.record import Record
from dispute_provider._explain.markdown import plain


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a review that gets no answer.

    :param until: when the review ends; None if it has no end.
    :param zone: texts give times in UTC, and in this time zone if it differs; None is the machine's zone.
    :param policy: name of the policy that decides at the end; None if unanswered disputes are held.
    :param sooner: by dispute, when to answer those that are due before the review ends.
    """

    until: datetime | None = None
    zone: tzinfo | None = UTC
    policy: str | None = None
    sooner: Mapping[str, datetime] = field(default_factory=dict)

    def time(self, moment: datetime) -> str:
        """Return ``2026-11-30 14:00 UTC (15:00 CET)``; the local day too, if it differs."""
        there, here = moment.astimezone(UTC), moment.astimezone(self.zone)
        in_utc = there.strftime("%Y-%m-%d %H:%M UTC")
        if there.utcoffset() == here.utcoffset():
            return in_utc
        return in_utc + here.strftime(
            " (%H:%M %Z)" if there.date() == here.date() else " (%Y-%m-%d %H:%M %Z)"
        )

    @property
    def text(self) -> str:
        """What happens without an answer, for the form."""
        if self.until is None:
            return "Nothing is sent without an answer."
        after = f"Without an answer by **{self.time(self.until)}**"
        if self.policy:
            return (
                f"{after}, policy {plain(self.policy)} decides the disputes that are due within a day of the "
                "earliest due date. Disputes that it does not approve are not sent."
            )
        return f"{after}, nothing is sent and this run fails."

    @property
    def first(self) -> str:
        """The disputes to answer before the others, and when; empty if there are none."""
        if not self.sooner:
            return ""
        times = sorted((end, dispute) for dispute, end in self.sooner.items())
        named = ", ".join(f"{plain(dispute)} by {self.time(end)}" for end, dispute in times)
        return f"**Answer these first, they are due sooner:** {named}."

    @property
    def notice(self) -> str:
        """When to answer, for a notification: ``, answer by …``; empty if the review has no end."""
        if self.until is None:
            return ""
        if not self.sooner:
            return f", answer by {self.time(self.until)}"
        count, end = len(self.sooner), min(self.sooner.values())
        return f", answer by {self.time(self.until)} ({count} due sooner: by {self.time(end)})"


def ending_of(
    records: Sequence[Record],
    buffer: timedelta,
    now: datetime,
    zone: tzinfo | None = UTC,
    policy: str | None = None,
) -> Ending:
    """Return how a review of these disputes ends.

    Disputes due within a day do not end the review of those that are due later; the form names their own
    times. A policy must decide in time, so a review with a policy ends before the earliest due date.

    :param buffer: time between the end of the review and the due date.
    :param policy: name of the policy that decides at the end; None if there is none.
    """
    later = [record for record in records if record.due_at and not is_urgent(record.due_at, now)]
    lasting = records if policy or not later else later
    until = review_end([record.due_at for record in lasting], buffer, now)
    ends = {record.dispute: review_end([record.due_at], buffer, now) for record in records}
    sooner = {dispute: end for dispute, end in ends.items() if until and end and end < until}
    return Ending(until, zone, policy, sooner)
