"""Read e-mails: who wrote to whom, the text, and what is attached."""

from __future__ import annotations

import codecs
import contextlib
import email
import email.errors
import encodings
import pkgutil
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from html.parser import HTMLParser
from typing import Any

from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence import plain_text

SHOWN = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Date", "Subject")
_TITLES = tuple(each.title() for each in SHOWN)
_MOST_NAMES = 20
_LONGEST_NAME = 100
# Charsets of which programs declare a part and use the whole, as browsers read them.
_WIDER = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
}
_LOST = (
    email.errors.CloseBoundaryNotFoundDefect,
    email.errors.StartBoundaryNotFoundDefect,
    email.errors.NoBoundaryInMultipartDefect,
)
_NAMING = ("content-type", "content-disposition")
_HIDDEN = ("head", "script", "style", "template", "title")
_BLOCK = re.compile(
    "address|article|blockquote|br|div|dl|dt|dd|footer|form|h[1-6r]|header|li|ol|p|pre|section|table|tr|ul"
)
_PARAGRAPH = re.compile("h[1-6]|ol|p|table|ul")


@dataclass
class Mail:
    """What the pages of an e-mail show, and what was done to make them.

    :param headers: name and value of the header lines that people read.
    :param attached: the names of attached files, with their sizes.
    """

    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    attached: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)


def warm_up() -> None:
    """Load what reads e-mails, every encoding among it."""
    for module in pkgutil.iter_modules(encodings.__path__):
        # Some exist on Windows only.
        with contextlib.suppress(LookupError):
            codecs.lookup(module.name)
    read(b'From: a\nSubject: =?utf-8?q?a?=\nContent-Type: text/html; charset="utf-8"\n\n<p>a&amp;</p>')


def read(content: bytes) -> Mail:
    """Read an e-mail.

    :raises Refused: if its end is lost.
    """
    message = email.message_from_bytes(content)
    for part in message.walk():
        if any(isinstance(each, _LOST) for each in part.defects):
            raise Refused(Refusal.BROKEN)
        _read_names(part)
    found = Mail(headers=_headers(message))
    others = [name for name, _ in message.raw_items() if name.title() not in _TITLES]
    if others := list(dict.fromkeys(others)):
        found.done.append(Done("headers", tuple(each[:_LONGEST_NAME] for each in others[:_MOST_NAMES])))
    body = _Body()
    body.add(message)
    found.text, found.attached = body.text, body.attached
    found.done += body.done
    if body.attached:
        found.done.append(Done("attachments", tuple(body.attached[:_MOST_NAMES])))
    if message.get_content_type() in ("multipart/signed", "application/pkcs7-mime"):
        found.done.append(Done("signature"))
    return found


def _read_names(part: Message) -> None:
    """Decode the names of files that a program wrote without encoding them as e-mails have to."""
    for name, value in part.raw_items():
        if name.lower() in _NAMING and not value.isascii():
            part.replace_header(name, _decoded(value))


def _headers(message: Message) -> list[tuple[str, str]]:
    return [
        (name, _decoded(str(value)))
        for name in SHOWN
        for given, value in message.raw_items()
        if given.title() == name.title()
    ]


def _decoded(value: str) -> str:
    """Return a header line as people read it, on one line."""
    with contextlib.suppress(UnicodeError):
        value.encode("ascii", "strict")
        with contextlib.suppress(LookupError, ValueError, email.errors.HeaderParseError):
            value = str(make_header(decode_header(value)))
        return " ".join(value.split())
    text = plain_text.decode(value.encode("utf-8", "surrogateescape"))
    return " ".join((text[0] if text else value.encode("ascii", "replace").decode()).split())


class _Body:
    """The texts of an e-mail in their order, and what else it has."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.attached: list[str] = []
        self.done: list[Done] = []
        self.formatted = False

    @property
    def text(self) -> str:
        return "\n\n".join(each for each in self.texts if each.strip())

    def add(self, part: Message) -> None:
        """Add a part with everything in it."""
        kind = part.get_content_type()
        parts: Any = part.get_payload()
        if kind == "multipart/alternative":
            self._add_best(parts)
        elif part.get_content_maintype() == "multipart":
            for each in parts:
                self.add(each)
        elif kind in ("text/plain", "text/html") and not _is_file(part):
            self._add_text(part, kind == "text/html")
        else:
            self.attached.append(_named(part))

    def _add_best(self, parts: Sequence[Message]) -> None:
        """Add the plain version of a text; the formatted one if the plain one has much less text."""
        versions = []
        for each in parts:
            version = _Body()
            version.add(each)
            versions.append(version)
        plain = max((each for each in versions if not each.formatted), key=_length, default=None)
        rich = max((each for each in versions if each.formatted), key=_length, default=None)
        best = rich if plain is None or (rich and 2 * _length(plain) < _length(rich)) else plain
        if best is None:
            return
        self.texts += best.texts
        self.done += best.done
        self.formatted |= best.formatted
        self.attached += [name for each in versions for name in each.attached]
        if any(other.text for other in versions if other is not best):
            self.done.append(Done("version", ("plain" if best is rich else "formatted",)))

    def _add_text(self, part: Message, formatted: bool) -> None:
        payload = part.get_payload(decode=True)
        text, lost = _text(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
        if lost:
            self.done.append(Done("undecoded", (lost,)))
        if formatted:
            self.formatted = True
            self.done.append(Done("formatted"))
            text = _without_markup(text)
        self.texts.append(text.strip("\r\n"))


def _length(body: _Body) -> int:
    return len("".join(body.text.split()))


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _named(part: Message) -> str:
    """Return the name of an attached file, and its size."""
    if part.get_content_type() == "message/rfc822":
        inner: Any = part.get_payload()
        subject = inner[0].get("Subject") if inner else None
        return f"e-mail: {_decoded(str(subject or ''))}"[:_LONGEST_NAME]
    payload = part.get_payload(decode=True)
    size = len(payload) if isinstance(payload, bytes) else 0
    name = _decoded(part.get_filename() or part.get_content_type())
    return f"{name[:_LONGEST_NAME]} ({size:,} bytes)"


def _text(content: bytes, charset: str | None) -> tuple[str, int]:
    """Return a text, and how many of its characters could not be read."""
    named = (charset or "").lower()
    with contextlib.suppress(LookupError, UnicodeError):
        if named:
            return content.decode(_WIDER.get(named, named)), 0
    if known := plain_text.decode(content):
        return known[0], 0
    text = content.decode("utf-8", "replace")
    return text, text.count("\N{REPLACEMENT CHARACTER}")


def _without_markup(text: str) -> str:
    reader = _MarkupReader()
    reader.feed(text)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.found).split("\n")]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept)


class _MarkupReader(HTMLParser):
    """Collects the text of HTML, with a line for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden.clear()
        elif tag in _HIDDEN:
            self._hidden.append(tag)
        elif _BLOCK.fullmatch(tag):
            self.found.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.found.append(" ")
        elif tag == "img" and (alt := dict(attrs).get("alt")):
            self.found.append(f"[{alt}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif _BLOCK.fullmatch(tag):
            self.found.append("\n\n" if _PARAGRAPH.fullmatch(tag) else "\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data.replace("\n", " "))
