"""A case's documents and texts: read, inspected and measured before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from papers import jpeg, pdf, picture, png, tiff

from dispute_provider._cases.documents import CaseDocuments, read_documents
from dispute_provider._documents import Renderer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document, Inspection, shown
from dispute_provider.exceptions import InvalidCaseError, Violation

CARD = "4242 4242 4242 4242"


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as running:
        yield running


# Debian's user without rights.
_NOBODY = 65534


class Folder:
    """A case's folder, with helpers that read or refuse cases in it."""

    def __init__(self, place: Path, renderer: Renderer) -> None:
        self.place = place
        self.renderer = renderer

    def put(self, **files: bytes) -> Folder:
        """Write files by their names without ``.pdf``, with any content."""
        for name, content in files.items():
            (self.place / f"{name}.pdf").write_bytes(content)
        return self

    def read(self, evidence: dict[str, Any], provider: str = "stripe", **case: Any) -> CaseDocuments:
        data = {"provider": provider, "dispute": "du_1", "evidence": evidence, **case}
        return read_documents(Case.parse(data, folder=str(self.place)), self.renderer)

    def refuse(self, evidence: dict[str, Any], provider: str = "stripe", **case: Any) -> list[Violation]:
        with pytest.raises(InvalidCaseError) as refused:
            self.read(evidence, provider, **case)
        return list(refused.value.violations)


@pytest.fixture
def folder(tmp_path: Path, renderer: Renderer) -> Folder:
    (tmp_path / "case").mkdir()
    return Folder(tmp_path / "case", renderer)


def file(path: str, optional: bool = False) -> dict[str, Any]:
    return {"file": path, "optional": optional}


# --- one document


def test_an_inspected_document_has_its_type():
    document = Document("photo.pdf", jpeg(), Inspection("image/jpeg", 1, False))
    assert (document.content_type, document.pages) == ("image/jpeg", 1)
    assert document.upload_name == f"photo-{document.sha256[:16]}.jpg"


def test_the_type_of_an_uninspected_document_comes_from_its_first_bytes():
    assert [Document("a", content).content_type for content in (pdf(), jpeg(), png(), tiff(), b"<svg>")] == [
        "application/pdf",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "application/octet-stream",
    ]
    assert Document("a", pdf()).pages is None
    assert Document("a.exe", b"MZ").upload_name.endswith(".bin")


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("</script><script>alert(1)</script>.pdf", "script-"),
        ("=cmd|'calc'!A0.pdf", "cmd-calc-A0-"),
        ("\u202efdp.exe.pdf", "fdp.exe-"),
        ("..pdf", "document-"),
        ("папка.pdf", "document-"),
        ('a"; filename="b.pdf', "a-filename-b-"),
    ],
)
def test_the_upload_name_is_safe(path, start):
    name = Document(path, pdf()).upload_name
    assert name.startswith(start)
    assert name.isascii()
    assert not set(name) & set("/\\<>\"'|=\r\n")


def test_a_path_in_a_message_has_its_invisible_characters_escaped():
    assert shown("a\u202efdp\x1b[2J\n.pdf") == "a\\u202efdp\\x1b[2J\\n.pdf"
    assert shown("quittung-märz.pdf") == "quittung-märz.pdf"
    assert len(shown("a" * 9_999)) == 200


# --- all of a case


def test_the_content_of_a_document_determines_its_type(folder):
    found = folder.put(a=pdf(3), b=jpeg(), c=png()).read(
        {"receipt": file("a.pdf"), "customer_signature": file("b.pdf"), "refund_policy": file("c.pdf")}
    )
    assert {path: (each.content_type, each.pages) for path, each in found.found.items()} == {
        "a.pdf": ("application/pdf", 3),
        "b.pdf": ("image/jpeg", 1),
        "c.pdf": ("image/png", 1),
    }
    assert found.notes == ()


def test_every_problem_is_reported_at_once_with_its_pointer(folder):
    folder.put(a=b"<svg/>", b=tiff(), c=pdf(size=5_000_001), d=pdf(text=CARD))
    found = folder.refuse(
        {
            "receipt": file("a.pdf"),
            "customer_signature": file("b.pdf"),
            "refund_policy": file("c.pdf"),
            "uncategorized_file": file("d.pdf"),
            "service_documentation": file("e.pdf"),
            "uncategorized_text": f"She paid with {CARD}.",
        }
    )
    assert {each.pointer: each.problem for each in found} == {
        "/evidence/receipt": "a.pdf: its content is SVG, not PDF, JPEG, PNG, TIFF or GIF",
        "/evidence/customer_signature": "b.pdf: it is a TIFF, which the API does not accept",
        "/evidence/refund_policy": "c.pdf: it has 5,000,001 bytes, and the limit is 5,000,000",
        "/evidence/uncategorized_file": "d.pdf: it holds a card number",
        "/evidence/service_documentation": "e.pdf: there is no such file",
        "/evidence/uncategorized_text": "has a card number at character 15",
    }
    assert all(each.remedy for each in found)


