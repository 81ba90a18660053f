"""Our keywords in contracts: each contract keeps to their schema, and one page explains them all."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dispute_provider import APIS
from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import Json

ROOT = Path(__file__).parents[2]
KEYWORDS: Json = json.loads((ROOT / "schemas" / "keywords.schema.json").read_bytes())
NODE = KEYWORDS["$defs"]["node"]["properties"]
ROLES = NODE["x-role"]["enum"]
CONTRACTS: dict[str, Json] = {
    path.name.partition(".")[0]: json.loads(path.read_bytes())
    for folder in ("schemas", "tests/third_api/added/schemas")
    for path in (ROOT / folder).glob("*.openapi.json")
}
PAGE = (ROOT / "docs" / "add-an-api.md").read_text("utf-8")


def problems(document: Json) -> list[str]:
    return [error.message for error in Draft202012Validator(KEYWORDS).iter_errors(document)]


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_contracts_use_valid_keywords(name: str) -> None:
    assert problems(CONTRACTS[name]) == []


def test_every_contract_is_checked() -> None:
    assert CONTRACTS.keys() == {*APIS, "acme"}


BROKEN: list[Callable[[Json], Any]] = [
    lambda acme: acme.pop("x-name"),
    lambda acme: acme.pop("x-evidence"),
    lambda acme: acme.update({"x-evidences": {}}),
    lambda acme: acme["components"]["parameters"]["CaseRef"].update({"x-role": "case"}),
    lambda acme: acme["components"]["schemas"]["Draft"]["properties"]["proof"].update({"x-kinds": "file"}),
    lambda acme: acme["components"]["schemas"]["Draft"]["properties"]["proof"].update({"x-kind": "photo"}),
    lambda acme: acme["paths"]["/merchant"]["get"].pop("x-effect"),
    lambda acme: acme["paths"]["/merchant"]["get"].pop("x-after-failure"),
    lambda acme: acme["paths"]["/answers"]["post"].update({"x-after-failure": "resend"}),
    lambda acme: acme["components"]["schemas"]["CaseEvidence"]["x-documents"].update(
        {"types": ["audio/mpeg"]}
    ),
    lambda acme: acme["components"]["schemas"]["CaseEvidence"]["x-documents"].update({"maxbytes": 1}),
    lambda acme: acme["components"]["schemas"]["Case"].update({"allOf": [{"type": "object"}]}),
    lambda acme: acme["components"]["schemas"]["Case"]["properties"].update({"claim": {"oneOf": []}}),
    lambda acme: acme["components"]["schemas"]["Case"]["properties"]["claim"].update({"nullable": True}),
    lambda acme: acme["components"]["parameters"]["Cursor"].update({"in": "cookie"}),
    lambda acme: acme["components"]["parameters"]["Cursor"].update({"style": "pipeDelimited"}),
    lambda acme: acme["components"]["securitySchemes"]["key"].update({"in": "query"}),
    lambda acme: acme.pop("servers"),
    lambda acme: acme["components"].pop("securitySchemes"),
]


@pytest.mark.parametrize("spoil", BROKEN)
def test_invalid_keywords_are_detected(spoil: Callable[[Json], Any]) -> None:
    document = copy.deepcopy(CONTRACTS["acme"])
    spoil(document)
    assert problems(document)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_roles_are_where_the_code_looks_for_them(name: str) -> None:
    api = Contract(name, CONTRACTS[name])
    for operation in api.operations.values():
        if operation.effect == "irreversible":
            assert operation.argument("dispute"), f"{operation.id}: nothing to confirm"
        takes_key = operation.argument("idempotency-key") is not None
        assert takes_key == (operation.after_failure == "resend-same-key"), operation.id
        if operation.argument("submit"):
            assert operation.effect == "irreversible", operation.id
        roles = [operation.role(argument) for argument in operation.schema["properties"]]
        for role in ("dispute", "account", "idempotency-key", "submit", "evidence"):
            assert roles.count(role) <= 1, f"{operation.id}: several arguments have the role {role}"
    assert "dispute" in {api.resolve(each).get("x-role") for each in _fields(api)}


def _fields(api: Contract) -> list[Json]:
    return [
        field
        for schema in CONTRACTS[api.api]["components"]["schemas"].values()
        for field in schema.get("properties", {}).values()
    ]


@pytest.mark.parametrize("keyword", sorted({*NODE, *KEYWORDS["properties"]}))
def test_the_page_explains_each_keyword(keyword: str) -> None:
    if keyword.startswith("x-"):
        assert re.search(rf"^\| `{keyword}` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("role", ROLES)
def test_the_page_explains_each_role(role: str) -> None:
    assert re.search(rf"^\| `{role}` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("kind", NODE["x-kind"]["enum"])
def test_the_page_explains_each_kind(kind: str) -> None:
    assert f"`{kind}`" in PAGE
