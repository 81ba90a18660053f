"""How the child refuses a document: by a word and numbers, never with anything that the document says."""

from __future__ import annotations

from dispute_provider.documents.messages import Refusal


class Refused(Exception):  # noqa: N818  # no error of the program
    """A document that is not shown, and why."""

    def __init__(self, why: Refusal, *facts: int) -> None:
        self.why = why
        self.facts = facts
