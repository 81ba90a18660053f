"""The reference of an operation, as its DAG shows it."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider._explain.reference import reference

OPERATIONS = [
    pytest.param(operation, id=operation.id)
    for api in ("stripe", "moov")
    for operation in contract.load(api).operations.values()
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_is_complete(operation: Operation) -> None:
    page = reference(operation, "a.module.Class")
    assert f"`{operation.method} {operation.server}{operation.path}`" in page
    assert operation.document["description"] in page
    for name in operation.schema["properties"]:
        assert f"| `{name}` |" in page
    for status, given in operation.document["responses"].items():
        assert f"| **{status}** | {operation.contract.resolve(given)['description']} |" in page
    for scheme in operation.document["security"]:
        for name, scopes in scheme.items():
            assert f"{name}: " in page
            assert all(f"`{scope}`" in page for scope in scopes)
    assert (operation.media_type or "no body") in page
    assert "a.module.Class" in page


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tables_are_well_formed(operation: Operation) -> None:
    for table in re.findall(r"(?:^\|.*\n?)+", reference(operation, None), re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(columns) == 1, table


@pytest.mark.parametrize("operation", OPERATIONS)
def test_samples_can_be_parsed(operation: Operation) -> None:
    page = reference(operation, None)
    for sample in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        json.loads(sample)
    (command,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["curl", "-X", operation.method]
    assert words[3].startswith(operation.server)
    assert "{" not in words[3]


def test_nested_fields_and_limits() -> None:
    page = reference(contract.load("stripe")["PostDisputesDispute"], None)
    nested = "evidence.enhanced_evidence.visa_compelling_evidence_3.prior_undisputed_transactions[].charge"
    assert (
        f"| `{nested}` | string | yes | Stripe's id of the earlier charge. At most 5,000 characters. |"
        in page
    )
    assert "an emoji counts as two" in page
    assert "All texts together: at most 150,000 characters." in page
    assert "--data-urlencode 'evidence[customer_name]=Jane Roe'" in page


def test_files() -> None:
    page = reference(contract.load("moov")["uploadDisputeEvidenceFile"], None)
    assert "| `file` | file | yes |" in page
    assert "At most 4,000,000 bytes. One of: image/jpeg, image/tiff, application/pdf." in page
    assert """-F 'file=@"document.pdf"'""" in page
    page = reference(contract.load("stripe")["GetFilesFileContents"], None)
    assert "bytes: `application/pdf`" in page
