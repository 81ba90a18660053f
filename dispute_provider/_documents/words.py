"""Say why a document is refused, and what was done to it."""

from __future__ import annotations

import json
import unicodedata

from dispute_provider._documents.messages import Refusal
from dispute_provider._evidence.file_types import FILM, LINK, MAIL, NAMES, SOUND, TEXT, WEB_PAGE, ZIP

# The problem, and the remedy.
WORDS = {
    Refusal.EMPTY: ("it is empty", "save it again"),
    Refusal.UNKNOWN: (f"its content is not {NAMES}", "save a picture as JPEG, and any other document as PDF"),
    Refusal.BROKEN: ("it is damaged or incomplete", "save or scan it again"),
    Refusal.ENCRYPTED: ("it is encrypted or password-protected", "print it to a PDF without a password"),
    Refusal.NO_PAGES: ("it has no pages", "save it again"),
    Refusal.MANY_PAGES: (
        "it has {:,} pages, and the limit is {:,}",
        "keep only the pages that the bank needs",
    ),
    Refusal.NO_SUCH_PAGE: ("it has {:,} pages, so there is no page {:,}", "request an existing page"),
    Refusal.MANY_PIXELS: ("it has {:,} × {:,} pixels, and the limit is {:,}", "save a smaller copy"),
    Refusal.ANIMATED: ("it is animated, and reviewers see only still pages", "save it as a still picture"),
    Refusal.ATTACHMENTS: (
        "it has attached files, which its pages do not show",
        "name the attached files in the case as documents, and print it to a PDF without them",
    ),
    Refusal.ACTIVE: ("it runs scripts or starts programs, so its pages may change", "print it to a PDF"),
    Refusal.PORTFOLIO: (
        "it is a portfolio, whose files its pages do not show",
        "save the files in it, and name them in the case",
    ),
    Refusal.DYNAMIC_FORM: ("it is an XFA form, which few programs can show", "print it to a PDF"),
    Refusal.MEDIA: (
        "its page {:,} has audio, video or a 3D model, which a still page does not show",
        "print it to a PDF without them",
    ),
    Refusal.FOREIGN: (
        "it contains hidden data, or also opens as another type of file",
        "save it again with the program that created it",
    ),
    Refusal.PASSWORD: (
        "it needs a password to be opened, which the bank does not have",
        "save a copy without a password",
    ),
    Refusal.NO_PACKET: (
        "preparing it needs libraries that are not installed",
        "install dispute-provider[packet] on the workers",
    ),
    Refusal.NO_FONT: (
        "it has characters for which there is no font: {}",
        "install a TrueType font that has them, print the text to a PDF, or write another caption",
    ),
    Refusal.MEMORY: (
        "reading it takes more memory than the limit of 1 GiB",
        "save a smaller or simpler copy",
    ),
}
SLOW = "it takes more than {:g} seconds to read", "save a smaller or simpler copy"
BROKE_OFF = "the process that reads documents failed on it", "save a smaller or simpler copy"
# The message on each thing that was done to a document.
_DONE = {
    "converted": "converted from {} to {}",
    "first-picture": "kept the first of {} pictures of an animation",
    "pages": "kept all {} pages",
    "shrunk": "shrunk from {} × {} to {} × {} pixels at quality {}",
    "shrunk-pictures": "shrunk {} of its pictures to at most {} dpi at quality {}",
    "grey": "wrote {} of its pictures in black and white as grey",
    "before": "left out {} bytes before the document",
    "after": "left out {} bytes after the document",
    "film": "left out the film behind the photo ({} bytes)",
    "password": "removed the password for changes",
    "end-marker": "added the lost end marker",
    "attachments": "left out the attached files: {}",
    "scripts": "removed scripts",
    "headers": "left out header lines: {}",
    "formatted": "kept the text of the formatted version, without pictures and the addresses of links",
    "version": "left out the {} version of its text",
    "undecoded": "{} characters could not be read, and stand as \N{REPLACEMENT CHARACTER}",
    "encoding": "read as {}, as it is not UTF-8",
    "named": "wrote symbols without a font by their names: {}",
    "signature": "a digital signature in it is no longer valid",
}
_UNPACK = "unpack it, and name the files in it"
_PRINT_PAGE = "open it in a browser, and print it to a PDF"
# What to do about types that cannot be saved as a picture or a PDF.
CURES = {
    ZIP: _UNPACK,
    "GZIP": _UNPACK,
    "RAR or 7Z": _UNPACK,
    "P7M": "save the document that it signs, and name that",
    FILM: "name still pictures of it, as JPEG",
    LINK: "download the document itself, and name that",
    SOUND: "write a transcript, and add it as a PDF",
    "HTML": _PRINT_PAGE,
    WEB_PAGE: _PRINT_PAGE,
}
# The steps that can help with a refusal.
HELPS = {
    Refusal.ENCRYPTED: "clean",
    Refusal.ATTACHMENTS: "clean",
    Refusal.ACTIVE: "clean",
    Refusal.FOREIGN: "clean",
    Refusal.BROKEN: "clean",
    Refusal.ANIMATED: "convert",
}
CONVERTIBLE = ("HEIC", "AVIF", "WEBP", "BMP", MAIL, TEXT)
_LISTS = ("attachments", "headers", "named")
_MOST_NAMED = 20


def refusal(answer: bytes) -> tuple[Refusal | None, list[int]]:
    """Return why the child refused a document, with its numbers; None if the answer is invalid."""
    try:
        why, *facts = json.loads(answer)
        facts = [*map(int, facts)]
        problem_of(Refusal(why), facts)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None, []
    return Refusal(why), facts


def problem_of(why: Refusal, facts: list[int]) -> str:
    """Return the problem of a refused document.

    :raises IndexError: if it lacks facts.
    """
    if why == Refusal.NO_FONT:
        return WORDS[why][0].format(", ".join(map(_character, facts[:_MOST_NAMED])))
    return WORDS[why][0].format(*facts)


def _character(code: int) -> str:
    """Return a character with its code; without it if it could change the order of a message."""
    given = chr(code)
    safe = given.isprintable() and unicodedata.bidirectional(given) == "L"
    return f"{given if safe else unicodedata.name(given, '').lower()} (U+{code:04X})"


def done_in_words(what: str, facts: list[str | int]) -> str:
    """Return what was done to a document.

    :raises LookupError: if the child has sent something unknown.
    """
    named = [f"{each:,}" if isinstance(each, int) else str(each) for each in facts]
    return _DONE[what].format(", ".join(named)) if what in _LISTS else _DONE[what].format(*named)
