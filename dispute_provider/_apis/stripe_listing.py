"""Split the time over which Stripe's disputes are listed, so that its pages can be read at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dispute_provider._apis.listing import readable_id
from dispute_provider._contracts.answers import Answer

PAGE = 100
"""The most disputes on a page (https://docs.stripe.com/api/disputes/list)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, which runs from the newest dispute to the oldest.

    :param ids: the id of each item; None for an item without a readable id.
    :param read: how many of the items are read. The next page starts after the last item with an id, so it
        repeats any items after that one.
    :param has_more: whether more disputes follow.
    :param oldest: when the last of the read items was created, in Unix seconds; None if that is unreadable.
    """

    ids: list[str | None]
    read: int
    has_more: bool
    oldest: int | None

    @classmethod
    def of(cls, answer: Answer) -> Page:
        """Return the page in an answer."""
        items = answer.raw["data"]
        stated = answer.data.get("has_more")
        has_more = bool(items) and (len(items) >= PAGE if stated is None else stated)
        ids = [readable_id(item, "id") for item in items]
        with_id = [place for place, each in enumerate(ids, 1) if each]
        read = max(with_id, default=0) if has_more else len(items)
        return cls(ids, read, has_more, _created(items[read - 1]) if read else None)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the list: the disputes of a span of time, in Unix seconds.

    :param since: the earliest time.
    :param before: the first time after the span; None, the default, for no end.
    :param after: the id of the dispute after which the part starts; None, the default, for its first one.
    """

    since: int
    before: int | None = None
    after: str | None = None

    @property
    def created(self) -> dict[str, int]:
        """The span as the list's parameter ``created``."""
        return {"gte": self.since} if self.before is None else {"gte": self.since, "lt": self.before}

    def rest(self, page: Page) -> Span:
        """Return what follows a page, which must have a dispute with an id."""
        return replace(self, after=page.ids[page.read - 1])

    def halves(self, page: Page) -> list[Span]:
        """Return what follows a page in two parts of equal time, the newer one first.

        A rest that cannot be split is one part.
        """
        rest = self.rest(page)
        middle = (self.since + page.oldest) // 2 if page.oldest is not None else self.since
        if middle <= self.since:
            return [rest]
        return [replace(rest, since=middle), Span(self.since, middle)]


def _created(item: Any) -> int | None:
    found = item.get("created") if isinstance(item, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
