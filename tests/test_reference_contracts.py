"""Our contracts against reference copies of the two APIs' own, field by field.

The reference files are not part of this repository. DISPUTE_SPECS names the folder that holds
``stripe-disputes.openapi.json`` and ``moov-disputes.openapi.json``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

SCHEMAS = Path(__file__).parents[1] / "schemas"
METHODS = ("get", "post", "put", "patch", "delete")
EMPTY = r"^$(?!\n)"
KEYWORDS = {
    "string": ("values", "default", "minLength", "maxLength", "pattern", "format"),
    "integer": ("default", "minimum", "maximum", "format"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties",),
}

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
        "*/answers/200*/evidence_details: required": "without due_by nobody knows if a response is possible",
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


def resolve(node: dict[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
    """Follow a local $ref; what stands beside it wins."""
    while "$ref" in node:
        target: Any = doc
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node


def shape(schema: dict[str, Any], doc: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Reduce a schema to {type: constraints}, so that 3.0 and 3.1 spellings of one thing are equal."""
    schema = resolve(schema, doc)
    found: dict[str, dict[str, Any]] = {}
    for part in schema.get("anyOf", []):
        for kind, rules in shape(part, doc).items():
            # a string that may only be empty adds nothing to one that may be anything
            if kind not in found or found[kind].get("values") == [""]:
                found[kind] = rules
    types = schema.get("type", [])
    for kind in [types] if isinstance(types, str) else types:
        rules = {key: value for key, value in schema.items() if key in KEYWORDS.get(kind, ())}
        if kind == "string":
            values = schema.get("enum") or schema.get("x-knownValues")
            if schema.get("pattern") == EMPTY:
                values = [""]
                rules.pop("pattern")
            if values:
                rules["values"] = sorted(values)
            if "contentMediaType" in schema:
                rules["format"] = "binary"
        elif kind == "array":
            rules["items"] = schema.get("items", {})
        elif kind == "object":
            for key in ("properties", "additionalProperties", "propertyNames"):
                if key in schema:
                    rules[key] = schema[key]
            # fields that an older pinned version may lack are still fields the specification requires
            rules["required"] = sorted({*schema.get("required", []), *schema.get("x-expected", [])})
        found[kind] = rules
    if schema.get("nullable"):
        found["null"] = {}
    return found


