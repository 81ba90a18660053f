"""The explorer: every operation of every contract is found, tested without sending, and sent."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any

import pytest
import requests
from playwright.sync_api import FrameLocator, Locator, expect

from dispute_provider import APIS
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.redaction import redacted_answer
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY
from tests.e2e.desk import Desk
from tests.e2e.person import Person
from tests.harness.documents import letter
from tests.harness.explorer_form import field, fill
from tests.harness.lab import Lab

ALL = [operation for api in APIS for operation in contract.load(api).operations.values()]
_TEXT = "Running shoes, size 43, for Zoë."
_PAGE = "/plugin/disputes/dispute-evidence/desk#explorer"
# Seconds are not asserted: they depend on the machine. They are printed.
_DRY, _SENT = re.compile("Dry run: nothing was sent"), re.compile(r"\d s at the API")


class Explorer:
    """The page of one operation, opened by its address."""

    def __init__(self, person: Person, operation: Operation) -> None:
        self.person, self.operation = person, operation
        person.page.goto("about:blank")
        person.page.goto(f"{_PAGE}/{operation.api}/{operation.id}", wait_until="commit")
        expect(self.frame.get_by_role("heading", name=operation.summary, exact=True)).to_be_visible()

    @property
    def frame(self) -> FrameLocator:
        return self.person.page.frame_locator("iframe")

    def field(self, name: str) -> Locator:
        return field(self.frame, name)

    def shown(self, pane: str, name: str) -> str:
        """Return the text of a part of a pane."""
        self.frame.get_by_role("tab", name=pane).click()
        part = self.frame.get_by_role("region", name=name, exact=True)
        return part.locator("pre").inner_text()

    def test(self, dispute: str = "", *, dry: bool = True) -> None:
        """Test the request, and wait for the answer."""
        name = "Test" if dry else f"Send to {self.operation.contract.title}"
        self.frame.get_by_label("Dry run").set_checked(dry)
        confirm = self.frame.get_by_label("Type the dispute ID to confirm")
        button = self.frame.get_by_role("button", name=name, exact=True)
        if not dry and self.operation.effect == "irreversible" and not self.field("submit").count():
            expect(button).to_be_disabled()
            confirm.fill(dispute)
        button.click()
        expect(self.frame.get_by_text(_DRY if dry else _SENT)).to_be_visible()


def values_for(lab: Lab) -> dict[str, str]:
    """Make what the operations need; return what is typed into their forms."""
    stripe = lab.sandbox.create_dispute(api="stripe")
    moov = lab.sandbox.create_dispute(api="moov")
    receipt = ("receipt.pdf", letter("Receipt", "Paid."), "application/pdf")
    uploaded = requests.post(
        f"{lab.sandbox.url}/v1/files",
        headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        data={"purpose": "dispute_evidence"},
        files={"file": receipt},
        timeout=60,
    ).json()
    evidence = requests.post(
        f"{lab.sandbox.url}/accounts/{MOOV_ACCOUNT}/disputes/{moov['id']}/evidence-file",
        auth=(MOOV_PUBLIC_KEY, MOOV_SECRET_KEY),
        headers={"x-moov-version": "v2024.01.00"},
        data={"evidenceType": "receipt"},
        files={"file": receipt},
        timeout=60,
    ).json()
    return {
        "dispute": stripe["id"],
        "charge": stripe["object"]["charge"],
        "disputeID": moov["id"],
        "evidenceID": evidence["evidenceID"],
        "evidence.product_description": _TEXT,
        "evidenceType": "other",
        "text": _TEXT,
        "accountID": MOOV_ACCOUNT,
        "purpose": "dispute_evidence",
        "grant_type": "client_credentials",
        "scope": f"/accounts/{MOOV_ACCOUNT}/transfers.read",
        "file": uploaded["id"],
    }


@pytest.fixture(scope="module", autouse=True)
def _keys(lab: Lab) -> None:
    """Add a connection to Moov that sends its keys instead of a token."""
    keys = {"conn_type": "moov", "login": MOOV_PUBLIC_KEY, "password": MOOV_SECRET_KEY}
    place = {"host": lab.sandbox.url, "port": 0, "extra": json.dumps({"account": MOOV_ACCOUNT})}
    lab.admin.add("connections", {"connection_id": "moov_keys", **keys, **place})


@pytest.mark.parametrize("operation", ALL, ids=lambda each: f"{each.api}-{each.id}")
def test_an_operation_is_tested_and_sent(lab: Lab, ana: Person, operation: Operation) -> None:
    values = values_for(lab)
    page = Explorer(ana, operation)
    # The token of moov_default has no scope for profiles.
    connection = "moov_keys" if operation.id == "getAccount" else f"{operation.api}_default"
    page.frame.get_by_label("Connection").select_option(connection)
    if operation.places.get("file") != "path":
        # An upload without a path uploads a sample page.
        del values["file"]
    if page.field("evidenceID").count():
        # The evidence is a document, which has no text.
        del values["text"]
    fill(page.frame, values)
    count = len(lab.sandbox.journal(operation=operation.id))
    page.test()
    assert len(lab.sandbox.journal(operation=operation.id)) == count
    request = page.shown("Request", "HTTP")
    page.test(values.get(operation.argument("dispute") or "", ""), dry=False)

    sent = lab.sandbox.journal(operation=operation.id)[-1]
    line, *headers = request.partition("\n\n")[0].splitlines()
    query = f"?{sent['query']}" if sent["query"] else ""
    assert line == f"{sent['method']} {sent['path']}{query} HTTP/1.1"
    for name, value in (header.split(": ", 1) for header in headers):
        if name not in ("Host", "Authorization") and not value.startswith("["):
            assert sent["headers"][name.lower()] == value
    if isinstance(sent["raw_body"], str) and sent["raw_body"] not in ("", "(redacted)"):
        assert request.partition("\n\n")[2] == sent["raw_body"]
    status = page.frame.locator(".answer .status .chip")
    expect(status).to_have_text(str(sent["status"]))
    expect(page.frame.get_by_text(sent["request_id"]).first).to_be_visible()
    assert sent["status"] < 300
    shown = page.shown("Answer", "Answer")
    assert _TEXT not in shown
    body = lab.answer_to(sent["seq"])
    assert (json.loads(shown) == _redacted(operation, body)) if body else shown == "(no body)"


def _redacted(operation: Operation, body: bytes) -> Any:
    """Return what may be shown of an answer that the sandbox sent."""
    if operation.success_schema is None:
        found = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
        return {**found, "content_type": "application/pdf"}
    return redacted_answer(operation, json.loads(body))


def test_from_the_search_to_the_answer(lab: Lab, ana: Person) -> None:
    dispute = str(lab.sandbox.create_dispute(api="stripe")["id"])
    began = time.monotonic()
    desk = Desk(ana)
    desk.click(desk.frame.get_by_role("link", name="Explorer"))
    search = desk.frame.get_by_label("Search operations")
    search.fill("stripe read dispte")
    first = desk.frame.get_by_role("navigation", name="Operations").get_by_role("link").first
    expect(first).to_contain_text("Read a dispute")
    desk.click(first)
    asked = field(desk.frame, "dispute")
    asked.fill(f"{dispute} ")
    expect(desk.frame.get_by_role("alert").filter(has_text="has the wrong form")).to_be_visible()
    asked.fill(dispute)
    tested = time.monotonic()
    desk.click(desk.frame.get_by_role("button", name="Test", exact=True))
    expect(desk.frame.get_by_text(_DRY)).to_be_visible()
    answered = time.monotonic()
    print(f"{answered - began:.1f} s to the answer, {answered - tested:.1f} s of them after Test")
    # From Airflow's navigation to the answer.
    assert desk.used == 4
    desk.frame.get_by_role("tab", name="Last tests").click()
    desk.frame.get_by_role("button", name="Open", exact=True).first.click()
    expect(desk.frame.get_by_text(_DRY)).to_be_visible()
    desk.frame.get_by_role("tab", name="Reference").click()
    desk.shoot("j-explorer")


def test_a_test_is_cancelled(lab: Lab, ana: Person) -> None:
    dispute = str(lab.sandbox.create_dispute(api="stripe")["id"])
    lab.sandbox.fault(effect="delay", operation="GetDisputesDispute", dispute=dispute, seconds=60)
    page = Explorer(ana, contract.load("stripe")["GetDisputesDispute"])
    page.field("dispute").fill(dispute)
    page.frame.get_by_label("Dry run").set_checked(False)
    page.frame.get_by_role("button", name="Send to Stripe", exact=True).click()
    page.frame.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.frame.get_by_text("Cancelled. If the request was already on its way")).to_be_visible()
    lab.sandbox.clear_faults()


@pytest.mark.parametrize("api", [contract.load(name).title for name in APIS])
def test_airflows_own_search_finds_the_requests(ana: Person, api: str) -> None:
    ana.page.goto("/dags")
    ana.page.get_by_placeholder("Search Dags").fill(f"{api} request")
    expect(ana.page.get_by_role("link", name=f"{api} request", exact=True)).to_be_visible()


def test_a_viewer_reads_references_only(person: Any) -> None:
    page = Explorer(person("vic"), contract.load("stripe")["GetDisputes"])
    expect(page.frame.get_by_text("you need permission to trigger DAG stripe_request")).to_be_visible()
    expect(page.frame.get_by_role("button", name="Test", exact=True)).to_have_count(0)
