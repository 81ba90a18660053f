"""Fill in the form of an operation on the page *Explorer*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator, Page


def field(page: Page | FrameLocator, name: str) -> Locator:
    """Return a field by its name, which is a path such as ``evidence.customer_name``."""
    return page.locator(f'[id="field-{name}"]')


def fill(page: Page | FrameLocator, values: Mapping[str, str]) -> None:
    """Fill in the fields that the form has; sections that stand folded are opened."""
    for name, value in values.items():
        found = field(page, name)
        if not found.count():
            continue
        found.evaluate("each => each.closest('details')?.setAttribute('open', '')")
        if found.evaluate("each => each.tagName") == "SELECT":
            found.select_option(value)
        else:
            found.fill(value)
