"""Our contracts against the APIs' own Python clients, and against facts that the clients do not tell.

The clients give names and values. ``tests/facts`` gives calls, limits, required fields and scopes, taken from
reference contracts by ``python -m tests.drift.facts``; ``make drift`` compares everything with those.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import stripe
from vendor_models import MOOV, NOT_READ, STRIPE, Fields, of_contract, of_moov, of_stripe

from dispute_provider.get_provider_info import get_provider_info
from tests.drift.facts import APIS, FOLDER, facts

SCHEMAS = Path(__file__).parents[2] / "schemas"

# Where we differ on purpose: a pattern over "operation/path: what", and why.
EXPLAINED: dict[str, dict[str, str]] = {
    "stripe": {
        "*/header/*: *": "options of every call in the client",
        "*/path/dispute: only ours": "an argument of the method in the client",
        "*/query: only theirs": "the client's name for all of them",
        "*: statuses": "the documented statuses are spelled out",
        "GetDisputes/answer: only ours": "a list is a type of its own in the client",
        "GetDisputes/answer/data: only ours": "a list is a type of its own in the client",
        "GetDisputes/answer/has_more: only ours": "a list is a type of its own in the client",
        "GetDisputes/answer/object: only ours": "a list is a type of its own in the client",
        "GetDisputes/answer/url: only ours": "a list is a type of its own in the client",
        "GetDisputes/query/created: minProperties": "an empty range is a mistake, not a filter",
        "GetDisputes/query/limit: m??imum": "documented in prose only",
        "*/answer*/reason: values": "known from the API's guide; a free text in the client",
        "*/answer*/payment_method_details/amazon_pay*: only theirs": "nothing here reads it",
        "*/answer*/payment_method_details/klarna*: only theirs": "nothing here reads it",
        "*/answer*/payment_method_details/paypal*: only theirs": "nothing here reads it",
        "*/answer*/enhanced_evidence/*: required by only ours": "left out of the reference",
        "*/answer*/evidence_details/due_by: required by only ours": "it decides if one can answer",
        "*/answer*/charge/id: required by only ours": "a charge is known by its id",
        "PostFiles/answer/links: only theirs": "a link would make a customer's document public",
        "PostFiles/request/file_link_data*: * theirs": "it would make a customer's document public",
        "PostFiles/request/expand*: *": "nothing in a file can be expanded",
        "PostFiles/request/purpose: values": "the one purpose that disputes take; the size limit hangs on it",
        "PostFiles/answer/purpose: values": "an answer is checked by need",
    },
    "moov": {
        "*/header/Origin: *": "needed for keys that are bound to a domain",
        "*/header/x-moov-version: only ours": "an option of the whole client there",
        "*/answer*/fileName: only ours": "the spelling that the official Go client reads",
        "getAccount/answer/*: only theirs": "the test of a connection reads no more",
        "getAccount/answer/accountType: values": "the test of a connection shows it unchanged",
        "createAccessToken/request*: only ours": "arguments of a method in the client",
        "revokeAccessToken/request*: only ours": "arguments of a method in the client",
        "acceptDispute: scopes": "documents disagree; the stronger scope serves in either case",
        "listDisputeEvidence: statuses": "404 occurs, undocumented",
        "listDisputes/query/skip: minimum": "a page cannot start before the first",
        "listDisputes/query/count: minimum": "a page of none never ends a listing",
        "updateDisputeEvidence/request: minProperties": "a change of nothing is a mistake",
        "updateDisputeEvidence/request/text: maxLength": "the upload's limit holds for the change as well",
        "uploadDisputeEvidenceFile/request/file/*: only theirs": "the client's own form of a file",
    },
}


def contract(api: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{api}.openapi.json").read_text("utf-8"))
    return loaded


def reference(api: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{api}.json").read_text("utf-8"))
    return loaded


def names_and_values(name: str, ours: Fields, theirs: Fields) -> Iterator[str]:
    """How the fields of an operation differ from those of the API's client."""
    not_read = tuple(path.removesuffix(NOT_READ) for path in theirs if path.endswith(NOT_READ))
    for path in ours.keys() - theirs.keys():
        if not path.startswith(not_read):
            yield f"{name}/{path}: only ours"
    for path in theirs.keys() - ours.keys():
        if not path.endswith(NOT_READ):
            yield f"{name}/{path}: only theirs"
    for path in ours.keys() & theirs.keys():
        if ours[path] != theirs[path]:
            yield f"{name}/{path}: values {ours[path]} != {theirs[path]}"


