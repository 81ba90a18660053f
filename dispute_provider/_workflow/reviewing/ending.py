"""Say when a review ends, and what happens then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from dispute_provider._evidence.deadlines import is_urgent, review_end
from dispute_provider._evidence.record import Record
from dispute_provider._explain.markdown import plain


@dataclass(frozen=True, slots=True)
class Ending:
    """How a review ends when nobody answers it.

    :param until: when; None if it waits for ever.
    :param zone: times are told in UTC, and in this zone where it differs; None is that of the machine.
    :param policy: the name of the policy that decides then, None if what is left is held.
    :param sooner: when disputes must be answered that are due before the review ends, by dispute.
    """

    until: datetime | None = None
    zone: tzinfo | None = UTC
    policy: str | None = None
    sooner: Mapping[str, datetime] = field(default_factory=dict)

    def time(self, moment: datetime) -> str:
        """``2026-11-30 14:00 UTC (15:00 CET)``, with the day where that differs too."""
        there, here = moment.astimezone(UTC), moment.astimezone(self.zone)
        told = there.strftime("%Y-%m-%d %H:%M UTC")
        if there.utcoffset() == here.utcoffset():
            return told
        return told + here.strftime(" (%H:%M %Z)" if there.date() == here.date() else " (%Y-%m-%d %H:%M %Z)")

    @property
    def text(self) -> str:
        if self.until is None:
            return "Without an answer nothing is sent."
        after = f"Without an answer by **{self.time(self.until)}**"
        if self.policy:
            return (
                f"{after} the policy {plain(self.policy)} decides about what is due within a day of the "
                "earliest due date; what it does not approve is not sent."
            )
        return f"{after} nothing is sent, and this run ends as failed."

    @property
    def first(self) -> str:
        """Which disputes must be answered before the others, and when; empty if there are none."""
        if not self.sooner:
            return ""
        times = sorted((end, dispute) for dispute, end in self.sooner.items())
        named = ", ".join(f"{plain(dispute)} by {self.time(end)}" for end, dispute in times)
        return f"**Answer first, they are due sooner:** {named}."

    @property
    def notice(self) -> str:
        """When to answer, for a notification: ``, until …``; empty if the review waits for ever."""
        if self.until is None:
            return ""
        if not self.sooner:
            return f", until {self.time(self.until)}"
        count, end = len(self.sooner), min(self.sooner.values())
        return f", until {self.time(self.until)}; {count} must be answered sooner, by {self.time(end)}"


def ending_of(
    records: Sequence[Record],
    buffer: timedelta,
    now: datetime,
    zone: tzinfo | None = UTC,
    policy: str | None = None,
) -> Ending:
    """Return how a review of these disputes ends.

    Disputes due within a day do not end the review of those that are due later: the form names their own
    times. A policy has to decide in time, so with one the earliest due date counts.

    :param buffer: the review ends so long before that date.
    :param policy: the name of the policy that decides at the end; None if there is none.
    """
    later = [record for record in records if record.due_at and not is_urgent(record.due_at, now)]
    lasting = records if policy or not later else later
    until = review_end([record.due_at for record in lasting], buffer, now)
    ends = {record.dispute: review_end([record.due_at], buffer, now) for record in records}
    sooner = {dispute: end for dispute, end in ends.items() if until and end and end < until}
    return Ending(until, zone, policy, sooner)
