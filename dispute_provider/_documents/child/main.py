"""Parse and draw documents in the child process; no other process parses them.

All modules are imported before the first document, because the child may open no files or sockets after that.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO

from dispute_provider._documents.child import fonts, letters, outlines, pdf_fonts, pdfs, pictures
from dispute_provider._documents.child.polyglots import is_polyglot
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.unseen import unseen
from dispute_provider._documents.messages import (
    ANSWER,
    DONE,
    DRAW,
    INSPECT,
    JOIN,
    OUTLINE,
    PREPARE,
    QUESTION,
    REFUSED,
    SAME,
    WRITE,
    Refusal,
    packed,
)
from dispute_provider._evidence.documents import Unseen
from dispute_provider._evidence.file_types import PDF, start_of

if TYPE_CHECKING:
    from dispute_provider._documents.child.fonts import Font
    from dispute_provider._documents.child.preparing import Preparation

MEMORY = 1024 * 1024 * 1024
_MOST_FILES = 4096
# The parent kills a slow child by wall-clock time; this limit ends a child whose parent is gone.
CPU_SECONDS = 60
# Exercises the parser: a letter, a note, and no cross-reference table.
_PDF = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Annots[5 0 R]
/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Courier>>>>>>>> endobj
4 0 obj <</Length 18>> stream
BT /F 9 Tf(a)Tj ET
endstream endobj
5 0 obj <</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(a)>> endobj
trailer <</Root 1 0 R>>
%%EOF"""


def main(prepares: bool = False, folders: Sequence[str] = ()) -> None:
    """Answer requests on standard input until it is closed.

    :param prepares: whether it also prepares documents, for which it may start threads; by default not.
    :param folders: those with fonts, besides those of the package and the system; by default none.
    """
    questions = sys.stdin.buffer
    # A parser's own output must not be mistaken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    found = fonts.find((fonts.SHIPPED, *folders, *fonts.SYSTEM))
    # Python keeps a duplicate of each mapped file open.
    os.closerange(answers.fileno() + 1, _MOST_FILES)
    pdf_fonts.install(found)
    _warm_up()
    preparation = _preparation(found) if prepares else None
    _drop_permissions(threads=prepares)
    # What was imported stays in use, so it need not be searched for unused objects.
    gc.freeze()
    _send(answers, DONE, b"")
    content = b""
    while head := questions.read(QUESTION.size):
        what, page, width, length = QUESTION.unpack(head)
        if length != SAME:
            content = questions.read(length)
        _limit_time()
        try:
            kind, answer = DONE, _answer(what, content, page, width, preparation)
        except Refused as refused:
            kind, answer = REFUSED, json.dumps([refused.why, *refused.facts]).encode()
        except MemoryError:
            kind, answer = REFUSED, json.dumps([Refusal.MEMORY]).encode()
        except Exception:
            # Parsers raise many types, and their messages may quote the document.
            kind, answer = REFUSED, json.dumps([Refusal.BROKEN]).encode()
        _send(answers, kind, answer)


def _preparation(found: Sequence[Font]) -> Preparation:
    """Load what prepares documents. Other children start in two thirds of the time without it."""
    from dispute_provider._documents.child.preparing import Preparation

    return Preparation(found)


def _answer(what: bytes, content: bytes, page: int, width: int, preparation: Preparation | None) -> bytes:
    if what == INSPECT:
        return _inspect(content)
    if what == DRAW:
        return _draw(content, page, width)
    if what == WRITE:
        return letters.write(content)
    if what == OUTLINE:
        return outlines.outline(content)
    if preparation and what == PREPARE:
        return preparation.prepare(content, page, width)
    if preparation and what == JOIN:
        return preparation.join(content)
    return _render(content, page, width)


def _inspect(content: bytes) -> bytes:
    kind, pages, card_number = (
        pdfs.inspect(content) if _is_pdf(content) else (*pictures.inspect(content), False)
    )
    if is_polyglot(content, kind):
        raise Refused(Refusal.FOREIGN)
    return json.dumps([kind, pages, card_number]).encode()


def _render(content: bytes, page: int, width: int) -> bytes:
    if _is_pdf(content):
        with pdfs.opened_page(content, page) as (_, opened):
            return pictures.encoded(pdfs.draw(opened, pdfs.scale_of(opened, width)))
    return pictures.encoded(pictures.render(content, page, width))


def _draw(content: bytes, page: int, width: int) -> bytes:
    """Return what the drawing of a page does not show, and the drawing."""
    if not _is_pdf(content):
        return packed(asdict(Unseen(0, 0)), _render(content, page, width))
    with pdfs.opened_page(content, page) as (document, opened):
        scale = pdfs.scale_of(opened, width)
        picture = pdfs.draw(opened, scale)
        return packed(asdict(unseen(document, opened, picture, scale)), pictures.encoded(picture))


def _is_pdf(content: bytes) -> bool:
    """Return whether a document starts as a PDF; if not, it must be a picture."""
    if not content:
        raise Refused(Refusal.EMPTY)
    return content.startswith(PDF.starts)


def _send(answers: BinaryIO, kind: bytes, answer: bytes) -> None:
    answers.write(ANSWER.pack(kind, len(answer)) + answer)
    answers.flush()


def _warm_up() -> None:
    """Parse a document of each type, so that everything parsers load on demand is loaded."""
    pictures.prepare()
    for content in (_PDF, *pictures.samples()):
        _inspect(content)
        _render(content, 1, 9)
    _draw(_PDF, 1, 9)
    # The byte before it is not UTF-8, so that every decoder is loaded.
    start_of(PDF, b"\x80" + _PDF)
    letters.warm_up()
    outlines.warm_up()


def _limit_time() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = int(time.process_time()) + CPU_SECONDS
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def _drop_permissions(*, threads: bool) -> None:
    """Limit memory, and forbid new files, sockets and processes.

    :param threads: whether threads may be started, which count as processes.
    """
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    if not threads:
        limits[resource.RLIMIT_NPROC] = 0
    for limit, allowed in limits.items():
        _, most = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY:
            allowed = min(allowed, most)
        # macOS does not support all of them.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (allowed, allowed))


if __name__ == "__main__":
    main()
