"""Inspect and draw documents in a child process, and start another when one ends."""

from __future__ import annotations

import json
import os
import threading
import time
from types import TracebackType

from dispute_provider._documents.messages import DONE, INSPECT, RENDER, Refusal
from dispute_provider._documents.process import Process
from dispute_provider._evidence.documents import Inspection
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE, NAMES, PNG

MAX_WIDTH = 2400
SECONDS = 20.0
"""Wall-clock time for one page, or for reading one document."""
# What is wrong, and what to do about it.
_WORDS = {
    Refusal.EMPTY: ("it is empty", "save it again"),
    Refusal.UNKNOWN: (f"it is no {NAMES}, whatever its name says", "save it as one of these"),
    Refusal.BROKEN: ("it is damaged or cut off", "save or scan it again"),
    Refusal.ENCRYPTED: ("it is encrypted or protected", "print it to a PDF without a password"),
    Refusal.NO_PAGES: ("it has no pages", "save it again"),
    Refusal.MANY_PAGES: ("it has {:,} pages, more than {:,}", "send the pages that matter"),
    Refusal.NO_SUCH_PAGE: ("it has {:,} pages, and no page {:,}", "ask for one that it has"),
    Refusal.MANY_PIXELS: ("it has {:,} × {:,} pixels, more than {:,} in all", "save it smaller"),
    Refusal.ANIMATED: ("it is animated, which no page shows", "save it as a still picture"),
    Refusal.ATTACHMENTS: (
        "it has other files attached, which no page shows",
        "name these in the case by themselves, and print it to a PDF without them",
    ),
    Refusal.ACTIVE: ("it runs scripts or starts programs, so what it shows may change", "print it to a PDF"),
    Refusal.DYNAMIC_FORM: ("it is an XFA form, which few programs show", "print it to a PDF"),
    Refusal.MEDIA: (
        "its page {:,} has a sound, a film or a model, which no page shows",
        "print it to a PDF without them",
    ),
    Refusal.FOREIGN: (
        "it carries something that it does not show, or opens as another kind of file too",
        "save it again from the program that made it",
    ),
    Refusal.MEMORY: ("it takes more memory to read than a document should", "save it smaller or simpler"),
}
_SLOW = "it takes more than {:g} seconds", "save it smaller or simpler"
_BROKE_OFF = "the program that reads documents broke off at it", "save it again, smaller or simpler"


class RenderingError(Exception):
    """A document that cannot be read or shown, in words for people.

    :param problem: what is wrong with it.
    :param remedy: what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}; {remedy}")


class Budget:
    """Time that several questions may take together; waiting for a child does not count.

    :param seconds: of wall-clock time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.left = seconds


class Renderer:
    """Reads and draws documents in child processes that hold no secrets, in bounded memory and time.

    A child starts when a document needs it, serves one after the other, and is replaced when it fails. Any
    number of threads may share a renderer; an asyncio program does through ``asyncio.to_thread``.

    :param seconds: wall-clock time for one page, or for reading one document; :data:`SECONDS` if None.
    :param children: how many documents are read at once, at most.
    """

    def __init__(self, seconds: float | None = None, children: int = 1) -> None:
        self._seconds = SECONDS if seconds is None else seconds
        self._children = children
        self._free = threading.Semaphore(children)
        self._idle: list[Process] = []

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children; a later document would start another."""
        for _ in range(self._children):
            self._free.acquire()
        try:
            while process := self._take():
                process.end()
        finally:
            self._free.release(self._children)

    def inspect(self, content: bytes) -> Inspection:
        """What a document is, after reading all of it.

        :raises RenderingError: if it is none, or a reviewer could not be shown just what the bank would get.
        """
        answer = self._ask(INSPECT, content)
        # The child reads what strangers wrote: what it says is looked at as if they had said it.
        try:
            content_type, pages, card_number = json.loads(answer)
        except (ValueError, TypeError):
            raise RenderingError(*_BROKE_OFF) from None
        if content_type not in BY_CONTENT_TYPE or type(pages) is not int or pages < 1:
            raise RenderingError(*_BROKE_OFF)
        return Inspection(content_type, pages, bool(card_number))

    def render(self, content: bytes, page: int, width: int = 1200, budget: Budget | None = None) -> bytes:
        """One page as a PNG.

        :param page: from 1.
        :param width: pixels, at most :data:`MAX_WIDTH`; a very tall page becomes narrower, and a picture is
            never enlarged.
        :param budget: time that this page shares with others; None if it shares none.
        :raises RenderingError: if the document cannot be read, or has no such page.
        """
        if not 1 <= width <= MAX_WIDTH:
            raise ValueError(f"a page is 1 to {MAX_WIDTH} pixels wide, not {width}")
        if not 1 <= page < 2**31:
            raise ValueError(f"pages count from 1: {page}")
        png = self._ask(RENDER, content, page, width, budget)
        if not png.startswith(PNG.starts):
            raise RenderingError(*_BROKE_OFF)
        return png

    def _ask(
        self, what: bytes, content: bytes, page: int = 0, width: int = 0, budget: Budget | None = None
    ) -> bytes:
        with self._free:
            seconds = min(self._seconds, budget.left) if budget else self._seconds
            process = self._take() or Process()
            started = time.monotonic()
            try:
                process, (kind, answer) = self._answer(process, (what, page, width, content), seconds)
            except TimeoutError:
                most = budget.seconds if budget and seconds < self._seconds else self._seconds
                raise RenderingError(_SLOW[0].format(most), _SLOW[1]) from None
            except EOFError:
                raise RenderingError(*_BROKE_OFF) from None
            if budget:
                budget.left = max(0.0, budget.left - (time.monotonic() - started))
            why, facts = (None, []) if kind == DONE else _refusal(answer)
            if kind == DONE or why not in (None, Refusal.MEMORY):
                self._idle.append(process)
            else:
                process.end()
        if kind == DONE:
            return answer
        problem, remedy = _WORDS[why] if why else _BROKE_OFF
        raise RenderingError(problem.format(*facts), remedy)

    def _answer(
        self, process: Process, question: tuple[bytes, int, int, bytes], seconds: float
    ) -> tuple[Process, tuple[bytes, bytes]]:
        """Return the answer, with the child that gave it; a child that gives none is ended."""
        while True:
            served = process.served
            try:
                return process, process.ask(*question, seconds)
            except BaseException as error:
                # Half an answer would be taken for the start of the next one.
                process.end()
                if not served or not isinstance(error, EOFError):
                    raise
            # It may have died of earlier documents: this one is given a child of its own.
            process = Process()

    def _take(self) -> Process | None:
        """Return a child that waits for a question; those of a process that this one was forked from stay."""
        while self._idle:
            process = self._idle.pop()
            if process.parent == os.getpid():
                return process
        return None


def _refusal(answer: bytes) -> tuple[Refusal | None, list[int]]:
    """Why the child refused a document, None if it talks nonsense."""
    try:
        why, *facts = json.loads(answer)
        facts = [*map(int, facts)]
        _WORDS[Refusal(why)][0].format(*facts)
    except (ValueError, TypeError, IndexError):
        return None, []
    return Refusal(why), facts
