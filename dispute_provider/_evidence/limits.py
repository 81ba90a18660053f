"""Read an API's limits for texts and documents, and measure evidence against them. Pure.

The limits come from the API's contract: ``x-documents`` and the maximum lengths of its texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import fields, lists
from dispute_provider._contracts.json_data import Json
from dispute_provider._contracts.lengths import text_length
from dispute_provider._evidence.documents import shown
from dispute_provider._explain.labels import label
from dispute_provider.exceptions import Violation

_MEGABYTE = 1_000_000
_ALL_PLACES = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one API; None for a limit that it does not have.

    :param types: the content types that documents may have.
    :param document_bytes: most bytes of one document.
    :param total_bytes: most bytes of all documents of a dispute.
    :param total_pages: most pages of all documents of a dispute.
    :param total_pages_by_network: most pages for networks with another limit.
    :param documents_per_name: most documents of one field.
    :param lists: names of the fields that accept any number of documents.
    :param total_text: most UTF-16 code units of all texts of a dispute.
    :param text: most UTF-16 code units of one text, by the name of its field.
    """

    types: tuple[str, ...]
    document_bytes: int
    total_bytes: int | None = None
    total_pages: int | None = None
    total_pages_by_network: Mapping[str, int] = field(default_factory=dict)
    documents_per_name: int | None = None
    lists: frozenset[str] = frozenset()
    total_text: int | None = None
    text: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    @cache
    def of(cls, api: Contract) -> Limits:
        """Return the limits of a contract."""
        evidence = api.resolve(api.evidence)
        documents = evidence["x-documents"]
        return cls(
            types=tuple(documents["types"]),
            document_bytes=documents["maxBytes"],
            total_bytes=documents.get("maxTotalBytes"),
            total_pages=documents.get("maxPages"),
            total_pages_by_network=documents.get("maxPagesByNetwork", {}),
            documents_per_name=documents.get("maxPerName"),
            lists=lists(api),
            total_text=evidence.get("x-maxTextLength"),
            text={
                name: length for name, schema in fields(api).items() if (length := _longest_text(api, schema))
            },
        )

    def pages(self, network: str | None) -> int | None:
        """Return how many pages all documents of a dispute may have together."""
        return self.total_pages_by_network.get((network or "").lower(), self.total_pages)


@dataclass(frozen=True, slots=True)
class MeasuredDocument:
    """The size of one document.

    :param name: the API's name of its field.
    :param size: bytes; None if not known.
    :param pages: None if not known.
    :param path: as the case names it; None for a document already on the dispute.
    :param optional: whether the case can be staged without it.
    """

    name: str
    size: int | None = None
    pages: int | None = None
    path: str | None = None
    optional: bool = False


class Usage(msgspec.Struct, frozen=True, gc=False):
    """How much of an API's limits evidence uses; a limit is None if the API does not have it.

    :param units: UTF-16 code units of all texts.
    :param longest: the length of each field's longest text, with its limit.
    :param size: bytes of the documents whose size is known.
    :param all_sizes: whether the size of every document is known.
    :param pages: pages of the documents whose number of pages is known.
    :param all_pages: whether the number of pages of every document is known.
    """

    units: int
    most_units: int | None
    longest: Mapping[str, tuple[int, int]]
    documents: int
    size: int
    most_size: int | None
    all_sizes: bool
    pages: int
    most_pages: int | None
    all_pages: bool

    @property
    def text(self) -> str:
        """Return ``12,034 of 150,000 characters · 3 documents · 1.2 of 4.5 MB · 7 of 49 pages``.

        Sizes and pages of which nothing is known are left out.
        """
        documents = "1 document" if self.documents == 1 else f"{self.documents} documents"
        parts = [f"{_used(self.units, self.most_units)} characters", documents]
        if self.documents and (self.size or self.all_sizes):
            size = _used(self.size, self.most_size, _readable)
            parts.append(f"{'' if self.all_sizes else 'at least '}{size} MB")
        if self.documents and (self.pages or self.all_pages):
            pages = _used(self.pages, self.most_pages)
            word = "page" if pages == "1" else "pages"
            parts.append(f"{'' if self.all_pages else 'at least '}{pages} {word}")
        return " · ".join(parts)


def usage(
    limits: Limits,
    documents: Sequence[MeasuredDocument],
    texts: Iterable[tuple[str, Any]],
    network: str | None = None,
) -> Usage:
    """Return how much of the limits evidence uses.

    :param texts: name and content of each text or structured object.
    :param network: the card network; None, the default, applies the limits of most networks.
    """
    longest: dict[str, tuple[int, int]] = {}
    units = 0
    for name, text in texts:
        length = text_length(text)
        units += length
        if allowed := limits.text.get(name):
            longest[name] = (max(length, longest.get(name, (0, 0))[0]), allowed)
    sizes = [each.size for each in documents if each.size is not None]
    pages = [each.pages for each in documents if each.pages is not None]
    return Usage(
        units=units,
        most_units=limits.total_text,
        longest=longest,
        documents=len(documents),
        size=sum(sizes),
        most_size=limits.total_bytes,
        all_sizes=len(sizes) == len(documents),
        pages=sum(pages),
        most_pages=limits.pages(network),
        all_pages=len(pages) == len(documents),
    )


