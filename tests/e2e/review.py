"""The form of a review, answered by clicking."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from demo.cases import disputes
from demo.dispute import DemoDispute
from tests.e2e.pages import box, choose, field
from tests.e2e.person import Person
from tests.harness.lab import Lab, Run


class Review:
    """A review that a user opened from the list of required actions.

    :param run: whose review it is; it is waited for until it can be answered.
    """

    def __init__(self, person: Person, run: Run) -> None:
        self.person = person
        self.run = run
        run.lab.wait_for_reviews(run)
        person.page.goto("/required_actions?response_received=false")
        row = person.page.get_by_role("row").filter(has_text=run.run_id)
        expect(row).to_contain_text("Response Required")
        row.get_by_role("link").first.click()
        expect(self.button).to_be_visible()

    @property
    def button(self) -> Locator:
        return self.person.page.get_by_role("button", name="Respond")

    def choose(self, *options: str) -> None:
        """Choose options, each by the words that only it has."""
        form = self.run.lab.ana.form(self.run.dag_id, self.run.run_id)
        assert form is not None
        for words in options:
            (option,) = [each for each in form["options"] if words in each]
            self.pick("Options", option)

    def offered(self, field: str, words: str) -> str:
        """Return the choice of a list that has these words."""
        form = self.run.lab.ana.form(self.run.dag_id, self.run.run_id)
        assert form is not None
        (choice,) = [each for each in form["params"][field]["schema"]["examples"] if words in each]
        return str(choice)

    def fill(self, label: str, text: str) -> None:
        field(self._form, label).fill(text)

    def pick(self, label: str, *values: str) -> None:
        """Choose values of one of the form's lists."""
        for value in values:
            choose(box(self._form, label), value)

    @property
    def _form(self) -> Locator:
        return self.person.page.locator("body")

    def respond(self) -> None:
        """Send the answer, and wait until the page confirms it."""
        self.button.click()
        expect(self.person.page.get_by_role("status").filter(has_text="response successful")).to_be_visible()


def contest(lab: Lab, dispute_id: str) -> tuple[DemoDispute, Run]:
    """One of the demo's disputes, made at the sandbox, and a run that contests it with its case file."""
    (dispute,) = [each for each in disputes() if each.id == dispute_id]
    dispute.write_case(lab.cases)
    lab.sandbox.create_dispute(id=dispute.id, **dispute.made)
    conf = {"conn_id": dispute.connection, "case_path": str(lab.cases / dispute.id / "case.yaml")}
    return dispute, lab.run(f"{dispute.provider}_dispute_evidence", conf, dispute.provider, dispute.id)
