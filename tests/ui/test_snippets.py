"""Each snippet of the explorer, pasted as it is, makes the request that is shown as HTTP."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from running import run
from support import Connect, forget_chains
from test_explorer import ALL, examples, prepare, shown
from viewing import Site

from dispute_provider._contracts.contract import Operation
from dispute_provider.hooks.moov import MoovHook
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY, Sandbox

PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"
KEYS = {"STRIPE_KEY": STRIPE_KEY, "MOOV_PUBLIC_KEY": MOOV_PUBLIC_KEY, "MOOV_SECRET_KEY": MOOV_SECRET_KEY}
TEXT = 'It\'s "Zoë" at 5 %,\nfor {{ 1 }} $HOME'


@pytest.fixture
def values(sandbox: Sandbox, connect: Connect) -> dict[str, Any]:
    """What can be typed into the forms."""
    connect("stripe")
    connect("moov")
    return values_for(sandbox)


def values_for(sandbox: Sandbox) -> dict[str, Any]:
    """Return ids that exist, of new disputes, and a text with characters of all quotes."""
    stripe = sandbox.create_dispute(api="stripe")
    moov = sandbox.create_dispute(api="moov")
    upload = {"disputeID": moov["id"], "evidenceType": "receipt", "file": _part()}
    evidence = MoovHook().call("uploadDisputeEvidenceFile", **upload).data
    part = {"purpose": "dispute_evidence", "file": _part()}
    return {
        "dispute": stripe["id"],
        "charge": StripeHook().call("GetDisputesDispute", dispute=stripe["id"]).data["charge"],
        "disputeID": moov["id"],
        "evidenceID": evidence["evidenceID"],
        "file": StripeHook().call("PostFiles", **part).data["id"],
        "evidenceType": "other",
        "text": TEXT,
        "scope": f"/accounts/{MOOV_ACCOUNT}/transfers.read",
        "accountID": MOOV_ACCOUNT,
        "evidence.product_description": TEXT,
    }


def _part() -> Any:
    from dispute_provider import FilePart

    return FilePart("receipt.pdf", PDF, "application/pdf")


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    path = tmp_path / "receipt.pdf"
    path.write_bytes(PDF)
    return path


def by_curl(code: str, sandbox: Sandbox) -> None:
    token = MoovHook().with_api(lambda api: api.mint()).value
    subprocess.run(
        ["/bin/bash", "-c", code],
        env={"PATH": os.environ["PATH"], "MOOV_TOKEN": token, **KEYS},
        capture_output=True,
        check=True,
    )


def pasted(code: str) -> Any:
    """Return the only task of a DAG with a snippet in it."""
    from airflow.sdk import DAG

    names: dict[str, Any] = {"DAG": DAG}
    exec(f"with DAG('pasted') as dag:\n{textwrap.indent(code, '    ')}", names)  # what a user does
    [task] = names["dag"].tasks
    return task


def by_operator(code: str, sandbox: Sandbox) -> None:
    run(pasted(code))


def by_task(code: str, sandbox: Sandbox) -> None:
    assert pasted(code).python_callable().startswith(("200", "201", "204"))


WAYS = {"cURL": by_curl, "Operator": by_operator, "@task": by_task}


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.id)
@pytest.mark.parametrize("way", WAYS)
def test_a_snippet_makes_the_request_that_is_shown(
    way: str, operation: Operation, site: Site, sandbox: Sandbox, values: dict[str, Any], document: Path
) -> None:
    if operation.api not in ("stripe", "moov"):
        return
    forget_chains(sandbox)
    fields = shown(site, operation)["fields"]
    names = {each["name"]: each["kind"] for each in fields}
    typed = examples(operation, fields) | {name: value for name, value in values.items() if name in names}
    typed |= {name: str(document) for name, kind in names.items() if kind == "document"}
    if "evidenceID" in names and "text" in names:
        # The evidence is a document, which has no text.
        del typed["text"]
    if "submit" in names:
        typed["submit"] = False
    prepared = prepare(site, operation, **typed).json()
    assert prepared["violations"] == []
    snippets = {each["name"]: each["code"] for each in prepared["snippets"]}
    if way not in snippets:
        assert way == "@task" or shown(site, operation)["sections"][2]["rows"][-1][1].startswith("none")
        return
    WAYS[way](snippets[way], sandbox)
    sent = sandbox.journal(operation=operation.id)[-1]
    assert sent["status"] < 300, sent["answer_summary"]
    compare(snippets["HTTP"], sent, way)


def compare(http: str, sent: dict[str, Any], way: str) -> None:
    """Compare a request with what arrived, except for the key and for what a multipart body is wrapped in."""
    head, _, body = http.partition("\n\n")
    line, *headers = head.splitlines()
    method, path, _ = line.split()
    assert (method, path.partition("?")[0]) == (sent["method"], sent["path"].partition("?")[0])
    for name, value in (header.split(": ", 1) for header in headers):
        arrived = sent["headers"].get(name.lower())
        if name == "Idempotency-Key" and value.startswith("["):
            assert (arrived is None) == (way == "cURL")
        elif name in ("Host", "Authorization") or value.startswith("multipart/"):
            assert arrived
        elif name == "Idempotency-Key" and way != "Operator":
            # cURL shows the same key; the hook's own call has none.
            assert arrived in (value, None)
        else:
            assert arrived == value, name
    if isinstance(sent["raw_body"], str) and sent["raw_body"] != "(redacted)" and sent["method"] != "GET":
        assert sorted(sent["raw_body"].split("&")) == sorted(body.split("&"))
