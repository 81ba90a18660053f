"""Inspect and draw documents in child processes, and replace a child that fails."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from dispute_provider._documents.messages import DONE, DRAW, INSPECT, RENDER, Refusal, unpacked
from dispute_provider._documents.process import Process
from dispute_provider._documents.words import (
    BROKE_OFF,
    CONVERTIBLE,
    CURES,
    HELPS,
    SLOW,
    WORDS,
    problem_of,
    refusal,
)
from dispute_provider._evidence.documents import Inspection, Unseen
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE, JPEG, NAMES, PDF, PNG, name_other, start_of

MAX_WIDTH = 2400
SECONDS = 20.0
"""Wall-clock time limit for drawing one page or inspecting one document."""
# Inspections that are kept.
_REMEMBERED = 1000


class RenderingError(Exception):
    """A document that cannot be read or drawn.

    :param problem: what is wrong with it, for the message.
    :param remedy: what to do about it, for the message.
    :param step: the step of preparing that may help; None, the default, if none does.
    """

    def __init__(self, problem: str, remedy: str, step: str | None = None) -> None:
        self.problem = problem
        self.remedy = remedy
        self.step = step
        super().__init__(f"{problem}; {remedy}")


class DrawnPage(NamedTuple):
    """The drawing of a page.

    :param picture: a PNG or a JPEG.
    :param unseen: what it does not show of a PDF's page.
    """

    picture: bytes
    unseen: Unseen


class Budget:
    """A time limit that several drawings share; waiting for a free child does not count.

    :param seconds: wall-clock time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.left = seconds


