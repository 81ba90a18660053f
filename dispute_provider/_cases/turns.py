"""Choose the cases that a sweep stages now, if there are more than it stages at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dispute_provider._cases.known_cases import KnownCases, key_of
from dispute_provider._cases.open_disputes import Candidate

_NO_DUE_DATE = datetime.max.replace(tzinfo=UTC)


def choose(new: Sequence[Candidate], known: KnownCases, most: int, now: datetime) -> list[Candidate]:
    """Return the cases to stage now, soonest deadline first.

    If there are more than ``most``, some may be refused in every sweep, and must not keep the others from
    being staged. Each half of the places is therefore for one group, and also for the other if places are
    left: cases that no sweep has tried, soonest deadline first; and cases that were tried and are still not
    staged, those whose last try is longest ago first. A case that has changed since counts as not tried.

    :param new: the cases that are not under review.
    :param known: has the time of the last try of each case.
    :param most: how many to return at most.
    :param now: the time of this try, which is added to ``known``.
    """
    by_due = sorted(new, key=lambda each: each.dispute.due or _NO_DUE_DATE)
    if len(by_due) <= most:
        return by_due
    keys = {each.dispute.id: key_of("tried", each.dispute.id, each.case_digest) for each in by_due}
    last_try = {dispute: known.recall(key) or "" for dispute, key in keys.items()}
    tried = sorted((dispute for dispute in last_try if last_try[dispute]), key=last_try.__getitem__)
    untried = [dispute for dispute in last_try if not last_try[dispute]]
    untried = untried[: max(most // 2, most - len(tried))]
    chosen = {*untried, *tried[: most - len(untried)]}
    for dispute in chosen:
        known.keep(keys[dispute], now.isoformat())
    return [each for each in by_due if each.dispute.id in chosen]
