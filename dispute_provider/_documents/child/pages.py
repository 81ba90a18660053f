"""Set texts and e-mails as the pages of a PDF."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dispute_provider._documents.child import mails
from dispute_provider._documents.child.lettering import BOLD, FIXED, PLAIN, Letters, Line, lines_of
from dispute_provider._documents.child.pdfs import MAX_PAGES
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.typeset import A4, canvas
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence import plain_text
from dispute_provider._evidence.file_types import MAIL, PDF, TEXT, name_other

_MARGIN = 56.0
_ROOM = A4[0] - 2 * _MARGIN
_SIZE, _FIXED_SIZE, _LINE = 10.0, 9.0, 14.0
_LINES = int((A4[1] - 2 * _MARGIN) / _LINE)
_ROOM_OF_NAMES = 64.0
_BELOW = 30.0
# A name in Hebrew is followed by the size as one in Latin letters is.
_FROM_LEFT = "\N{LEFT-TO-RIGHT MARK}"
# Spaces inside a line, with which a text sets columns.
_COLUMNS = re.compile(r"\S(?: {2,}|\t)\S")


class _Row(NamedTuple):
    """One line of a page.

    :param name: what stands before it in bold; empty for most lines.
    :param left: where the line begins, in points from the margin.
    """

    line: Line
    name: str = ""
    left: float = 0.0


def convert(content: bytes, letters: Letters) -> tuple[bytes, list[Done]] | None:
    """Return a text or an e-mail as pages, and what was done; None if it is neither.

    :raises Refused: if it is empty, damaged, too long, or has letters that cannot be set.
    """
    kind = name_other(content)
    if kind not in (MAIL, TEXT):
        return None
    if not canvas:
        raise Refused(Refusal.NO_PACKET)
    done = [Done("converted", (kind.removeprefix("an "), PDF.name))]
    named: dict[str, None] = {}
    if kind == MAIL:
        mail = mails.read(content)
        rows = list(_of_mail(mail, letters, named))
        done += mail.done
    else:
        text, encoding = plain_text.decode(content) or ("", "")
        if not text:
            raise Refused(Refusal.UNKNOWN)
        if not text.strip():
            raise Refused(Refusal.EMPTY)
        if encoding == plain_text.WINDOWS:
            done.append(Done("encoding", (encoding,)))
        rows = list(_of_text(text, letters, named))
    if named:
        done.append(Done("named", tuple(named)))
    pages = -(-len(rows) // _LINES)
    if pages > MAX_PAGES:
        raise Refused(Refusal.MANY_PAGES, pages, MAX_PAGES)
    return _drawn(rows, pages, letters), [*done, *([Done("pages", (pages,))] if pages > 1 else [])]


def _of_text(text: str, letters: Letters, named: dict[str, None]) -> Iterator[_Row]:
    legible, symbols = letters.legible(text)
    named |= dict.fromkeys(symbols)
    font, size = (FIXED, _FIXED_SIZE) if _COLUMNS.search(legible) else (PLAIN, _SIZE)
    for line in lines_of(legible):
        for part in letters.wrapped(line, _ROOM, size, font):
            yield _Row(part, left=_ROOM - part.width if part.is_from_right else 0.0)


def _of_mail(mail: mails.Mail, letters: Letters, named: dict[str, None]) -> Iterator[_Row]:
    for name, value in mail.headers:
        yield from _entry(f"{name}:", value, letters, named)
    yield _Row(letters.line("", _SIZE))
    yield from _of_text(mail.text, letters, named)
    if mail.attached:
        yield _Row(letters.line("", _SIZE))
    for number, attached in enumerate(mail.attached):
        yield from _entry("" if number else "Attached:", f"{_FROM_LEFT}{attached}", letters, named)


def _entry(name: str, value: str, letters: Letters, named: dict[str, None]) -> Iterator[_Row]:
    legible, symbols = letters.legible(value)
    named |= dict.fromkeys(symbols)
    for number, part in enumerate(letters.wrapped(legible, _ROOM - _ROOM_OF_NAMES, _SIZE)):
        yield _Row(part, "" if number else name, _ROOM_OF_NAMES)


def _drawn(rows: list[_Row], pages: int, letters: Letters) -> bytes:
    written = io.BytesIO()
    page: Any = canvas.Canvas(written, pagesize=A4, invariant=1, pageCompression=1)
    for number in range(pages):
        for row, (line, name, left) in enumerate(rows[number * _LINES :][:_LINES]):
            height = A4[1] - _MARGIN - _LINE * row - _SIZE
            if name:
                page.setFont(BOLD, _SIZE)
                page.drawString(_MARGIN, height, name)
            line.draw(page, _MARGIN + left, height)
        if pages > 1:
            count = letters.line(f"{number + 1} of {pages}", _SIZE)
            count.draw(page, A4[0] - _MARGIN - count.width, _BELOW)
        page.showPage()
    page.save()
    return written.getvalue()
