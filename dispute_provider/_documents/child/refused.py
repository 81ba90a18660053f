"""Refuse a document with a code and numbers, without quoting its contents."""

from __future__ import annotations

from dispute_provider._documents.messages import Refusal


class Refused(Exception):  # noqa: N818  # not a program error
    """A document that is refused, with the reason and the numbers for its message."""

    def __init__(self, why: Refusal, *facts: int) -> None:
        self.why = why
        self.facts = facts
