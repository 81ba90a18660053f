"""Define the messages between parent and child: a document's bytes, and JSON or a PNG in reply."""

from __future__ import annotations

import struct
from enum import StrEnum

# Kind of request, page, width, number of bytes that follow.
QUESTION = struct.Struct(">cIIQ")
# Kind of answer, number of bytes that follow.
ANSWER = struct.Struct(">cI")
INSPECT, RENDER, LOOK = b"i", b"r", b"l"
DONE, REFUSED = b"d", b"r"


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
    ACTIVE = "active"
    DYNAMIC_FORM = "dynamic-form"
    MEDIA = "media"
    FOREIGN = "foreign"
    MEMORY = "memory"