def limits(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    """How the facts of an operation differ."""
    for key in ("call", "statuses", "scopes"):
        if ours[key] != theirs[key]:
            yield f"{name}: {key} {ours[key]} != {theirs[key]}"
    for path in set(ours["required"]) ^ set(theirs["required"]):
        yield f"{name}/{path}: required by only {'ours' if path in ours['required'] else 'theirs'}"
    for path in ours["limits"].keys() | theirs["limits"].keys():
        mine, other = ours["limits"].get(path, {}), theirs["limits"].get(path, {})
        for key in mine.keys() | other.keys():
            if mine.get(key) != other.get(key):
                yield f"{name}/{path}: {key} {mine.get(key)} != {other.get(key)}"


def differences(api: str, doc: dict[str, Any]) -> set[str]:
    """Every way in which a contract differs from the API's client and from the facts."""
    of_client = of_stripe if api == "stripe" else of_moov
    known, stated = reference(api), facts(doc)
    found = {f"{name}: missing" for name in known.keys() - stated.keys()}
    for name, fields in of_contract(doc).items():
        if name in STRIPE or name in MOOV:
            found.update(names_and_values(name, fields, of_client(name)))
        if name in known:
            found.update(limits(name, stated[name], known[name]))
    return found


def explains(pattern: str, difference: str) -> bool:
    return fnmatchcase(difference, pattern) or fnmatchcase(difference, pattern + " *")


def unexplained(api: str, found: set[str]) -> list[str]:
    return sorted(each for each in found if not any(explains(pattern, each) for pattern in EXPLAINED[api]))


@pytest.mark.parametrize("api", APIS)
def test_every_difference_is_explained(api: str) -> None:
    found = unexplained(api, differences(api, contract(api)))
    assert not found, "unexplained differences:\n" + "\n".join(found)


@pytest.mark.parametrize("api", APIS)
def test_every_explanation_is_needed(api: str) -> None:
    found = differences(api, contract(api))
    stale = [pattern for pattern in EXPLAINED[api] if not any(explains(pattern, each) for each in found)]
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


_PARAMS = "components schemas DisputeEvidenceParams properties"
_EVIDENCE = "paths /accounts/{accountID}/disputes/{disputeID}/evidence"


@pytest.mark.parametrize(
    ("api", "pointer", "value"),
    [
        (
            "stripe",
            f"{_PARAMS} product_description maxLength",
            20001,
        ),
        ("stripe", f"{_PARAMS} customer_name", None),
        ("stripe", f"{_PARAMS} customer_nam", {"type": "string"}),
        ("stripe", "components schemas PriorUndisputedTransactionParams required", None),
        ("stripe", "components schemas File x-expected", ["object"]),
        ("stripe", "components schemas PaymentMethodDetails properties type x-knownValues", ["card"]),
        ("stripe", "paths /v1/disputes get parameters 1 name", "payment"),
        ("stripe", "paths /v1/disputes/{dispute}/close post", None),
        ("moov", "components schemas EvidenceTextParams properties text maxLength", 751),
        ("moov", "components schemas EvidenceType enum", ["receipt"]),
        ("moov", "components schemas Dispute properties submittedOn", None),
        ("moov", f"{_EVIDENCE}/submit post security 1 oauth2", ["/x.read"]),
        ("moov", f"{_EVIDENCE}/submit post responses 409", None),
        ("moov", f"{_EVIDENCE}/{{evidenceID}} delete operationId", "x"),
    ],
)
def test_changes_to_our_contract_are_detected(api: str, pointer: str, value: Any) -> None:
    doc = contract(api)
    change(doc, pointer, value)
    assert unexplained(api, differences(api, doc))


def test_stripe_s_version_is_that_of_its_client_and_of_all_texts() -> None:
    document = contract("stripe")
    version = document["info"]["version"]
    assert version == stripe.api_version
    [form] = [each for each in get_provider_info()["connection-types"] if each["connection-type"] == "stripe"]
    assert version in form["conn-fields"]["api_version"]["description"]
    assert f"`Stripe-Version`: {version}" in (SCHEMAS.parent / "README.md").read_text(encoding="utf-8")
    [code] = document["x-advice"]
    assert f'"{code}"' in inspect.getsource(stripe.PaymentIntent)
