"""Find what keeps people from a page who cannot see it or use a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

_GRAVE = ("serious", "critical")


def barriers(page: Page | Frame) -> list[str]:
    """Return the serious and critical violations that axe-core finds on a page, each with its places."""
    # A frame runs scripts as a page does.
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:150] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in _GRAVE
    ]