def unfit(limits: Limits, size: int, content_type: str | None = None) -> tuple[str, str] | None:
    """Return what is wrong with one document, and the remedy; None if it is within the limits.

    :param size: bytes.
    :param content_type: None, the default, if it is not known yet.
    """
    if size > limits.document_bytes:
        return too_large(size, limits.document_bytes)
    if content_type is not None and content_type not in limits.types:
        *types, last = map(type_name, limits.types)
        accepted = f"{', '.join(types)} or {last}" if types else last
        return f"it is a {type_name(content_type)}, which the API does not accept", f"save it as {accepted}"
    return None


def too_large(size: int, most: int) -> tuple[str, str]:
    """Return the problem and the remedy of a document with too many bytes."""
    return f"it has {size:,} bytes, and the limit is {most:,}", "save a smaller copy"


def exceeded(
    limits: Limits,
    documents: Sequence[MeasuredDocument],
    network: str | None = None,
    *,
    smallest: str = "",
) -> list[Violation]:
    """Return every limit that documents exceed together, with the arithmetic.

    An unknown size or number of pages counts as zero; the API refuses what exceeds a limit with it.

    :param network: the card network; None, the default, applies the limits of most networks.
    :param smallest: how small the documents were made, for the problem of too many bytes; empty by default.
    """
    most = limits.documents_per_name
    names = Counter(document.name for document in documents)
    found = [
        Violation(
            f"/evidence/{name}",
            f"{count} documents, and the limit is {most}",
            "combine them into one, or remove some",
        )
        for name, count in names.items()
        if most is not None and count > most and name not in limits.lists
    ]
    return [*found, *_in_all(limits, documents, network, smallest)]


def to_leave_out(
    limits: Limits, documents: Sequence[MeasuredDocument], network: str | None = None
) -> dict[str, str]:
    """Return the optional documents to leave out so that the others fit: the reason by path, last first."""
    gone: dict[str, str] = {}
    for document in reversed(documents):
        over = _in_all(limits, [each for each in documents if each.path not in gone], network)
        if over and document.optional and document.path:
            gone.setdefault(document.path, over[0].problem)
    return gone


def left_out(path: str, problem: str) -> str:
    """Return the note for the reviewer on an optional document that is not sent."""
    return f"{shown(path)} is optional and was left out: {problem}"


def type_name(content_type: str) -> str:
    """Return the name of a content type for messages: ``PDF``, ``JPEG``."""
    return content_type.rpartition("/")[2].upper()


def _in_all(
    limits: Limits, documents: Sequence[MeasuredDocument], network: str | None, smallest: str = ""
) -> list[Violation]:
    found = []
    sizes = [(each, each.size) for each in documents if each.size is not None]
    size, most_size = sum(size for _, size in sizes), limits.total_bytes
    if most_size is not None and size > most_size:
        places = _places([size for _, size in sizes], most_size)
        addends = [(each, _megabytes(size, places)) for each, size in sizes]
        problem = _sum(addends, "MB", _megabytes(size, places), _megabytes(most_size, places))
        found.append(Violation("/evidence", problem + smallest, "remove documents, or save smaller copies"))
    counts = [(each, each.pages) for each in documents if each.pages is not None]
    pages, most_pages = sum(count for _, count in counts), limits.pages(network)
    if most_pages is not None and pages > most_pages:
        addends = [(each, f"{count:,}") for each, count in counts]
        problem = _sum(addends, "pages", f"{pages:,}", f"{most_pages:,}")
        if most_pages != limits.total_pages:
            problem += f" for {label(network or '')}"
        found.append(Violation("/evidence", problem, "remove pages that the bank does not need"))
    return found


def _sum(addends: Sequence[tuple[MeasuredDocument, str]], unit: str, total: str, most: str) -> str:
    """Return ``receipt 3.1 + refund_policy 1.9 = 5.0 MB, and the limit is 4.5 MB``."""
    result = f"{total} {unit}, and the limit is {most} {unit}"
    if len(addends) == 1:
        return f"{_named(addends[0][0])} has {result}"
    return " + ".join(f"{_named(each)} {number}" for each, number in addends) + f" = {result}"


def _named(document: MeasuredDocument) -> str:
    return f"{shown(document.path)} ({document.name})" if document.path else document.name


def _places(sizes: Sequence[int], limit: int) -> int:
    """Return the fewest decimal places with which the rounded sum adds up and exceeds the limit."""
    for places in range(1, _ALL_PLACES):
        *parts, total, most = (_rounded(size, places) for size in (*sizes, sum(sizes), limit))
        if sum(parts) == total > most:
            return places
    return _ALL_PLACES


def _rounded(size: int, places: int) -> int:
    """Return a size rounded to some decimal places of a megabyte, as a whole number of the last place."""
    return (size * int(10**places) + _MEGABYTE // 2) // _MEGABYTE


def _readable(size: int) -> str:
    """Return megabytes with one digit; a size that would be 0.0 is "under 0.1"."""
    return "under 0.1" if _megabytes(size) == "0.0" else _megabytes(size)


def _megabytes(size: int, places: int = 1) -> str:
    return f"{_rounded(size, places) / 10**places:,.{places}f}"


def _used(used: int, most: int | None, shown: Callable[[int], str] = "{:,}".format) -> str:
    return shown(used) if most is None else f"{shown(used)} of {shown(most)}"


def _longest_text(api: Contract, schema: Json) -> int | None:
    """Return the maximum length of a text, from any branch of its schema: text or document."""
    schema = api.resolve(schema)
    branches = (schema[branch] for branch in ("then", "else", "items") if branch in schema)
    return schema.get("maxLength") or next(
        filter(None, (_longest_text(api, each) for each in branches)), None
    )
