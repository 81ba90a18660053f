"""Parse and draw documents in the child process, the only place where this is done.

Everything is imported before the first document: from then on it may open no file, and no socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from typing import BinaryIO

from dispute_provider._documents import pdfs, pictures
from dispute_provider._documents.messages import ANSWER, DONE, INSPECT, QUESTION, REFUSED, Refusal
from dispute_provider._documents.polyglots import is_polyglot
from dispute_provider._documents.refused import Refused
from dispute_provider._evidence.file_types import PDF

MEMORY = 1024 * 1024 * 1024
# The parent ends a slow child by the clock; this ends one whose parent is gone.
CPU_SECONDS = 60
# With a letter on its page, a note, and no table of its objects.
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


def main() -> None:
    """Serve questions on standard input until it ends."""
    questions = sys.stdin.buffer
    # What a parser prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _warm_up()
    _lock_up()
    _say(answers, DONE, b"")
    while head := questions.read(QUESTION.size):
        what, page, width, length = QUESTION.unpack(head)
        content = questions.read(length)
        _limit_time()
        try:
            kind, answer = DONE, _inspect(content) if what == INSPECT else _render(content, page, width)
        except Refused as refused:
            kind, answer = REFUSED, json.dumps([refused.why, *refused.facts]).encode()
        except MemoryError:
            kind, answer = REFUSED, json.dumps([Refusal.MEMORY]).encode()
        except Exception:
            # Parsers fail in many ways, and a message of theirs may quote the document.
            kind, answer = REFUSED, json.dumps([Refusal.BROKEN]).encode()
        _say(answers, kind, answer)


def _inspect(content: bytes) -> bytes:
    kind, pages, card_number = (
        pdfs.inspect(content) if _is_pdf(content) else (*pictures.inspect(content), False)
    )
    if is_polyglot(content, kind):
        raise Refused(Refusal.FOREIGN)
    return json.dumps([kind, pages, card_number]).encode()


def _render(content: bytes, page: int, width: int) -> bytes:
    if _is_pdf(content):
        return pictures.png(pdfs.render(content, page, width))
    return pictures.png(pictures.render(content, page, width))


def _is_pdf(content: bytes) -> bool:
    """Whether it is a PDF from its first byte on; else it has to be a picture."""
    if not content:
        raise Refused(Refusal.EMPTY)
    return content.startswith(PDF.starts)


def _say(answers: BinaryIO, kind: bytes, answer: bytes) -> None:
    answers.write(ANSWER.pack(kind, len(answer)) + answer)
    answers.flush()


def _warm_up() -> None:
    """Read a document of each kind: what parsers load on demand is there when files are out of reach."""
    pictures.prepare()
    for content in (_PDF, *pictures.samples()):
        _inspect(content)
        _render(content, 1, 9)


def _limit_time() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = int(time.process_time()) + CPU_SECONDS
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def _lock_up() -> None:
    """Take away what no document needs: memory without end, new files and sockets, other processes."""
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for limit, allowed in limits.items():
        _, most = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY:
            allowed = min(allowed, most)
        # Lowering a limit always works on Linux; macOS does not know all of them.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (allowed, allowed))


if __name__ == "__main__":
    main()
