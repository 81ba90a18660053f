"""Refuse a document with a code and numbers, never with its contents."""

from __future__ import annotations

from dispute_provider._documents.messages import Refusal


class Refused(Exception):  # noqa: N818  # no error of the program
    """A document that is not shown, and why."""

    def __init__(self, why: Refusal, *facts: int) -> None:
        self.why = why
        self.facts = facts
