"""The page *Disputes*, as a person uses it."""

from __future__ import annotations

from playwright.sync_api import FrameLocator, Locator, expect

from tests.e2e.person import Person
from tests.harness.accessibility import barriers

WIDTHS = {1440: 1000, 768: 1000, 390: 844}
# Milliseconds for Airflow to schedule the tasks of several reviews, whatever else the machine does.
_MOVING_ON = 300_000
_THEME = """theme => {
  document.documentElement.classList.remove("light", "dark");
  document.documentElement.classList.add(theme);
  document.documentElement.style.colorScheme = theme;
}"""


class Desk:
    """Opened from Airflow's navigation.

    :ivar used: how many clicks and keys the person has needed.
    """

    def __init__(self, person: Person, used: int = 0, *, go: bool = True) -> None:
        self.person = person
        self.used = used
        if go:
            person.page.goto("/")
            self.click(person.page.get_by_role("link", name="Disputes", exact=True))

    @property
    def frame(self) -> FrameLocator:
        return self.person.page.frame_locator("iframe")

    def inbox(self) -> Locator:
        """Open the inbox; return its table."""
        self.frame.get_by_role("link", name="Inbox").click()
        table = self.frame.get_by_role("table")
        expect(table).to_be_visible()
        return table

    def row(self, dispute: str) -> Locator:
        return self.frame.get_by_label("Disputes to decide").get_by_role("link").filter(has_text=dispute)

    def open(self, dispute: str) -> None:
        """Select a dispute, and wait for its evidence."""
        self.click(self.row(dispute))
        self.shows(dispute)

    def shows(self, dispute: str) -> None:
        evidence = self.frame.get_by_role("main", name="Evidence")
        expect(evidence.get_by_text(dispute).first).to_be_visible()
        expect(evidence.get_by_text("exactly the evidence that will be submitted")).to_be_visible()

    def current(self) -> str:
        """Return the dispute that is shown."""
        group = self.frame.get_by_role("group", name="Decision about")
        name = group.get_attribute("aria-label")
        assert name
        return name.removeprefix("Decision about ")

    def loaded(self) -> None:
        """Wait until the evidence of the dispute is shown."""
        expect(self.frame.get_by_role("main", name="Evidence").get_by_text("Last updated")).to_be_visible()

    def shows_text(self, text: str) -> None:
        expect(self.frame.get_by_role("main", name="Evidence").get_by_text(text).first).to_be_visible()

    def decided(self, count: int) -> None:
        """Wait until so many disputes are decided."""
        expect(self.frame.get_by_role("region", name="Answer")).to_contain_text(f"{count} of ")

    def click(self, what: Locator) -> None:
        self.used += 1
        what.click()

    def press(self, key: str) -> None:
        self.used += 1
        self.person.page.keyboard.press(key)

    def is_decided(self, dispute: str, choice: str) -> None:
        expect(self.row(dispute).get_by_text(f"{choice} ✓")).to_be_visible()

    def summary(self) -> Locator:
        """Open the summary."""
        self.click(self.frame.get_by_role("button", name="Respond…"))
        dialog = self.frame.get_by_role("dialog", name="Respond")
        expect(dialog).to_be_visible()
        return dialog

    def answered(self) -> None:
        """Wait until the tasks of all reviews have moved on."""
        heading = self.frame.get_by_role("heading", name="Answered in the last three days")
        expect(heading).to_be_visible(timeout=_MOVING_ON)

    def accessible(self) -> None:
        """Assert that the page has no serious barrier. Airflow's own page around it is not looked at."""
        frame = self.person.page.locator("iframe").element_handle().content_frame()
        assert frame
        assert not (found := barriers(frame)), found

    def shoot(self, name: str) -> None:
        """Keep a picture at each width, light and dark; none may have a serious barrier."""
        page = self.person.page
        for theme in ("light", "dark"):
            page.evaluate(_THEME, theme)
            for width, height in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                # Nothing is cut off at the right.
                overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert self.frame.locator("html").evaluate(overflow) == 0
                self.accessible()
                self.person.shoot(f"{name}-{width}-{theme}")
        page.evaluate(_THEME, "light")
        page.set_viewport_size({"width": 1440, "height": 1000})
