"""Define the messages between parent and child: a document's bytes, and the child's JSON or PNG."""

from __future__ import annotations

import struct
from enum import StrEnum

# What is asked, the page, the width, the bytes that follow.
QUESTION = struct.Struct(">cIIQ")
# What it is, the bytes that follow.
ANSWER = struct.Struct(">cI")
INSPECT, RENDER = b"i", b"r"
DONE, REFUSED = b"d", b"r"


class Refusal(StrEnum):
    """Why a document is refused; the words for it stand with the parent."""

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