class Renderer:
    """Inspects and draws documents in child processes without secrets, with limited memory and time.

    A child starts with the first document that needs it, handles one document at a time, and is replaced if
    it fails. Threads may share a renderer; asyncio code can use ``asyncio.to_thread``.

    :param seconds: wall-clock time limit for drawing one page or inspecting one document; by default
        :data:`SECONDS`.
    :param children: most documents that are read at the same time; by default 1.
    """

    def __init__(self, seconds: float | None = None, children: int = 1) -> None:
        self._seconds = SECONDS if seconds is None else seconds
        self._children = children
        self._free = threading.Semaphore(children)
        self._idle: list[Process] = []
        self._inspected: OrderedDict[str, Inspection] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children. A later document starts a new one."""
        for _ in range(self._children):
            self._free.acquire()
        try:
            while process := self._take(b""):
                process.end()
        finally:
            self._free.release(self._children)

    @contextmanager
    def held(self, content: bytes) -> Iterator[Self]:
        """Yield a renderer with one of the children, which reads nothing for others until the end.

        So a document is sent to the child once, and not again for each of its pages.

        :param content: the document; a child that has it is preferred.
        """
        with self._free:
            alone = copy(self)
            alone._children, alone._free = 1, threading.Semaphore()
            alone._idle = [process] if (process := self._take(content)) else []
            try:
                yield alone
            finally:
                self._idle += alone._idle

    def inspect(self, content: bytes, sha256: str | None = None) -> Inspection:
        """Read a document completely, and return its type, its pages and whether it has a card number.

        A document with the same bytes as an earlier one is not read again.

        :param sha256: of the document; None, the default, to find it.
        :raises RenderingError: if it is not a valid document, or its pages do not show everything in it.
        """
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        if known := self._inspected.get(sha256):
            return known
        inspection = self._inspected[sha256] = self._inspect(content)
        if len(self._inspected) > _REMEMBERED:
            # Another thread may have removed the last one.
            with suppress(KeyError):
                self._inspected.popitem(last=False)
        return inspection

    def _inspect(self, content: bytes) -> Inspection:
        answer = self._ask(INSPECT, content)
        # A hostile document may control the child, so its answer is not trusted.
        try:
            content_type, pages, card_number = json.loads(answer)
        except (ValueError, TypeError):
            raise RenderingError(*BROKE_OFF) from None
        if content_type not in BY_CONTENT_TYPE or type(pages) is not int or pages < 1:
            raise RenderingError(*BROKE_OFF)
        return Inspection(content_type, pages, bool(card_number))

    def render(self, content: bytes, page: int, width: int = 1200, budget: Budget | None = None) -> bytes:
        """Draw one page, as PNG or JPEG.

        :param page: page number from 1.
        :param width: pixels, at most :data:`MAX_WIDTH`, by default 1200; a very tall page becomes narrower,
            and a picture is not enlarged.
        :param budget: a time limit shared with other pages; None, the default, for none.
        :raises RenderingError: if the document cannot be read, or has no such page.
        :raises ValueError: if the page or the width is out of range.
        """
        if not 1 <= width <= MAX_WIDTH:
            raise ValueError(f"width must be 1 to {MAX_WIDTH} pixels, not {width}")
        if not 1 <= page < 2**31:
            raise ValueError(f"page must be 1 or more, not {page}")
        return _picture(self._ask(RENDER, content, page, width, budget))

    def draw(self, content: bytes, page: int, width: int = 1200, budget: Budget | None = None) -> DrawnPage:
        """Draw one page as :meth:`render` does, and find what the drawing does not show."""
        answer = self._ask(DRAW, content, page, width, budget)
        try:
            described, picture = unpacked(answer)
            return DrawnPage(_picture(picture), msgspec.convert(described, Unseen))
        except (ValueError, msgspec.MsgspecError):
            raise RenderingError(*BROKE_OFF) from None

    def _ask(
        self, what: bytes, content: bytes, page: int = 0, width: int = 0, budget: Budget | None = None
    ) -> bytes:
        with self._free:
            seconds = min(self._seconds, budget.left) if budget else self._seconds
            process = self._take(content) or self._start()
            started = time.monotonic()
            try:
                process, (kind, answer) = self._answer(process, (what, page, width, content), seconds)
            except TimeoutError:
                most = budget.seconds if budget and seconds < self._seconds else self._seconds
                raise RenderingError(SLOW[0].format(most), SLOW[1]) from None
            except EOFError:
                raise RenderingError(*BROKE_OFF) from None
            if budget:
                budget.left = max(0.0, budget.left - (time.monotonic() - started))
            why, facts = (None, []) if kind == DONE else refusal(answer)
            if kind == DONE or why not in (None, Refusal.MEMORY):
                self._idle.append(process)
            else:
                process.end()
        if kind == DONE:
            return answer
        problem, remedy = (problem_of(why, facts), WORDS[why][1]) if why else BROKE_OFF
        step = HELPS.get(why) if why else None
        if why is Refusal.UNKNOWN and (name := name_other(content)):
            problem = f"its content is {name}, not {NAMES}"
            remedy = CURES.get(name, remedy)
            step = "convert" if name in CONVERTIBLE else None
        elif why is Refusal.UNKNOWN and start_of(JPEG, content):
            problem, step = "it has other bytes before a JPEG picture", "clean"
        elif why is Refusal.BROKEN and start_of(PDF, content) is None:
            # Cleaning mends PDFs only.
            step = None
        raise RenderingError(problem, remedy, step)

    def _answer(
        self, process: Process, question: tuple[bytes, int, int, bytes], seconds: float
    ) -> tuple[Process, tuple[bytes, bytes]]:
        """Return the answer and the child that gave it; a child that gives no answer is ended."""
        while True:
            served = process.served
            try:
                return process, process.ask(*question, seconds)
            except BaseException as error:
                # The rest of a partial answer would be read as part of the next one.
                process.end()
                if not served or not isinstance(error, EOFError):
                    raise
            # Earlier documents may have caused the failure, so this one is tried in a new child.
            process = self._start()

    def _start(self) -> Process:
        return Process()

    def _take(self, content: bytes) -> Process | None:
        """Return an idle child, the one that has a document if possible.

        A child that belongs to the process from which this one was forked is never returned.
        """
        for process in sorted(self._idle, key=lambda each: not each.has(content)):
            # Another thread may have taken it.
            with suppress(ValueError):
                self._idle.remove(process)
                if process.parent == os.getpid():
                    return process
        return None


def _picture(drawing: bytes) -> bytes:
    """Return a drawing. A hostile document may control the child, so its answer is not trusted.

    :raises RenderingError: if it is no picture.
    """
    if not drawing.startswith(PNG.starts + JPEG.starts):
        raise RenderingError(*BROKE_OFF)
    return drawing
