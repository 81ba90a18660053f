"""Hold a list of disputes as an API returned it, with the items that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispute_provider._evidence.snapshot import Dispute, Snapshot


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An unusable item in a list of disputes.

    :param dispute: the id of the dispute; None if that is unreadable too.
    :param problem: what is wrong with the item, with JSON pointers.
    """

    dispute: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The disputes in a list, and its unreadable items.

    :param snapshots: by id: the disputes whose evidence the list shows, too.
    """

    disputes: list[Dispute] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def add(self, later: Listing) -> None:
        """Append the part of the list that follows this one."""
        self.disputes.extend(later.disputes)
        self.unreadable.extend(later.unreadable)
        self.snapshots.update(later.snapshots)


def readable_id(item: Any, member: str) -> str | None:
    """Return the id of an item in a list; None if it has no readable id.

    :param item: the item as the API sent it.
    :param member: the name of the member that contains the id.
    """
    found = item.get(member) if isinstance(item, Mapping) else None
    return found if isinstance(found, str) and found else None
