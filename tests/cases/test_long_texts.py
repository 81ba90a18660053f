"""A text that is longer than its API takes becomes a document, if that is switched on; it is never cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import papers
import pypdfium2
import pytest

from dispute_provider._cases.documents import CaseDocuments, read_documents
from dispute_provider._cases.preparing import Preparation, Unkept
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidCaseError

MOOV = "04c2664e-e55c-545c-8673-a0a201003253"
LETTER = "From: Shop\nTo: Bank\nDate: today\n\n" + "Delivered and signed for. " * 40
CONVERT = ["convert"]
SWITCH = "or switch it on to make a document of it: prepare: [convert]"


def log(length: int) -> str:
    line = "2026-03-01 10:42 signed in with the app from 192.0.2.7, and downloaded the order\n"
    return (line * (length // len(line) + 1))[:length]


@pytest.fixture(scope="module")
def readers() -> Iterator[tuple[Renderer, Preparation]]:
    with Renderer() as renderer, closing(Preparation(Unkept())) as preparation:
        yield renderer, preparation


def case(evidence: dict[str, Any], provider: str, folder: Path | None = None, **more: Any) -> Case:
    dispute = "du_1" if provider == "stripe" else MOOV
    given = {"provider": provider, "dispute": dispute, "evidence": evidence, **more}
    return Case.parse(given, folder=str(folder) if folder else None)


def read(readers: tuple[Renderer, Preparation], given: Case) -> CaseDocuments:
    renderer, preparation = readers
    return read_documents(given, renderer, None, preparation)


def text_of(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize(
    ("provider", "evidence", "pointer", "said"),
    [
        ("moov", {"cover-letter": "x" * 751}, "/evidence/cover-letter", "has 751 characters; at most 750"),
        (
            "moov",
            {"receipt": ["ok", "x" * 751]},
            "/evidence/receipt/1",
            "has 751 characters; at most 750 are allowed",
        ),
        (
            "stripe",
            {"access_activity_log": "x" * 20_001},
            "/evidence/access_activity_log",
            "has 20,001 characters; at most 20,000",
        ),
        ("stripe", {"customer_name": "x" * 5_001}, "/evidence/customer_name", "has 5,001 characters"),
    ],
)
def test_without_the_switch_it_is_refused_with_both_lengths(
    provider: str, evidence: dict[str, Any], pointer: str, said: str
) -> None:
    with pytest.raises(InvalidCaseError) as error:
        case(evidence, provider)
    [violation] = error.value.violations
    assert violation.pointer == pointer
    assert said in str(violation)
    # No document replaces a name.
    assert violation.remedy.endswith(SWITCH) == ("customer_name" not in evidence)
    if "customer_name" in evidence:
        with pytest.raises(InvalidCaseError):
            case(evidence, provider, prepare=CONVERT)


@pytest.mark.parametrize("length", [750, 751])
def test_at_the_limit_it_stays_a_text(length: int, readers: tuple[Renderer, Preparation]) -> None:
    found = read(readers, case({"cover-letter": log(length)}, "moov", prepare=CONVERT))
    assert len(found.found) == (length > 750)


@pytest.mark.parametrize(
    ("provider", "evidence", "fields", "path", "note"),
    [
        (
            "moov",
            {"cover-letter": LETTER, "receipt": "Paid."},
            ["cover-letter", "receipt"],
            "cover-letter.txt",
            f"cover-letter has {len(LETTER):,} characters, and the limit is 750, so it is sent as a document "
            "in cover-letter",
        ),
        (
            "moov",
            {"receipt": ["Paid.", LETTER]},
            ["receipt", "receipt"],
            "receipt.txt",
            f"receipt has {len(LETTER):,} characters, and the limit is 750, so it is sent as a document in "
            "receipt",
        ),
        (
            "stripe",
            {"access_activity_log": log(20_001), "customer_name": "Jane"},
            ["uncategorized_file", "customer_name"],
            "access_activity_log.txt",
            "access_activity_log has 20,001 characters, and the limit is 20,000, so it is sent as a "
            "document in uncategorized_file",
        ),
        (
            "stripe",
            {"appeal": {"card": {"reason_for_filing": log(150_001)}}},
            ["appeal/card/supporting_files"],
            "reason_for_filing.txt",
            "appeal/card/reason_for_filing has 150,001 of the 150,001 characters of all texts, and their "
            "limit is 150,000, so it is sent as a document in appeal/card/supporting_files",
        ),
    ],
)
def test_it_becomes_a_document(
    provider: str,
    evidence: dict[str, Any],
    fields: list[str],
    path: str,
    note: str,
    readers: tuple[Renderer, Preparation],
) -> None:
    given = case(evidence, provider, prepare=CONVERT)
    found = read(readers, given)
    assert [entry.name for entry in found.case.evidence] == fields
    [(named, document)] = found.found.items()
    assert named == path
    assert found.notes[0] == note
    assert found.notes[1].startswith(f"{path} was prepared: converted from plain text to PDF")
    [text] = found.case.texts.values()
    pages = document.pages or 0
    lines = [line for line in text_of(document.content).splitlines() if not line.endswith(f" of {pages}")]
    assert "".join("".join(lines).split()) == "".join(str(text.value).split())
    # The digest of a case is of what its owner gave.
    assert given.digest({}) == found.case.digest(found.found)


def test_texts_that_are_too_long_together_are_joined(readers: tuple[Renderer, Preparation]) -> None:
    names = ["product_description", "uncategorized_text", "refund_refusal_explanation"]
    names += ["cancellation_rebuttal", "duplicate_charge_explanation", "refund_policy_disclosure"]
    names += ["cancellation_policy_disclosure"]
    evidence = {name: log(19_000 + index) for index, name in enumerate(names)}
    evidence["access_activity_log"] = log(20_500)
    found = read(readers, case({**evidence, "customer_name": log(4_900)}, "stripe", prepare=CONVERT))
    assert len(found.found) == 1
    more = {"shipping_address": log(4_990), "billing_address": log(4_990), "shipping_date": log(4_990)}
    found = read(readers, case({**evidence, **more, "customer_name": log(4_900)}, "stripe", prepare=CONVERT))
    [document] = found.found.values()
    assert [each.path for each in document.exhibits] == [
        "cancellation_policy_disclosure.txt",
        "access_activity_log.txt",
    ]
    assert [each.name for each in found.case.moved] == [
        "cancellation_policy_disclosure",
        "access_activity_log",
    ]
    assert "19,006 of the 152,891 characters of all texts, and their limit is 150,000" in found.notes[0]


def test_a_document_that_is_there_already_is_not_replaced(
    tmp_path: Path, readers: tuple[Renderer, Preparation]
) -> None:
    (tmp_path / "photo.pdf").write_bytes(papers.pdf())
    evidence = {"uncategorized_text": log(20_001), "uncategorized_file": {"file": "photo.pdf"}}
    with pytest.raises(InvalidCaseError) as error:
        read(readers, case(evidence, "stripe", tmp_path, prepare=CONVERT))
    [violation] = error.value.violations
    assert "it would become a document in uncategorized_file, which the case has already" in violation.problem
    (tmp_path / "letter.txt").write_text(log(20_001))
    joined = {"uncategorized_file": {"exhibits": ["letter.txt", "photo.pdf"]}}
    assert read(readers, case(joined, "stripe", tmp_path, prepare=CONVERT)).found


def test_card_numbers_in_it_are_refused(readers: tuple[Renderer, Preparation]) -> None:
    given = case({"cover-letter": f"4242 4242 4242 4242 {LETTER}"}, "moov", prepare=CONVERT)
    with pytest.raises(InvalidCaseError, match="card number"):
        read(readers, given)


def test_another_process_gives_the_same_bytes(readers: tuple[Renderer, Preparation]) -> None:
    given = case({"cover-letter": LETTER}, "moov", prepare=CONVERT)
    with Renderer() as renderer, closing(Preparation(Unkept())) as preparation:
        other = read((renderer, preparation), given).found
    assert {path: each.sha256 for path, each in other.items()} == {
        path: each.sha256 for path, each in read(readers, given).found.items()
    }
