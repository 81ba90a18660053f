"""A user of Airflow: their clicks, and screenshots of what they see."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Request, ViewportSize, expect

ARTIFACTS = Path(__file__).parent / "artifacts"
_SIZE: ViewportSize = {"width": 1440, "height": 1000}
# Milliseconds: two cores that also run an Airflow are slow at times.
PATIENCE = 60_000


class Person:
    """A user with a window of their own, logged in through Airflow's own page.

    :param name: of the user; empty for nobody.
    :param log_in: False for somebody who logs in later.
    """

    def __init__(
        self, browser: Browser, url: str, name: str, password: str = "", *, log_in: bool = True
    ) -> None:
        self.name = name or "anonymous"
        self.url = url
        # Requests to other hosts: Airflow's page makes none, and what it shows must not make any either.
        self.strayed: list[str] = []
        self._context = browser.new_context(
            base_url=url, viewport=_SIZE, locale="en-GB", timezone_id="Europe/Vienna", accept_downloads=True
        )
        self._context.set_default_timeout(PATIENCE)
        self._context.on("request", self._watch)
        self.page: Page = self._context.new_page()
        self._password = password
        if name and log_in:
            self.page.goto("/auth/login")
            self.log_in()
            expect(self.page.get_by_role("link", name="Dags", exact=True)).to_be_visible()

    def log_in(self, *, by_key: bool = False) -> None:
        """Fill in the page for the login that is open."""
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(self._password)
        if by_key:
            self.page.keyboard.press("Enter")
        else:
            self.page.get_by_role("button", name="Sign in").click()

    def end_session(self) -> None:
        """Have Airflow no longer know this person."""
        self._context.clear_cookies()

    def open_window(self) -> None:
        """A new window instead of the one before."""
        self.page.close()
        self.page = self._context.new_page()

    def status(self, path: str) -> int:
        """How an address answers to this person's browser."""
        return self._context.request.get(path).status

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.strayed.append(request.url)

    def shoot(self, name: str, *, height: int = 0, around: Locator | None = None) -> None:
        """Keep a picture of the page.

        :param height: of a window that is high enough, where a person would scroll.
        :param around: what has to be in it.
        """
        ARTIFACTS.mkdir(exist_ok=True)
        if height:
            self.page.set_viewport_size({"width": _SIZE["width"], "height": height})
        if around:
            around.scroll_into_view_if_needed()
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")
        if height:
            self.page.set_viewport_size(_SIZE)

    def leave(self) -> None:
        self._context.close()