class Comparison:
    """One API: our document beside the reference."""

    def __init__(self, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        self.ours, self.theirs = ours, theirs

    def names(self, at: str, ours: Any, theirs: Any) -> Iterator[str]:
        yield from (f"{at}/{name}: only ours" for name in ours if name not in theirs)
        yield from (f"{at}/{name}: only theirs" for name in theirs if name not in ours)

    def schemas(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        left, right = shape(ours, self.ours), shape(theirs, self.theirs)
        if left.keys() != right.keys():
            yield f"{at}: types {sorted(left)} != {sorted(right)}"
        for kind in left.keys() & right.keys():
            mine, other = left[kind], right[kind]
            for key in (*KEYWORDS.get(kind, ()), "required", "propertyNames"):
                if mine.get(key) != other.get(key):
                    yield f"{at}: {key} {mine.get(key)} != {other.get(key)}"
            if kind == "array":
                yield from self.schemas(f"{at}/items", mine["items"], other["items"])
            if kind == "object":
                yield from self.objects(at, mine, other)

    def objects(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("properties", {}), theirs.get("properties", {})
        yield from self.names(at, mine, other)
        for name in mine.keys() & other.keys():
            yield from self.schemas(f"{at}/{name}", mine[name], other[name])
        left, right = ours.get("additionalProperties"), theirs.get("additionalProperties")
        if isinstance(left, dict) and isinstance(right, dict):
            yield from self.schemas(f"{at}/any", left, right)
        elif left != right:
            yield f"{at}: additionalProperties {left} != {right}"

    def contents(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("content", {}), theirs.get("content", {})
        if mine.keys() != other.keys():
            yield f"{at}: media types {sorted(mine)} != {sorted(other)}"
        for media in mine.keys() & other.keys():
            yield from self.schemas(at, mine[media]["schema"], other[media]["schema"])

    def parameters(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = (
            {(p := resolve(raw, doc))["in"] + "/" + p["name"]: p for raw in operation.get("parameters", [])}
            for operation, doc in ((ours, self.ours), (theirs, self.theirs))
        )
        yield from self.names(name, mine, other)
        for key in mine.keys() & other.keys():
            for word in ("required", "style", "explode"):
                if mine[key].get(word) != other[key].get(word):
                    yield f"{name}/{key}: {word} {mine[key].get(word)} != {other[key].get(word)}"
            yield from self.schemas(f"{name}/{key}", mine[key]["schema"], other[key]["schema"])

    def bodies(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("requestBody"), theirs.get("requestBody")
        if mine is None or other is None:
            if mine != other:
                yield f"{name}/request: only {'theirs' if mine is None else 'ours'}"
            return
        if mine.get("required") != other.get("required"):
            yield f"{name}/request: required {mine.get('required')} != {other.get('required')}"
        yield from self.contents(f"{name}/request", mine, other)
        for media, content in mine["content"].items():
            left, right = content.get("encoding", {}), other["content"][media].get("encoding", {})
            yield from self.names(f"{name}/encoding", left, right)
            for part in left.keys() & right.keys():
                if left[part] != right[part]:
                    yield f"{name}/encoding/{part}: {left[part]} != {right[part]}"

    def answers(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours["responses"], theirs["responses"]
        yield from self.names(f"{name}/answers", mine, other)
        for status in mine.keys() & other.keys():
            at = f"{name}/answers/{status}"
            left, right = resolve(mine[status], self.ours), resolve(other[status], self.theirs)
            yield from self.names(f"{at}/header", left.get("headers", {}), right.get("headers", {}))
            yield from self.contents(at, left, right)

    def security(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = (
            sorted({kind(scheme, doc) for choice in choices for scheme in choice or [""]})
            for choices, doc in (
                (ours.get("security", self.ours["security"]), self.ours),
                (theirs.get("security", self.theirs["security"]), self.theirs),
            )
        )
        if mine != other:
            yield f"{name}/security: {', '.join(mine)} != {', '.join(other)}"
        # Moov's document names a call's scope in its description only
        scopes = sorted(set(re.findall(r"`(/\S+?\.(?:read|write))` scope", theirs.get("description", ""))))
        asked = sorted({s for choice in ours.get("security", []) for s in choice.get("oauth2", [])})
        if asked != scopes:
            yield f"{name}/scopes: {asked} != {scopes}"

    def servers(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine = [s["url"].rstrip("/") for s in ours.get("servers", self.ours["servers"])]
        other = [s["url"].rstrip("/") for s in theirs.get("servers", self.theirs["servers"])]
        if mine != other:
            yield f"{name}/servers: {mine} != {other}"

    def differences(self) -> Iterator[str]:
        mine, other = operations(self.ours), operations(self.theirs)
        yield from (f"{name}: only theirs" for name in other.keys() - mine.keys())
        yield from (f"{name}: only ours" for name in mine.keys() - other.keys())
        for name in mine.keys() & other.keys():
            (call, ours), (wanted, theirs) = mine[name], other[name]
            if call != wanted:
                yield f"{name}: {call} != {wanted}"
            for part in (self.parameters, self.bodies, self.answers, self.security, self.servers):
                yield from part(name, ours, theirs)


def kind(scheme: str, doc: dict[str, Any]) -> str:
    """How a security scheme shows on the wire: a minted OAuth2 token is a bearer token."""
    if not scheme:
        return "none"
    declared = doc["components"]["securitySchemes"][scheme]
    return str(declared.get("scheme", "bearer"))


def operations(doc: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        item[method]["operationId"]: (f"{method} {path}", item[method])
        for path, item in doc["paths"].items()
        for method in METHODS
        if method in item
    }


def reference(api: str) -> dict[str, Any]:
    folder = os.environ.get("DISPUTE_SPECS")
    if not folder:
        pytest.skip("DISPUTE_SPECS is not set: our contracts were NOT compared with the APIs' own")
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
def test_a_change_of_ours_is_noticed(api: str, pointer: str, value: Any) -> None:
    theirs, ours = reference(api), contract(api)
    before = set(Comparison(ours, theirs).differences())
    change(ours, pointer, value)
    new = set(Comparison(ours, theirs).differences()) - before
    assert [d for d in new if not any(explains(pattern, d) for pattern in EXPLAINED[api])]


@pytest.mark.parametrize("api", sorted(EXPLAINED))
def test_no_sentence_of_the_reference_is_ours(api: str) -> None:
    assert not sentences(contract(api)) & sentences(reference(api))


def sentences(node: Any) -> set[str]:
    """Every text of five words or more, sentence by sentence."""
    if isinstance(node, str):
        parts = (part.strip(" .\n").lower() for part in re.split(r"[.;:]\s|\n", node))
        return {part for part in parts if len(part.split()) >= 5}
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {found for child in children for found in sentences(child)}
