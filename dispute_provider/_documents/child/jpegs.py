"""Find the end of a JPEG, and the part of it that shows whether all of it can be decoded."""

from __future__ import annotations

import re

# In a JPEG's coded data, 0xff is followed by zero, a restart marker or 0xff; anything else is a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_END, _SCAN = 0xD9, 0xDA
_MARKED_END = b"\xff\xd9"
# Frames whose coded data any decoder reads: baseline and extended.
_FRAMES = (0xC0, 0xC1)
# Tables, the restart interval, what programs add, and comments.
_BESIDE_FRAME = (0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)
# Bytes of coded data with which a decoder starts.
_STARTS_WITH = 512


def end(content: bytes) -> int:
    """Return the position after the first picture, skipping thumbnails inside its segments."""
    at = 2
    while marker := _MARKER.search(content, at):
        at = marker.end()
        kind = marker[1][0]
        if kind == _END:
            return at
        at += int.from_bytes(content[at : at + 2], "big")
    return len(content)


def beginning(content: bytes) -> bytes:
    """Return a JPEG with little of its coded data. It can be decoded if and only if the whole JPEG can.

    A decoder accepts any data in a single scan that ends with the end marker: it fills gaps and skips errors.
    A JPEG with several scans, or without an end marker, is returned unchanged.
    """
    components, at = 0, 2
    while content[at : at + 1] == b"\xff" and at + 4 < len(content):
        kind, after = content[at + 1], at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if kind == _SCAN:
            marker = _MARKER.search(content, after)
            if marker and marker[0] == _MARKED_END and content[at + 4] == components:
                return content[: min(after + _STARTS_WITH, marker.start())] + _MARKED_END
            break
        if kind in _FRAMES and not components and at + 9 < len(content):
            components = content[at + 9]
        elif kind not in _BESIDE_FRAME:
            break
        at = after
    return content
