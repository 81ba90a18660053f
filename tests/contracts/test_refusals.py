"""Calls that must not be made: each refused before anything is sent, saying where and what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from support import Connect

from dispute_provider._contracts.contract import load
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.request import Request
from dispute_provider.exceptions import ConnectionConfigError, DisputeError, InvalidRequestError
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

# Part of every text that a customer could have written: no error may quote it.
SECRET = "Zoë-Castillo-4242"
DISPUTE = "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"
IDS = {"accountID": MOOV_ACCOUNT, "disputeID": DISPUTE}
HOOKS = {"stripe": StripeHook, "moov": MoovHook}
Call = tuple[str, dict[str, Any]]
# where, what would be right
Expected = tuple[str, str]


def text(length: int) -> str:
    return (SECRET * (length // len(SECRET) + 1))[:length]


def update(**arguments: Any) -> Call:
    return "PostDisputesDispute", {"dispute": "dp_1", "submit": False, **arguments}


def evidence(**fields: Any) -> Call:
    return update(evidence=fields)


def moov_text(**fields: Any) -> Call:
    return "uploadDisputeEvidenceText", {**IDS, "evidenceType": "receipt", "text": "We sent it.", **fields}


def pdf(size: int = 20, kind: str = "application/pdf") -> FilePart:
    return FilePart(f"{SECRET}.pdf", b"%PDF-1.4\n" + b"x" * (size - 9), kind)


def stripe_file(**fields: Any) -> Call:
    return "PostFiles", {"purpose": "dispute_evidence", "file": pdf(), **fields}


def moov_file(**fields: Any) -> Call:
    return "uploadDisputeEvidenceFile", {**IDS, "evidenceType": "receipt", "file": pdf(), **fields}


LONG = [
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "product_description",
]
LONG += ["duplicate_charge_explanation", "refund_policy_disclosure", "refund_refusal_explanation"]
BAD_IDS = [
    "../x",
    "a/b",
    "a?b=c",
    "a#b",
    "%2e%2e",
    ".",
    "..",
    "",
    " ",
    "a b",
    "a\nb",
    "dp_1\n",
    "a\x00",
    "a\\b",
    7,
]

STRIPE: list[tuple[Call, Expected]] = [
    *[(update(dispute=bad), ("/dispute", "must be")) for bad in BAD_IDS],
    *[(("GetFilesFile", {"file": bad}), ("/file", "must be")) for bad in BAD_IDS],
    (("GetDisputesDispute", {}), ("", "provide a value")),
    (("GetDisputesDispute", {"dispute": "dp_1", "disput": "dp_1"}), ("", "must be one of: ")),
    (("GetDisputesDispute", {"dispute": "dp_" + "1" * 5000}), ("/dispute", "at most 5,000")),
    (update(evidenc={}), ("", "must be one of: ")),
    (evidence(customer_nmae=SECRET), ("/evidence", "must be one of: ")),
    (evidence(uncategorized_text=text(20_001)), ("/evidence/uncategorized_text", "at most 20,000")),
    (evidence(uncategorized_text="😀" * 10_001), ("/evidence/uncategorized_text", "at most 20,000")),
    (evidence(customer_name=text(5_001)), ("/evidence/customer_name", "at most 5,000")),
    (evidence(**{name: text(20_000) for name in LONG}, customer_name=text(5_000), billing_address=text(5_000),
              uncategorized_text="x"), ("/evidence", "at most 150,000")),
    (evidence(customer_name=f"{SECRET}\ud83d"), ("/evidence/customer_name", "complete Unicode characters")),
    (evidence(customer_name=7), ("/evidence/customer_name", "must be a string")),
    (evidence(customer_name=[SECRET]), ("/evidence/customer_name", "must be a string")),
    (evidence(customer_name={"first": SECRET}), ("/evidence/customer_name", "must be a string")),
    (evidence(customer_name=True), ("/evidence/customer_name", "must be a string")),
    (evidence(customer_name=SECRET.encode()), ("/evidence/customer_name", "must be a string")),
    (evidence(receipt=pdf()), ("/evidence/receipt", "must be a string")),
    (evidence(receipt={"file": "receipt.pdf"}), ("/evidence/receipt", "must be a string")),
    (evidence(enhanced_evidence=SECRET), ("/evidence/enhanced_evidence", "must be an object, or an empty")),
    (evidence(enhanced_evidence={"visa": {}}), ("/evidence/enhanced_evidence", "must be one of: ")),
    (evidence(enhanced_evidence={"visa_compliance": {"fee_acknowledged": "true"}}),
     ("/evidence/enhanced_evidence/visa_compliance/fee_acknowledged", "must be a boolean")),
    (evidence(enhanced_evidence={"visa_compelling_evidence_3": {"prior_undisputed_transactions": [{}]}}),
     ("/evidence/enhanced_evidence/visa_compelling_evidence_3/prior_undisputed_transactions/0", "provide")),
    (evidence(enhanced_evidence={"visa_compelling_evidence_3": {"disputed_transaction":
              {"merchandise_or_services": SECRET}}}),
     ("/evidence/enhanced_evidence/visa_compelling_evidence_3/disputed_transaction/merchandise_or_services",
      "'services'")),
    (update(evidence=[SECRET]), ("/evidence", "must be an object")),
    (update(evidence=SECRET), ("/evidence", "must be an object")),
    (update(submit="true"), ("/submit", "must be a boolean")),
    (update(submit=1), ("/submit", "must be a boolean")),
    (update(intended_submission_method=SECRET), ("/intended_submission_method", "'manual'")),
    (update(metadata={"k" * 41: "v"}), ("/metadata", "at most 40")),
    (update(metadata={"order[id]": "v"}), ("/metadata", "square brackets")),
    (update(metadata={"": "v"}), ("/metadata", "at least 1")),
    (update(metadata={"order": text(501)}), ("/metadata/order", "at most 500")),
    (update(metadata={"order": 7}), ("/metadata/order", "must be a string")),
    (update(metadata=SECRET), ("/metadata", "or an empty string")),
    (update(expand="charge"), ("/expand", "must be a list")),
    (update(**{"Idempotency-Key": "k" * 256}), ("/Idempotency-Key", "at most 255")),
    (update(**{"Idempotency-Key": "a b"}), ("/Idempotency-Key", "without spaces")),
    (update(**{"Idempotency-Key": "a\r\nX-Evil: 1"}), ("/Idempotency-Key", "without spaces")),
    (update(**{"Stripe-Account": "acct_1\r\nX-Evil: 1"}), ("/Stripe-Account", "must be")),
    (update(**{"Stripe-Version": "newest"}), ("/Stripe-Version", "must be a version, such as")),
    (("GetDisputes", {"limit": 101}), ("/limit", "must be at most 100")),
    (("GetDisputes", {"limit": 0}), ("/limit", "must be at least 1")),
    (("GetDisputes", {"limit": "10"}), ("/limit", "must be an integer")),
    (("GetDisputes", {"limit": 1.5}), ("/limit", "must be an integer")),
    (("GetDisputes", {"limit": True}), ("/limit", "must be an integer")),
    (("GetDisputes", {"created": {"since": 1}}), ("/created", "must be one of: ")),
    (stripe_file(file=pdf(5_000_001)), ("/file", "at most 5,000,000")),
    (stripe_file(file=pdf(kind="image/tiff")), ("/file", "application/pdf or image/jpeg or image/png")),
    (stripe_file(file=pdf(kind=SECRET)), ("/file", "application/pdf")),
    (stripe_file(file=SECRET), ("/file", "must be a file")),
    (stripe_file(file=SECRET.encode()), ("/file", "must be a file")),
    (stripe_file(file={"content": SECRET}), ("/file", "must be a file")),
    (stripe_file(purpose="identity_document"), ("/purpose", "'dispute_evidence'")),
    (stripe_file(file=None), ("", "provide a value")),
]  # fmt: skip

MOOV: list[tuple[Call, Expected]] = [
    *[
        (("getDispute", {**IDS, "disputeID": bad}), ("/disputeID", "must be"))
        for bad in ["dp_1", DISPUTE + "\n", DISPUTE[:-1], f"{DISPUTE}/../x", "{" + DISPUTE + "}", *BAD_IDS]
    ],
    (("getDispute", {**IDS, "accountID": "../" + MOOV_ACCOUNT}), ("/accountID", "must be a UUID")),
    (("getDispute", {"accountID": MOOV_ACCOUNT}), ("", "provide a value")),
    (moov_text(text=text(751)), ("/text", "at most 750")),
    (moov_text(text="😀" * 376), ("/text", "at most 750")),
    (moov_text(text="\ud83d"), ("/text", "complete Unicode characters")),
    (moov_text(text=pdf()), ("/text", "must be a string")),
    (moov_text(text={"file": SECRET}), ("/text", "must be a string")),
    (moov_text(evidenceType="cancellation-policy"), ("/evidenceType", "'cancelation-policy'")),
    (moov_text(evidenceType=SECRET), ("/evidenceType", "'receipt'")),
    (moov_text(text=None), ("", "provide a value")),
    (moov_text(fileName=SECRET), ("", "must be one of: ")),
    (moov_file(file=pdf(4_000_001)), ("/file", "at most 4,000,000")),
    (moov_file(file=pdf(kind="image/png")), ("/file", "application/pdf")),
    (moov_file(file=SECRET), ("/file", "must be a file")),
    (moov_file(evidenceType="photo"), ("/evidenceType", "'receipt'")),
    (("submitDisputeEvidence", {**IDS, "evidence": SECRET}), ("", "must be one of: ")),
    (
        ("submitDisputeEvidence", {**IDS, "x-moov-version": "v2024.1.0"}),
        ("/x-moov-version", "must be a version"),
    ),
    (("listDisputes", {"accountID": MOOV_ACCOUNT, "status": SECRET}), ("/status", "'response-needed'")),
    (("listDisputes", {"accountID": MOOV_ACCOUNT, "count": 0}), ("/count", "must be at least 1")),
    (("listDisputes", {"accountID": MOOV_ACCOUNT, "skip": -1}), ("/skip", "must be at least 0")),
    (
        ("listDisputes", {"accountID": MOOV_ACCOUNT, "disputeIDs": ["dp_1"]}),
        ("/disputeIDs/0", "must be a UUID"),
    ),
    (
        ("listDisputes", {"accountID": MOOV_ACCOUNT, "startDateTime": "2026-11-22"}),
        ("/startDateTime", "zone"),
    ),
    (
        ("listDisputes", {"accountID": MOOV_ACCOUNT, "startDateTime": "2026-13-45T10:00:00Z"}),
        ("/startDateTime", "must be a date and time"),
    ),
]


@pytest.mark.parametrize(
    ("api", "call", "expected"),
    [("stripe", *row) for row in STRIPE] + [("moov", *row) for row in MOOV],
    ids=lambda value: ascii(value)[:60],
)
def test_a_bad_call_is_not_made(
    api: str, call: Call, expected: Expected, sandbox: Sandbox, stripe_connection: str, moov_connection: str
) -> None:
    operation, arguments = call
    with pytest.raises(InvalidRequestError) as caught:
        HOOKS[api]().call(operation, **arguments)
    assert not sandbox.journal()
    message = str(caught.value)
    assert message.startswith(f"{operation} refused, nothing was sent: ")
    pointer, remedy = expected
    found = {violation.pointer: violation for violation in caught.value.violations}
    assert remedy in found[pointer].remedy
    assert f"{pointer or '/'}: " in message
    assert SECRET not in message + repr(caught.value)
    assert len(message) < 3000


def test_at_least_40_calls_are_refused() -> None:
    assert len({ascii(row) for row in STRIPE + MOOV}) >= 40


def test_all_violations_are_reported_at_once(sandbox: Sandbox, stripe_connection: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        StripeHook().call(
            "PostDisputesDispute",
            dispute="../x",
            submit="yes",
            evidence={"customer_nmae": SECRET, "customer_name": text(5_001), "receipt": 7},
            metadata={"k" * 41: text(501)},
            colour="red",
        )
    assert [violation.pointer for violation in caught.value.violations] == [
        "",
        "/dispute",
        "/evidence",
        "/evidence/customer_name",
        "/evidence/receipt",
        "/metadata",
        "/metadata/" + "k" * 41,
        "/submit",
    ]
    assert SECRET not in str(caught.value)
    assert not sandbox.journal()


LIVE = {"password": "sk_live_51AbCdEf"}
BAD_CONNECTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("stripe", LIVE, "its mode is test, but its key is a live key"),
    ("stripe", {"extra": {"mode": "live"}}, "its mode is live, but its key is a test key"),
    ("stripe", {"host": "http://api.example.com"}, "without encryption"),
    ("stripe", {**LIVE, "extra": {"mode": "live"}, "host": "https://api.example.com"}, "has a host"),
    ("stripe", {"password": None}, "its password is empty"),
    ("moov", {"extra": {}}, "its account is empty"),
    ("moov", {"extra": {"account": MOOV_ACCOUNT, "api_version": "2024.01.00"}}, "api_version"),
    ("moov", {"password": None}, "its public or secret key is missing or malformed"),
]


@pytest.mark.parametrize(("api", "fields", "problem"), BAD_CONNECTIONS, ids=lambda value: ascii(value)[:60])
def test_a_good_call_on_a_bad_connection_is_not_made(
    api: str, fields: dict[str, Any], problem: str, sandbox: Sandbox, connect: Connect
) -> None:
    connect(api, **fields)
    operation, arguments = {"stripe": update(), "moov": moov_text()}[api]
    with pytest.raises(ConnectionConfigError, match=problem):
        HOOKS[api]().call(operation, **arguments)
    assert not sandbox.journal()


def test_an_operation_that_does_not_exist_is_not_called(sandbox: Sandbox, stripe_connection: str) -> None:
    with pytest.raises(DisputeError, match=r"no operation 'deleteEverything'.*GetDisputesDispute"):
        StripeHook().call("deleteEverything")
    assert not sandbox.journal()


@pytest.mark.parametrize("api", ["stripe", "moov"])
def test_values_at_their_limits_are_encoded(api: str) -> None:
    """Show that the limits above are exact."""
    good: dict[str, list[Call]] = {
        "stripe": [
            evidence(uncategorized_text=text(20_000)),
            evidence(uncategorized_text="😀" * 10_000),
            evidence(
                **{name: text(20_000) for name in LONG},
                customer_name=text(5_000),
                billing_address=text(5_000),
            ),
            update(metadata={"k" * 40: text(500)}),
            update(metadata=""),
            evidence(enhanced_evidence=""),
            update(dispute="du_1", **{"Idempotency-Key": "k" * 255}),
            ("GetDisputes", {"limit": 100}),
            stripe_file(file=pdf(5_000_000)),
        ],
        "moov": [
            moov_text(text=text(750)),
            moov_text(text="😀" * 375),
            moov_file(file=pdf(4_000_000, "image/tiff")),
            ("listDisputes", {"accountID": MOOV_ACCOUNT, "startDateTime": "2026-11-22T10:00:00+01:00"}),
        ],
    }
    for operation, arguments in good[api]:
        assert Request.of(load(api)[operation], **arguments).path.startswith("/")
