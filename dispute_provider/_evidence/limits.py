"""Read an API's limits of texts and documents, and measure a case against them. Pure.

The limits stand in the API's contract: ``x-documents`` and the lengths of its texts.
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
from dispute_provider.exceptions import Violation

_MEGABYTE = 1_000_000
_ALL_PLACES = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """One API's limits; None where it has none.

    :param types: content types of documents.
    :param document_bytes: of each document.
    :param total_bytes: of all documents of a dispute.
    :param total_pages: of all documents of a dispute.
    :param total_pages_by_network: the same for networks that take other numbers.
    :param documents_per_name: how many documents one name takes.
    :param lists: the names that take any number of documents.
    :param total_text: UTF-16 units of all texts of a dispute.
    :param text: UTF-16 units of one text, by its name.
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
        """The limits that a contract names."""
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
        """How many pages all documents of a dispute may have."""
        return self.total_pages_by_network.get((network or "").lower(), self.total_pages)


@dataclass(frozen=True, slots=True)
class MeasuredDocument:
    """One document, by what the limits count.

    :param name: the API's name of the evidence.
    :param size: bytes, None where nobody knows.
    :param pages: None where nobody knows.
    :param path: as the case names it; None for what is on the dispute already.
    :param optional: whether it may be left out.
    """

    name: str
    size: int | None = None
    pages: int | None = None
    path: str | None = None
    optional: bool = False


class Usage(msgspec.Struct, frozen=True, gc=False):
    """How much of an API's limits evidence uses; a limit is None where there is none.

    :param units: UTF-16 units of all texts.
    :param longest: of each name's longest text, with its limit.
    :param size: bytes of the documents whose size is known.
    :param pages: of the documents whose pages are known.
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
        """``texts 12,034 of 150,000 characters · documents 3 · 1.2 of 4.5 MB · 7 of 49 pages``."""
        parts = [f"texts {_used(self.units, self.most_units)} characters", f"documents {self.documents}"]
        if self.documents:
            size = _used(self.size, self.most_size, _megabytes)
            parts.append(f"{'' if self.all_sizes else 'at least '}{size} MB")
            pages = _used(self.pages, self.most_pages)
            parts.append(f"{'' if self.all_pages else 'at least '}{pages} pages")
        return " · ".join(parts)


def usage(
    limits: Limits,
    documents: Sequence[MeasuredDocument],
    texts: Iterable[tuple[str, Any]],
    network: str | None = None,
) -> Usage:
    """How much evidence uses of the limits.

    :param texts: name and text, or structure of texts, of each.
    :param network: the card's network, where it is known.
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
    """What is wrong with one document by itself, and what to do; None if nothing is.

    :param content_type: None where it is not known yet.
    """
    if size > limits.document_bytes:
        return (
            f"it has {size:,} of {limits.document_bytes:,} bytes",
            "save it smaller; nobody shrinks it for you",
        )
    if content_type is not None and content_type not in limits.types:
        types = ", ".join(map(type_name, limits.types))
        return f"it is a {type_name(content_type)}", f"save it as one of {types}"
    return None


def exceeded(
    limits: Limits, documents: Sequence[MeasuredDocument], network: str | None = None
) -> list[Violation]:
    """Every limit that documents are over together, with the arithmetic.

    What nobody knows counts as nothing: the API knows, and refuses it.

    :param network: the card's network; without it, the limits that hold for most.
    """
    most = limits.documents_per_name
    names = Counter(document.name for document in documents)
    found = [
        Violation(
            f"/evidence/{name}", f"{count} documents of {most}", "join them into one, or leave some out"
        )
        for name, count in names.items()
        if most is not None and count > most and name not in limits.lists
    ]
    return [*found, *_in_all(limits, documents, network)]


def to_leave_out(
    limits: Limits, documents: Sequence[MeasuredDocument], network: str | None = None
) -> dict[str, str]:
    """Which optional documents have to go for the others to fit: why, by path. The last go first."""
    gone: dict[str, str] = {}
    for document in reversed(documents):
        over = _in_all(limits, [each for each in documents if each.path not in gone], network)
        if over and document.optional and document.path:
            gone.setdefault(document.path, over[0].problem)
    return gone


def left_out(path: str, problem: str) -> str:
    """What a reviewer is told of an optional document that does not go out."""
    return f"{shown(path)} is optional, and left out: {problem}"


def type_name(content_type: str) -> str:
    """Return the name of a type for people: ``PDF``, ``JPEG``."""
    return content_type.rpartition("/")[2].upper()


def _in_all(limits: Limits, documents: Sequence[MeasuredDocument], network: str | None) -> list[Violation]:
    found = []
    sizes = [(each, each.size) for each in documents if each.size is not None]
    size, most_size = sum(size for _, size in sizes), limits.total_bytes
    if most_size is not None and size > most_size:
        places = _places([size for _, size in sizes], most_size)
        addends = [(each, _megabytes(size, places)) for each, size in sizes]
        problem = _sum(addends, "MB", _megabytes(size, places), _megabytes(most_size, places))
        found.append(Violation("/evidence", problem, "leave documents out, or save them smaller"))
    counts = [(each, each.pages) for each in documents if each.pages is not None]
    pages, most_pages = sum(count for _, count in counts), limits.pages(network)
    if most_pages is not None and pages > most_pages:
        addends = [(each, f"{count:,}") for each, count in counts]
        problem = _sum(addends, "pages", f"{pages:,}", f"{most_pages:,}")
        if most_pages != limits.total_pages:
            problem += f" that {network} takes"
        found.append(Violation("/evidence", problem, "leave out pages that do not matter"))
    return found


def _sum(addends: Sequence[tuple[MeasuredDocument, str]], unit: str, total: str, most: str) -> str:
    """``receipt 3.1 + refund_policy 1.9 MB = 5.0 of 4.5 MB``."""
    result = f"{total} of {most} {unit}"
    if len(addends) == 1:
        return f"{_label(addends[0][0])}: {result}"
    return " + ".join(f"{_label(each)} {number}" for each, number in addends) + f" {unit} = {result}"


def _label(document: MeasuredDocument) -> str:
    return f"{shown(document.path)} ({document.name})" if document.path else document.name


def _places(sizes: Sequence[int], limit: int) -> int:
    """The fewest decimal places of a megabyte with which the sum is right, and over the limit."""
    for places in range(1, _ALL_PLACES):
        *parts, total, most = (_rounded(size, places) for size in (*sizes, sum(sizes), limit))
        if sum(parts) == total > most:
            return places
    return _ALL_PLACES


def _rounded(size: int, places: int) -> int:
    """In the smallest units of a megabyte that these decimal places show."""
    return (size * int(10**places) + _MEGABYTE // 2) // _MEGABYTE


def _megabytes(size: int, places: int = 1) -> str:
    return f"{_rounded(size, places) / 10**places:,.{places}f}"


def _used(used: int, most: int | None, shown: Callable[[int], str] = "{:,}".format) -> str:
    return shown(used) if most is None else f"{shown(used)} of {shown(most)}"


def _longest_text(api: Contract, schema: Json) -> int | None:
    """The limit of a text, wherever its schema has it: what is a text or a document has branches."""
    schema = api.resolve(schema)
    branches = (schema[branch] for branch in ("then", "else", "items") if branch in schema)
    return schema.get("maxLength") or next(
        filter(None, (_longest_text(api, each) for each in branches)), None
    )
