"""Our contracts against reference copies of the two APIs' own, field by field.

The reference files are not part of this repository. ``make drift SPECS=…`` names the folder that holds
``stripe-disputes.openapi.json`` and ``moov-disputes.openapi.json``.
"""

from __future__ import annotations

import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.drift.comparison import Comparison
from tests.drift.facts import APIS, FOLDER, facts

SCHEMAS = Path(__file__).parents[2] / "schemas"
# Where we differ on purpose: a pattern over "operation/part/…: keyword", and why.
EXPLAINED: dict[str, dict[str, str]] = {
    "stripe": {
        "*/header/*: only ours": "headers are parameters here, so that they are validated like the rest",
        "*/answers/default: only theirs": "the documented statuses are spelled out",
        "*/answers/[45]??: only ours": "the documented statuses are spelled out",
        "*/answers/200/header/Request-Id: only ours": "every answer carries it and we record it",
        "*/security: bearer != basic, bearer": "a key goes into the Authorization header in one form only",
        "Get*/request: only theirs": "a GET has no body; theirs is an empty form",
        "*/path/dispute: pattern": "an id must not add to or climb in the path",
        "*/request/*: additionalProperties": "closed at every level, so a misspelt field is refused",
        "GetDisputes/query/created: additionalProperties": "requests are closed at every level",
        "GetDisputes/query/created: minProperties": "an empty range is a mistake, not a filter",
        "GetDisputes/query/limit: m??imum": "the API refuses what is outside; theirs says so in prose only",
        "PostDisputesDispute/request/evidence/appeal: only ours": "in the API since 2026-10-28",
        "PostDisputesDispute/request/intended_submission_method: only ours": "in the API since 2026-10-28",
        "*/request/metadata: propertyNames": "limits in prose only; a bracket would break the encoding",
        "*/request/metadata/*: maxLength": "the limit of a value is in prose only",
        "PostFiles/request/purpose: values": "the one purpose that disputes take; the size limit hangs on it",
        "PostFiles/request/file_link_data: only theirs": "it would make a customer's document public",
        "PostFiles/*/expand: only theirs": "nothing in a file can be expanded",
        "PostFiles/encoding/file_link_data: only theirs": "it would make a customer's document public",
        "PostFiles/encoding/file: only ours": "the kinds of file that evidence may have",
        "GetAccount: only ours": "a harmless read for the test of a connection",
        "GetFilesFile*: only ours": "evidence is read back; theirs has no more of files than the upload",
        "GetChargesCharge: only ours": "compelling evidence names earlier charges; theirs stops at disputes",
        "*/answers/200*/charge: types": "an object where the caller expands it",
        "*/answers/200*/payment_intent: types": "an object where the caller expands it",
        "*/answers/200*/intended_submission_method: only ours": "sent by newer versions",
        "*/answers/200*/network_reason_code: only ours": "optional in the API, missing from the reference",
        "*/answers/200*/status: values": "the appeal stage of newer versions",
        "*/answers/200*/reason: values": "known from the API's guide; theirs is free text",
        "*/answers/200*/evidence/appeal: only ours": "sent by newer versions",
        "*/answers/200*/enhanced_evidence/visa_compelling_evidence_3: only ours": "left out of the reference",
        "*/answers/200*/enhanced_evidence/mastercard_compliance: only ours": "left out of the reference",
        "*/answers/200*/enhanced_eligibility/*: only ours": "left out of the reference",
        "*/answers/200*/evidence_details/submission_method: only ours": "sent by newer versions",
        "*/answers/200*/evidence_details: required": "no due_by: unknown whether a response is possible",
        "*/enhanced_eligibility: additionalProperties": "so that a programme that is new can be read",
    },
    "moov": {
        "getAccount: only ours": "a harmless read for the test of a connection",
        "ping: only ours": "a harmless read for the test of a connection",
        "*/header/Origin: only ours": "needed for keys that are bound to a domain",
        "*/header/x-moov-version: pattern": "a malformed version is answered 404, like a missing dispute",
        "*/answers/429/header/Retry-After: only ours": "honoured where it is sent",
        "*/path/*ID: pattern": "format alone is not enforced by every validator",
        "listDisputes/query/*: pattern": "format alone is not enforced by every validator",
        "listDisputes/query/*IDs/items: format": "ids hold no comma, which separates them on the wire",
        "listDisputes/query/skip: minimum": "a page cannot start before the first",
        "listDisputes/query/count: minimum": "a page of none never ends a listing",
        "listDisputeEvidence/answers/404: only ours": "occurs, undocumented",
        "acceptDispute/scopes:": "documents disagree; the stronger scope serves in either case",
        "*/request: additionalProperties": "requests are closed, so a misspelt field is refused",
        "updateDisputeEvidence/request: minProperties": "a change of nothing is a mistake",
        "updateDisputeEvidence/request/text: maxLength": "the upload's limit holds for the change as well",
        "uploadDisputeEvidenceFile/encoding/file: only ours": "the kinds of file; theirs are in prose only",
        "*AccessToken/request: media types": "one form of the body is enough",
        "createAccessToken/request/client_type: only ours": "known to newer versions",
        "*/answers/20?*/fileName: only ours": "the spelling that the official Go client reads",
    },
}