def test_the_pointer_has_the_index_of_one_of_several_documents(folder):
    found = folder.put(a=pdf(), b=png()).refuse({"receipt": [file("a.pdf"), "Text.", file("b.pdf")]}, "moov")
    assert [(each.pointer, each.problem) for each in found] == [
        ("/evidence/receipt/2", "b.pdf: it is a PNG, which the API does not accept")
    ]


def test_a_sum_is_refused_with_its_arithmetic(folder):
    folder.put(a=pdf(30, size=3_100_000), b=pdf(20, size=1_900_000))
    found = folder.refuse({"receipt": file("a.pdf"), "refund_policy": file("b.pdf")})
    assert [str(each) for each in found] == [
        "/evidence: a.pdf (receipt) 3.1 + b.pdf (refund_policy) 1.9 = 5.0 MB, and the limit is 4.5 MB; "
        "remove documents, or save smaller copies",
        "/evidence: a.pdf (receipt) 30 + b.pdf (refund_policy) 20 = 50 pages, and the limit is 49 pages; "
        "remove pages that the bank does not need",
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no such file"),
        (b"", "it is empty"),
        (b"<html>", "its content is HTML, not PDF"),
        (pdf()[:300], "it is damaged"),
        (tiff(), "it is a TIFF"),
        (png(5_000_001), "it has 5,000,001 bytes, and the limit is 5,000,000"),
        (pdf(50), "b.pdf (refund_policy) 50 = 51 pages, and the limit is 49 pages"),
    ],
)
def test_an_optional_document_that_fails_is_left_out_with_a_note(folder, content, why):
    folder.put(a=pdf(), **({"b": content} if content is not None else {}))
    found = folder.read({"receipt": file("a.pdf"), "refund_policy": file("b.pdf", optional=True)})
    assert [*found.found] == ["a.pdf"]
    [note] = found.notes
    assert note.startswith("b.pdf is optional and was left out: ")
    assert why in note


def test_an_optional_document_with_a_card_number_stops_the_case(folder):
    [found] = folder.put(a=pdf(text=CARD)).refuse({"receipt": file("a.pdf", optional=True)})
    assert "card number" in found.problem


def test_a_document_that_another_field_requires_is_not_left_out(folder):
    evidence = {"receipt": file("a.pdf", optional=True), "refund_policy": file("a.pdf")}
    assert [each.pointer for each in folder.refuse(evidence)] == [
        "/evidence/receipt",
        "/evidence/refund_policy",
    ]
    assert [*folder.put(a=pdf()).read(evidence).found] == ["a.pdf"]


def test_a_document_in_two_fields_counts_twice(folder):
    [found] = folder.put(a=pdf(25)).refuse({"receipt": file("a.pdf"), "refund_policy": file("a.pdf")})
    assert "25 + a.pdf (refund_policy) 25 = 50 pages, and the limit is 49" in found.problem


@pytest.mark.parametrize(
    ("evidence", "pointer"),
    [
        ({"uncategorized_text": CARD}, "/evidence/uncategorized_text"),
        (
            {"enhanced_evidence": {"visa_compelling_evidence_3": {"disputed_transaction": {
                "customer_account_id": CARD}}}},
            "/evidence/enhanced_evidence/visa_compelling_evidence_3/disputed_transaction/customer_account_id",
        ),
        (
            {"enhanced_evidence": {"visa_compelling_evidence_3": {"prior_undisputed_transactions": [
                {"charge": "ch_1"}, {"charge": "ch_2", "product_description": CARD}]}}},
            "/evidence/enhanced_evidence/visa_compelling_evidence_3/prior_undisputed_transactions/1"
            "/product_description",
        ),
    ],
)  # fmt: skip
def test_a_card_number_stops_the_case_and_is_not_shown(folder, evidence, pointer):
    [found] = folder.refuse(evidence)
    assert found.pointer == pointer
    assert "card number" in found.problem
    assert "4242" not in str(found)


def test_metadata_and_lists_are_searched_for_card_numbers(folder):
    [found] = folder.refuse({"customer_name": "Zoë"}, metadata={"card": CARD})
    assert found.pointer == "/metadata/card"
    [found] = folder.refuse({"receipt": ["Nothing.", CARD]}, "moov")
    assert found.pointer == "/evidence/receipt/1"


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "{{ ti }} {% raw %}",
        "a\0b",
        "\u202eright to left\u202c",
        "\x1b[2J\x1b]0;title\x07",
        "```\n# heading\n[link](javascript:alert(1))",
        "'; DROP TABLE disputes; --",
    ],
)
def test_any_text_is_accepted(folder, text):
    case = Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": text}})
    read = read_documents(case, folder.renderer)
    assert (read.case, read.found, read.notes) == (case, {}, ())
    assert case.evidence[0].value == text


