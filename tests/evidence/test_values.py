"""Cases, snapshots, digests and records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Approval, Record, State, by_due_date
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot, differing_names
from dispute_provider._explain.money import format_amount, minor_units
from dispute_provider.exceptions import InvalidCaseError

DISPUTE = Dispute(
    provider="stripe",
    account=None,
    id="du_1",
    stage="inquiry",
    status="warning_needs_response",
    submissions=0,
    submitted=False,
    submitted_at=None,
    closed=None,
    due=datetime(2026, 12, 1, 14, 30, tzinfo=UTC),
    amount=1200,
    currency="usd",
    reason="fraudulent",
)
EVIDENCE = (Evidence("customer_name", text="Zoë"), Evidence("receipt", id="file_1"))
SNAPSHOT = Snapshot(DISPUTE, EVIDENCE)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1200, "usd", "12.00 USD"),
        (1200, "JPY", "1,200 JPY"),
        (1200, "kwd", "1.200 KWD"),
        (5, "eur", "0.05 EUR"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(minor, currency, text):
    assert format_amount(minor, currency) == text
    assert minor_units(text.split()[0].replace(",", ""), currency) == minor


@pytest.mark.parametrize(
    "change",
    [
        {"dispute": replace(DISPUTE, stage="chargeback")},
        {"dispute": replace(DISPUTE, submissions=1)},
        {"dispute": replace(DISPUTE, due=DISPUTE.due + timedelta(hours=1))},
        {"dispute": replace(DISPUTE, id="du_2")},
        {"dispute": replace(DISPUTE, account="acct_1")},
        {"evidence": EVIDENCE[:1]},
        {"evidence": (*EVIDENCE, Evidence("uncategorized_text", text="a colleague's"))},
        {"evidence": (Evidence("customer_name", text="Zoe"), EVIDENCE[1])},
        {"evidence": (EVIDENCE[0], Evidence("receipt", id="file_2"))},
    ],
)
def test_the_digest_covers_everything_that_a_submission_sends(change):
    assert replace(SNAPSHOT, **change).digest({}) != SNAPSHOT.digest({})


def test_a_document_is_digested_by_its_bytes_if_they_are_known():
    again = replace(SNAPSHOT, evidence=(EVIDENCE[0], Evidence("receipt", id="file_2")))
    assert SNAPSHOT.digest({"file_1": "abc"}) == again.digest({"file_2": "abc"})
    assert SNAPSHOT.digest({"file_1": "abc"}) != SNAPSHOT.digest({})


def test_the_order_of_evidence_does_not_change_the_digest_and_differences_are_named():
    assert replace(SNAPSHOT, evidence=EVIDENCE[::-1]).digest({}) == SNAPSHOT.digest({})
    other = replace(SNAPSHOT, evidence=(Evidence("customer_name", text="Ann"), EVIDENCE[1]))
    assert differing_names(SNAPSHOT, other, {}) == ["customer_name"]


RECORD = replace(
    Record("stripe", "stripe_default", "du_1", State.STAGED, "staged", documents={"file_1": "ab" * 32}),
    notes=("a note",),
    customer_contacted=False,
).seen(SNAPSHOT)


YES = Approval("submit", "ana", "2026-11-22T10:00:00+00:00")


def test_a_record_survives_xcom():
    approved = replace(RECORD.ended(State.APPROVED, "yes"), approval=YES, signature="abc")
    assert Record.from_dict({**approved.to_dict(), "of_a_later_version": 1}) == approved


def test_the_log_line_names_the_dispute_and_its_state():
    line = RECORD.ended(State.REFUSED, "it is decided: won", "req_9").log_line()
    for fact in (
        "dispute=du_1",
        "state=refused",
        "12.00 USD",
        "request_id=req_9",
        'reason="it is decided: won"',
    ):
        assert fact in line
    assert "Zoë" not in line


def test_records_are_sorted_soonest_first_and_undated_last():
    undated, later = replace(RECORD, due=None), replace(RECORD, due="2027-01-01T00:00:00+00:00")
    assert by_due_date([undated, later, RECORD]) == [RECORD, later, undated]


def case(**changes: object) -> dict[str, object]:
    return {"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "Zoë"}, **changes}


def test_every_problem_of_a_case_is_reported_at_once_without_its_text():
    faulty = case(
        evidence={"customer_name": "secret text" * 1000, "unknown_field": "x", "receipt": "no file"},
    )
    with pytest.raises(InvalidCaseError) as refused:
        Case.parse(faulty)
    pointers = {violation.pointer for violation in refused.value.violations}
    assert pointers == {f"/evidence/{name}" for name in faulty["evidence"]}
    assert "secret text" not in str(refused.value)


@pytest.mark.parametrize(
    "path", ["../x.pdf", "/etc/passwd", "a/../../x.pdf", "s3://bucket/x.pdf", "..\\x.pdf"]
)
def test_a_document_must_be_in_the_folder_of_its_case(path):
    with pytest.raises(InvalidCaseError):
        Case.parse(case(evidence={"receipt": {"file": path}}))


@pytest.mark.parametrize("data", [None, [], "x", {}, {"provider": "paypal", "dispute": "1", "evidence": {}}])
def test_invalid_cases_are_refused(data):
    with pytest.raises(InvalidCaseError):
        Case.parse(data)


class Marked(str):
    """A subclass of str, as templates and arrays produce."""


def test_a_case_made_in_python_equals_the_same_case_in_a_file():
    in_python = case(dispute=Marked("du_1"), evidence={Marked("customer_name"): Marked("Zoë")})
    assert Case.parse(in_python) == Case.parse(case())
    assert type(Case.parse(in_python).dispute) is str
    for strange in ({"customer_name": b"Zo"}, {"customer_name": "\ud800"}, {"customer_name": object()}):
        with pytest.raises(InvalidCaseError):
            Case.parse(case(evidence=strange))


def test_the_digest_of_a_case_covers_its_texts_and_documents():
    with_document = Case.parse(case(evidence={"receipt": {"file": "r.pdf"}}))
    one, other = Document("r.pdf", b"%PDF-1"), Document("r.pdf", b"%PDF-2")
    digests = {
        with_document.digest({"r.pdf": one}),
        with_document.digest({"r.pdf": other}),
        with_document.digest({}),
    }
    assert len(digests) == 3
    assert Case.parse(case()).digest({}) != Case.parse(case(evidence={"customer_name": "Ann"})).digest({})
    convert, shrink = (Case.parse(case(prepare=steps)) for steps in (["convert"], ["convert", "shrink"]))
    assert Case.parse(case()).digest({}) != convert.digest({}) != shrink.digest({})


@given(st.binary(max_size=40), st.text(min_size=1, max_size=80))
def test_the_upload_name_of_a_document_is_safe_and_has_its_digest(content, name):
    document = Document(name, content)
    assert document.sha256[:16] in document.upload_name
    assert document.upload_name.isascii()
    assert not set(document.upload_name) & set('/\\\r\n"; ')