def reference(api: str) -> dict[str, Any]:
    folder = os.environ.get("DISPUTE_SPECS")
    if not folder:
        pytest.fail("no reference contracts; name their folder: make drift SPECS=…")
    loaded: dict[str, Any] = json.loads((Path(folder) / f"{api}-disputes.openapi.json").read_text("utf-8"))
    return loaded


def contract(api: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{api}.openapi.json").read_text("utf-8"))
    return loaded


def explains(pattern: str, difference: str) -> bool:
    return fnmatchcase(difference, pattern) or fnmatchcase(difference, pattern + " *")


@pytest.mark.parametrize("api", sorted(EXPLAINED))
def test_every_difference_is_explained(api: str) -> None:
    found = sorted(Comparison(contract(api), reference(api)).differences())
    unexplained = [d for d in found if not any(explains(pattern, d) for pattern in EXPLAINED[api])]
    assert not unexplained, "unexplained differences:\n" + "\n".join(unexplained)


@pytest.mark.parametrize("api", sorted(EXPLAINED))
def test_every_explanation_is_needed(api: str) -> None:
    found = list(Comparison(contract(api), reference(api)).differences())
    stale = [pattern for pattern in EXPLAINED[api] if not any(explains(pattern, d) for d in found)]
    assert not stale, "explanations that explain nothing:\n" + "\n".join(stale)


def change(doc: dict[str, Any], pointer: str, value: Any) -> None:
    """Set what a pointer names; None removes it."""
    *parents, last = pointer.split(" ")
    for step in parents:
        doc = doc[int(step)] if isinstance(doc, list) else doc[step]
    if value is None:
        del doc[last]
    else:
        doc[last] = value


@pytest.mark.parametrize(
    ("api", "pointer", "value"),
    [
        (
            "stripe",
            "components schemas DisputeEvidenceParams properties product_description maxLength",
            20001,
        ),
        ("stripe", "components schemas DisputeEvidenceParams properties customer_name", None),
        ("stripe", "components schemas DisputeUpdateParams properties submit type", "string"),
        ("stripe", "components schemas DisputeUpdateParams properties metadata", {"type": "object"}),
        ("stripe", "components schemas PriorUndisputedTransactionParams required", None),
        ("stripe", "components schemas File x-expected", ["object"]),
        ("stripe", "components schemas PaymentMethodDetails properties type x-knownValues", ["card"]),
        ("stripe", "paths /v1/files post servers", None),
        ("stripe", "paths /v1/disputes get parameters 1 name", "payment"),
        ("moov", "components schemas EvidenceTextParams properties text maxLength", 751),
        ("moov", "components schemas EvidenceType enum", ["receipt"]),
        ("moov", "components schemas Dispute properties submittedOn", None),
        ("moov", "components schemas Evidence properties size type", "string"),
        (
            "moov",
            "paths /accounts/{accountID}/disputes/{disputeID}/evidence/submit post security 1 oauth2",
            ["/x.read"],
        ),
        ("moov", "paths /accounts/{accountID}/disputes/{disputeID}/evidence/submit post responses 409", None),
        (
            "moov",
            "paths /accounts/{accountID}/disputes/{disputeID}/evidence/{evidenceID} delete operationId",
            "x",
        ),
        ("moov", "components schemas EvidenceFileParams properties file contentMediaType", None),
    ],
)
def test_changes_to_our_contract_are_detected(api: str, pointer: str, value: Any) -> None:
    theirs, ours = reference(api), contract(api)
    before = set(Comparison(ours, theirs).differences())
    change(ours, pointer, value)
    new = set(Comparison(ours, theirs).differences()) - before
    assert [d for d in new if not any(explains(pattern, d) for pattern in EXPLAINED[api])]


@pytest.mark.parametrize("api", sorted(EXPLAINED))
def test_no_sentence_is_copied_from_the_reference(api: str) -> None:
    assert not sentences(contract(api)) & sentences(reference(api))


def sentences(node: Any) -> set[str]:
    """Every text of five words or more, sentence by sentence."""
    if isinstance(node, str):
        parts = (part.strip(" .\n").lower() for part in re.split(r"[.;:]\s|\n", node))
        return {part for part in parts if len(part.split()) >= 5}
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {found for child in children for found in sentences(child)}


@pytest.mark.parametrize("api", APIS)
def test_the_stored_facts_match_the_reference(api: str) -> None:
    kept = json.loads((FOLDER / f"{api}.json").read_text("utf-8"))
    assert kept == facts(reference(api)), "run python -m tests.drift.facts FOLDER"
