"""Where cases and documents are: the Unicode forms of their names, and stores that cannot be opened."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import disputes
import papers
import pytest

from dispute_provider._cases import files, lines
from dispute_provider._cases.known_cases import KnownCases
from dispute_provider._cases.open_disputes import read_cases
from dispute_provider._cases.storage import open_document
from dispute_provider._state import evidence_store
from dispute_provider._state.evidence_store import EvidenceStoreError
from dispute_provider.exceptions import InvalidCaseError

NAME = "Zoë's réçu.pdf"
CURE = "Airflow cannot open gs:// addresses here; install apache-airflow-providers-google on the workers"


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("folder", ["", "papiers d'été/"])
def test_a_document_is_found_in_either_unicode_form(stored, written, folder, tmp_path: Path):
    file = tmp_path / unicodedata.normalize(stored, folder + NAME)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"paper")
    with open_document(str(tmp_path), unicodedata.normalize(written, folder + NAME), ["/"]) as opened:
        assert opened.read() == b"paper"


def test_the_name_as_it_is_written_comes_first(tmp_path: Path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, NAME)).write_text(form)
    for form in ("NFC", "NFD"):
        with open_document(str(tmp_path), unicodedata.normalize(form, NAME), ["/"]) as opened:
            assert opened.read() == form.encode()


@pytest.mark.parametrize("folder", ["", "scans/"])
def test_a_changed_document_in_another_unicode_form_is_read_again(folder, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    home = tmp_path / "stripe" / "du_open"
    stored = home / (folder + unicodedata.normalize("NFD", NAME))
    stored.parent.mkdir(parents=True)
    written = folder + unicodedata.normalize("NFC", NAME)
    case = f'provider: stripe\ndispute: du_open\nevidence: {{receipt: {{file: "{written}"}}}}\n'
    (home / "case.yaml").write_text(case, encoding="utf-8")
    known, digests = KnownCases({}), []
    for pages in (1, 2):
        stored.write_bytes(papers.pdf(pages))
        dispute = disputes.snapshot("du_open").dispute
        [found] = read_cases("stripe", {"du_open": dispute}, None, known).found
        digests.append(found.case_digest)
        known = KnownCases(known.used)
    assert digests[0] != digests[1]


def test_a_store_without_its_package_gets_one_answer_everywhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", "gs://shop/cases")
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", "gs://shop/evidence")
    answers = []
    for path in ("gs://shop/cases/case.yaml", "gs://shop/cases"):
        with pytest.raises(InvalidCaseError) as refused:
            files.read_case(path, ["gs://shop/cases"])
        answers.append(str(refused.value))
    [line] = lines.expanded(["gs://shop/cases/all.jsonl"])
    answers.append(str(line.content))
    found = read_cases("stripe", {"du_open": disputes.snapshot("du_open").dispute}, None, KnownCases({}))
    assert found.refused == ["gs://shop/cases"]
    for use in (lambda: evidence_store.put(b"x"), lambda: evidence_store.get("0" * 64)):
        with pytest.raises(EvidenceStoreError) as unusable:
            use()
        answers.append(str(unusable.value).replace(". To do: ", "; "))
    assert [CURE in answer for answer in answers] == [True] * 5
