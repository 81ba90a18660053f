"""Define the messages between parent and child: a document's bytes, and JSON or a PNG in reply."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

# Kind of request, page, width, number of bytes that follow.
QUESTION = struct.Struct(">cIIQ")
# In place of that number: the request is about the same bytes as the one before.
SAME = 2**64 - 1
# Kind of answer, number of bytes that follow.
ANSWER = struct.Struct(">cI")
INSPECT, RENDER, LOOK, PREPARE, WRITE, JOIN = b"i", b"r", b"l", b"p", b"w", b"j"
# How to prepare a document, as flags in the place of the page, with the accepted types as the flags above
# them. The most bytes are in the place of the width.
STEPS = {"convert": 1, "clean": 2, "shrink": 4}
TYPES_FROM = 8
# The length of what was done, in JSON; the prepared document follows. To join, the length of the captions
# and sizes of the exhibits, in JSON; the exhibits follow.
PREPARED = struct.Struct(">I")
DONE, REFUSED = b"d", b"r"


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
    JOINED = "joined"
    MEMORY = "memory"
