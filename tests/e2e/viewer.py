"""The tab *Evidence* at a task, as a person looks at it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import FrameLocator, Locator, expect

from tests.e2e.person import Person

_DRAWN = "image => image.decode().then(() => image.naturalWidth)"


class Viewer:
    """Opened from the page of a task that the person is on."""

    def __init__(self, person: Person) -> None:
        self.person = person
        person.page.get_by_role("link", name="Evidence", exact=True).click()
        self.frame: FrameLocator = person.page.frame_locator("iframe")

    def leave(self) -> None:
        """Back to the form of the review."""
        self.person.page.get_by_role("link", name="Required Action").click()

    def shows(self, text: str) -> None:
        expect(self.frame.get_by_text(text).first).to_be_visible()

    def choose(self, dispute: str) -> None:
        """Select one of several disputes from the list."""
        self.frame.get_by_role("navigation").get_by_role("link").filter(has_text=dispute).click()
        expect(self.frame.get_by_role("main").get_by_text(dispute)).to_be_visible()

    def document(self, file: str) -> Locator:
        """The piece with a document, by the start of its file's name."""
        return self.frame.get_by_role("article").filter(has_text=f"{file}.")

    def look_at(self, file: str, kind: str) -> None:
        """Scroll to a document, until all its pages are drawn."""
        piece = self.document(file)
        expect(piece.get_by_role("banner").or_(piece.locator("header"))).to_contain_text(f"{kind} · 1 page")
        page = piece.get_by_role("img")
        page.scroll_into_view_if_needed()
        assert page.evaluate(_DRAWN) > 0

    def original(self, file: str) -> bytes:
        """Download a document."""
        with self.person.page.expect_download() as download:
            self.document(file).get_by_role("link", name="Download original").click()
        return Path(download.value.path()).read_bytes()
