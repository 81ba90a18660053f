"""The pages of Airflow that these tests use."""

from __future__ import annotations

import re
from urllib.parse import unquote

from playwright.sync_api import Locator, Page, expect

_RUN = re.compile(r"/runs/([^/?#]+)")


def choose(box: Locator, option: str) -> None:
    """Type into a list that opens, and take what it offers."""
    box.fill(option)
    box.page.get_by_role("option", name=option, exact=True).click()


def field(form: Locator, label: str) -> Locator:
    """The input under a label that Airflow has not tied to it."""
    return _group(form, label).locator("input, textarea").first


def box(form: Locator, label: str) -> Locator:
    """The list under a label, of which one value or several can be chosen."""
    return _group(form, label).get_by_role("combobox")


def _group(form: Locator, label: str) -> Locator:
    named = form.page.locator("label").filter(has_text=re.compile(rf"^{re.escape(label)}\s*\*?$"))
    return form.get_by_role("group").filter(has=named)


def section(form: Locator, name: str) -> None:
    """Unfold a section of a form; the one before it folds."""
    form.get_by_role("button", name=name, exact=True).click()


def trigger_form(page: Page, dag_id: str) -> Locator:
    """The form that starts a run."""
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_role("button", name="Trigger", exact=True)).to_be_enabled()
    return form


def trigger(form: Locator) -> str:
    """Start the run; its id, from the page that opens for it."""
    page = form.page
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(_RUN)
    found = _RUN.search(page.url)
    assert found
    return unquote(found[1])


def open_task(page: Page, dag_id: str, run_id: str, task: str) -> None:
    """From the run's page to one of its tasks."""
    page.goto(f"/dags/{dag_id}/runs/{run_id}")
    page.get_by_role("row").get_by_role("link", name=task, exact=True).click()
    expect(page.get_by_role("heading", name=task)).to_be_visible()
