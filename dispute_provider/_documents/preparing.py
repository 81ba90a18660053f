"""Prepare documents that an API does not take as they are, in child processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dispute_provider._documents.messages import JOIN, PREPARE, STEPS, TYPES_FROM, packed, unpacked
from dispute_provider._documents.process import Process
from dispute_provider._documents.renderer import Renderer, RenderingError
from dispute_provider._documents.words import BROKE_OFF, done_in_words
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE, FILE_TYPES

SECONDS = 60.0
"""Wall-clock time limit for preparing one document: a scan of 49 pages is recompressed four times."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document after it was prepared.

    :param done: what was done to it, in words; empty if nothing was.
    """

    content: bytes = field(repr=False)
    done: tuple[str, ...]


class Preparer(Renderer):
    """Prepares documents in child processes of its own, which may start threads. See :class:`Renderer`.

    :param children: most documents that are prepared at the same time; by default 1.
    """

    def __init__(self, children: int = 1) -> None:
        super().__init__(SECONDS, children)

    def prepare(self, content: bytes, steps: Iterable[str], types: Collection[str], most: int) -> Prepared:
        """Return a document as an API takes it; the same bytes give the same result.

        :param steps: of :data:`~dispute_provider._documents.messages.STEPS`.
        :param types: the content types that the API takes.
        :param most: bytes, to which it is shrunk if the steps include that. It may stay larger.
        :raises RenderingError: if none of these steps makes it acceptable.
        """
        flags = sum(STEPS[step] for step in set(steps))
        accepted = sum(1 << FILE_TYPES.index(BY_CONTENT_TYPE[each]) for each in types)
        return _prepared(self._ask(PREPARE, content, flags | accepted << TYPES_FROM, most))

    def join(self, exhibits: Sequence[tuple[str, bytes]]) -> Prepared:
        """Return one PDF of several documents, with contents, captions and page numbers.

        :param exhibits: caption and content of each.
        :raises RenderingError: if they cannot be joined.
        """
        described = [[caption, len(content)] for caption, content in exhibits]
        contents = b"".join(content for _, content in exhibits)
        return _prepared(self._ask(JOIN, packed(described, contents)))

    def _start(self) -> Process:
        return Process(prepares=True)


def _prepared(answer: bytes) -> Prepared:
    try:
        described, content = unpacked(answer)
        done = tuple(done_in_words(str(what), list(facts)) for what, facts in described)
    except (ValueError, TypeError, LookupError):
        raise RenderingError(*BROKE_OFF) from None
    return Prepared(content, done)
