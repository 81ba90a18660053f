"""Exhibits at the limits of each API and network: what fits is staged, and one byte or page more is refused.

``make exhibits`` takes every type and network; ``make test`` takes one of each.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import papers
import pytest
from running import run
from support import Connect

from dispute_provider._documents.preparing import Preparer
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE
from dispute_provider.operators.evidence import StageEvidenceOperator
from dispute_provider.sandbox import Sandbox

FULL = os.environ.get("EXHIBITS") == "full"
NAME = "receipt exhibits.pdf"


class Network(NamedTuple):
    """The limits of an API for the disputes of a network.

    :param pages: Moov has no limit, so that of Stripe is exceeded there.
    """

    api: str
    brand: str
    size: int
    pages: int

    def too_large(self, size: int) -> str:
        if self.api == "moov":
            return f"{NAME}: it has {size:,} bytes, and the limit is {self.size:,}"
        return f"{NAME} (receipt) has {size / 1e6:.6f} MB, and the limit is {self.size / 1e6:.6f} MB"

    def too_long(self, pages: int) -> str:
        network = " for Mastercard" if self.brand == "mastercard" else ""
        return f"{NAME} (receipt) has {pages} pages, and the limit is {self.pages} pages{network}"


NETWORKS = [Network("stripe", "mastercard", 4_500_000, 19)]
if FULL:
    NETWORKS += [Network("stripe", "visa", 4_500_000, 49), Network("moov", "visa", 4_000_000, 49)]
KINDS = {"JPEG": papers.picture("JPEG")}
if FULL:
    KINDS |= {kind: papers.picture(kind) for kind in ("PNG", "TIFF", "GIF", "WEBP", "AVIF", "BMP")}
    KINDS |= {"HEIC": papers.HEIC, "PDF": papers.pdf()}
# One more and one less than the limit, and the limit itself.
BY = (-1, 0, 1) if FULL else (0, 1)


class Exhibits(NamedTuple):
    """The exhibits of one dispute.

    :param refusal: why they are refused; None if they fit.
    """

    about: str
    parts: tuple[tuple[str, bytes], ...]
    refusal: str | None


@pytest.fixture(scope="module")
def preparer() -> Iterator[Preparer]:
    with Preparer() as opened:
        yield opened


def joined(preparer: Preparer, parts: tuple[tuple[str, bytes], ...]) -> bytes:
    """Return the document that staging makes of exhibits."""
    types = tuple(BY_CONTENT_TYPE)
    converted = [(name, preparer.prepare(content, ["convert"], types, 0).content) for name, content in parts]
    return preparer.join(converted).content


def filler(size: int, digits: int) -> bytes:
    """Return a PDF with this many bytes that cannot be compressed, and some digits beside its page."""
    chance = random.Random(size)
    kept = papers.stream(chance.randbytes(size), b"/Filter /FlateDecode")
    beside = b"/Digits (%s)" % b"".join(b"%d" % chance.randrange(10) for _ in range(digits))
    return papers.pdf(page=b"/Kept 6 0 R" + beside, more=[kept])


def of_size(preparer: Preparer, kind: str, size: int) -> tuple[tuple[str, bytes], ...]:
    """Return exhibits that are joined to a document of exactly this size."""
    first = (f"1.{kind.lower()}", KINDS[kind])
    more, digits, tried = size, 0, set[int]()
    while True:
        parts = (first, ("filler.pdf", filler(more, digits)))
        if (off := size - len(joined(preparer, parts))) == 0:
            return parts
        tried.add(more)
        more += off
        if more in tried:
            # The table of a PDF is compressed, so no length may give this size; with a digit more, one may.
            digits, tried = digits + 1, set()


def of_pages(kind: str, pages: int) -> tuple[tuple[str, bytes], ...]:
    """Return exhibits that are joined to this many pages: the contents, one exhibit, and the rest."""
    return (f"1.{kind.lower()}", KINDS[kind]), ("rest.pdf", papers.pdf(pages=pages - 2))


def at_the_limits(preparer: Preparer, network: Network) -> Iterator[Exhibits]:
    for kind in KINDS:
        for by in BY:
            size, pages = network.size + by, network.pages + by
            yield Exhibits(
                f"{kind}, {size} bytes",
                of_size(preparer, kind, size),
                network.too_large(size) if by > 0 else None,
            )
            refusal = network.too_long(pages) if by > 0 and network.api == "stripe" else None
            yield Exhibits(f"{kind}, {pages} pages", of_pages(kind, pages), refusal)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: f"{network.api}-{network.brand}")
def test_exhibits_at_the_limits_are_staged_and_one_more_is_refused(
    network: Network,
    preparer: Preparer,
    sandbox: Sandbox,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(tmp_path / "store"))
    connection = connect(network.api)
    cases, wanted = [], {}
    for exhibits in at_the_limits(preparer, network):
        brand = {"brand": network.brand} if network.api == "stripe" else {}
        dispute = sandbox.create_dispute(api=network.api, **brand)["id"]
        folder = tmp_path / dispute
        folder.mkdir()
        for name, content in exhibits.parts:
            (folder / name).write_bytes(content)
        names = [f"{dispute}/{name}" for name, _ in exhibits.parts]
        captioned = [
            {"file": file, "caption": name} for file, (name, _) in zip(names, exhibits.parts, strict=True)
        ]
        cases.append(case(network, dispute, captioned))
        wanted[dispute] = exhibits
    records = staged(cases, connection, tmp_path)
    for dispute, exhibits in wanted.items():
        record = records[dispute]
        if exhibits.refusal:
            assert record["state"] == "refused", exhibits.about
            assert exhibits.refusal in record["reason"], exhibits.about
        else:
            assert record["state"] == "staged", (exhibits.about, record["reason"])
            # Another process makes the same bytes.
            made = hashlib.sha256(joined(preparer, exhibits.parts)).hexdigest()
            assert set(record["documents"].values()) == {made}, exhibits.about


def case(network: Network, dispute: str, exhibits: list[dict[str, str]]) -> dict[str, Any]:
    evidence = {"receipt": {"exhibits": exhibits}}
    return {"provider": network.api, "dispute": dispute, "evidence": evidence, "prepare": ["convert"]}


def staged(cases: list[dict[str, Any]], connection: str, folder: Path) -> dict[str, dict[str, Any]]:
    task = StageEvidenceOperator(task_id="stage", cases=cases, conn_id=connection, folder=str(folder))
    value = run(task)
    records = json.loads(value) if isinstance(value, str) else value
    return {record["dispute"]: record for record in records}
