"""Define the messages between parent and child: a document's bytes, and JSON or a PNG in reply."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Kind of request, page, width, number of bytes that follow.
QUESTION = struct.Struct(">cIIQ")
# In place of that number: the request is about the same bytes as the one before.
SAME = 2**64 - 1
# Kind of answer, number of bytes that follow.
ANSWER = struct.Struct(">cI")
INSPECT, RENDER, DRAW, PREPARE, JOIN, WRITE, OUTLINE = b"i", b"r", b"d", b"p", b"j", b"w", b"o"
# How to prepare a document, as flags in the place of the page, with the accepted types as the flags above
# them. The most bytes are in the place of the width.
STEPS = {"convert": 1, "clean": 2, "shrink": 4}
TYPES_FROM = 8
DONE, REFUSED = b"d", b"r"
_LENGTH = struct.Struct(">I")


def packed(description: Any, content: bytes) -> bytes:
    """Return JSON values and the bytes that they describe in one message.

    They describe a drawing, a prepared document, or the exhibits to join.
    """
    described = json.dumps(description).encode()
    return _LENGTH.pack(len(described)) + described + content


def unpacked(message: bytes) -> tuple[Any, bytes]:
    """Return the JSON values of a message, and the bytes that they describe.

    :raises ValueError: if it is no such message.
    """
    start = _LENGTH.size
    end = start + int.from_bytes(message[:start], "big")
    try:
        return json.loads(message[start:end]), message[end:]
    except RecursionError:
        raise ValueError from None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to a document while it was prepared; the parent has the message for each.

    :param what: such as ``converted``.
    :param facts: names and numbers for its message.
    """

    what: str
    facts: tuple[str | int, ...] = ()


class Refusal(StrEnum):
    """Why a document is refused; the parent has the message for each."""

    EMPTY = "empty"
    UNKNOWN = "unknown"
    BROKEN = "broken"
    ENCRYPTED = "encrypted"
    NO_PAGES = "no-pages"
    MANY_PAGES = "many-pages"
    NO_SUCH_PAGE = "no-such-page"
    MANY_PIXELS = "many-pixels"
    ANIMATED = "animated"
    ATTACHMENTS = "attachments"
    PORTFOLIO = "portfolio"
    ACTIVE = "active"
    DYNAMIC_FORM = "dynamic-form"
    MEDIA = "media"
    FOREIGN = "foreign"
    PASSWORD = "needs-password"  # noqa: S105  # no password
    NO_PACKET = "no-packet"
    NO_FONT = "no-font"
    MEMORY = "memory"
