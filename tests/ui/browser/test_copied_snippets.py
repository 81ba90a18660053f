"""Each snippet of each operation, copied in the browser, makes the request that the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_page import DeskPage
from playwright.sync_api import expect
from support import Connect, forget_chains
from test_explorer import ALL, examples, shown
from test_snippets import WAYS, compare, document, values_for
from viewing import PREFIX, Site

from dispute_provider import operator_name
from dispute_provider._contracts.contract import Operation
from dispute_provider.sandbox import Sandbox
from tests.harness.explorer_form import field, fill

_fixtures = (document,)
pytestmark = pytest.mark.usefixtures("shipped_dags")


@pytest.fixture
def explorer(page: DeskPage, connect: Connect) -> DeskPage:
    """The page of a user who lets it use the clipboard, with a connection to each API."""
    connect("stripe")
    connect("moov")
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return page


def copied(page: DeskPage, name: str) -> str:
    """Return a snippet as its button copies it."""
    button = page.page.get_by_role("button", name=f"Copy {name}", exact=True)
    button.click()
    expect(button).to_have_text("Copied")
    return str(page.page.evaluate("() => navigator.clipboard.readText()"))


def ways(operation: Operation) -> set[str]:
    """Return the snippets that an operation has. One that cannot be undone is left to an operator."""
    is_final = operation.effect == "irreversible" and "submit" not in operation.schema["properties"]
    has = {"cURL": True, "Operator": bool(operator_name(operation)), "@task": not is_final}
    return {name for name, exists in has.items() if exists}


@pytest.mark.parametrize("operation", ALL, ids=lambda each: f"{each.api}-{each.id}")
def test_each_copied_snippet_makes_the_request_that_is_shown(
    explorer: DeskPage, site: Site, sandbox: Sandbox, operation: Operation, document: Path
) -> None:
    described = shown(site, operation)
    kinds = {each["name"]: each["kind"] for each in described["fields"]}
    documents = {name: str(document) for name, kind in kinds.items() if kind == "document"}
    page = explorer.page
    page.goto(f"{PREFIX}/desk#explorer/{operation.api}/{operation.id}")
    page.get_by_role("tab", name="Request").click()
    for way in sorted(ways(operation)):
        # What cannot be undone needs another dispute each time.
        forget_chains(sandbox)
        typed = {**examples(operation, described["fields"]), **values_for(sandbox), **documents}
        if "evidenceID" in kinds:
            # The evidence is a document, which has no text.
            del typed["text"]
        fill(page, typed)
        if "submit" in kinds:
            field(page, "submit").set_checked(False)
        expect(page.get_by_role("button", name="Test", exact=True)).to_be_enabled()
        WAYS[way](copied(explorer, way), sandbox)
        sent = sandbox.journal(operation=operation.id)[-1]
        assert sent["status"] < 300, sent["answer_summary"]
        compare(copied(explorer, "HTTP"), sent, way)