# --- locations of documents


@pytest.mark.parametrize(
    "path",
    [
        "../secret.pdf",
        "a/../../secret.pdf",
        "/etc/passwd",
        "\\\\server\\share\\a.pdf",
        "..\\secret.pdf",
        "C:\\secret.pdf",
        "C:/secret.pdf",
        "file:///etc/passwd",
        "s3://bucket/secret.pdf",
        "a\0.pdf",
        "a\n.pdf",
        "..",
        "",
    ],
)
def test_a_path_outside_the_case_s_folder_is_refused_unread(folder, path):
    (folder.place.parent / "secret.pdf").write_bytes(pdf())
    found = folder.refuse({"receipt": file(path)})
    assert all(each.pointer.startswith("/evidence/receipt") for each in found)
    assert all(each.problem and each.remedy for each in found)


@pytest.mark.parametrize(
    "path",
    [
        "=cmd|' /C calc'!A0.pdf",
        "<script>alert(1)<.pdf",
        "a#b.pdf",
        "a?b=c.pdf",
        "a%2e%2e%2fb.pdf",
        "%2e%2e",
        "\u202efdp.exe",
        "no suffix",
        "sub/folder/a.pdf",
        "...",
        "-rf *",
        "~",
        "$HOME",
        "[a]*.pdf",
    ],
)
def test_an_unusual_file_name_is_taken_literally(folder, path):
    (folder.place / path).parent.mkdir(parents=True, exist_ok=True)
    (folder.place / path).write_bytes(pdf(3))
    assert folder.read({"receipt": file(path)}).found[path].pages == 3


def test_pipes_and_devices_are_refused_without_waiting(folder):
    os.mkfifo(folder.place / "pipe.pdf")
    (folder.place / "folder.pdf").mkdir()
    (folder.place / "zero.pdf").symlink_to("/dev/zero")
    (folder.place / "gone.pdf").symlink_to("nowhere.pdf")
    (folder.place / "loop.pdf").symlink_to("loop.pdf")
    evidence = {
        "receipt": file("pipe.pdf"),
        "refund_policy": file("folder.pdf"),
        "customer_signature": file("zero.pdf"),
        "uncategorized_file": file("gone.pdf"),
        "service_documentation": file("a" * 300),
        "shipping_documentation": file("loop.pdf"),
    }
    assert {each.pointer.rpartition("/")[2]: each.problem for each in folder.refuse(evidence)} == {
        "receipt": "pipe.pdf: there is no such file",
        "refund_policy": "folder.pdf: it is a folder",
        "customer_signature": "zero.pdf: it is outside the case's folder",
        "uncategorized_file": "gone.pdf: there is no such file",
        "service_documentation": f"{'a' * 200}: there is no such file",
        "shipping_documentation": "loop.pdf: it is a link to itself, or became a link while it was opened",
    }


def test_a_link_out_of_the_case_s_folder_is_not_followed(folder):
    (folder.place.parent / "secret.pdf").write_bytes(pdf())
    (folder.place / "link.pdf").symlink_to(folder.place.parent / "secret.pdf")
    [found] = folder.refuse({"receipt": file("link.pdf")})
    assert "outside the case's folder" in found.problem


def test_a_case_without_a_folder_cannot_have_documents(renderer):
    case = Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": {"receipt": file("a.pdf")}})
    with pytest.raises(InvalidCaseError, match="no folder to read"):
        read_documents(case, renderer)


def test_a_picture_that_is_too_large_to_decode_is_refused(folder):
    [found] = folder.put(a=picture("PNG", "1", (10_000, 9_000))).refuse({"receipt": file("a.pdf")})
    assert found.problem == "a.pdf: it has 10,000 × 9,000 pixels, and the limit is 80,000,000"


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Give up the rights of root, if there are any, which permissions do not bind."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_folder_in_place_of_a_document_is_refused_as_one(folder):
    (folder.place / "scans").mkdir()
    [found] = folder.refuse({"receipt": file("scans")})
    assert (
        f"{found.problem}; {found.remedy}"
        == "scans: it is a folder; name the files in it, each on its own or as exhibits"
    )


def test_a_document_without_permission_is_refused_with_its_cure(folder):
    folder.put(a=pdf())
    (folder.place / "a.pdf").chmod(0)
    with as_ordinary_user():
        [found] = folder.refuse({"receipt": file("a.pdf")})
    assert found.problem == "a.pdf: it cannot be read: permission is denied"
    assert found.remedy == "give the workers permission to read it"
