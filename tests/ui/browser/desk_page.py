"""The page *Disputes*, and what can happen to a review while it is open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parking import park
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Route, expect
from viewing import DAG, PREFIX, Site, Staged, signed

from dispute_provider._evidence.record import State
from dispute_provider._workflow.reviewing import review as reviewing
from tests.harness.accessibility import barriers

# Texts that stand for nothing, which a script has taken for something to show.
_NOTHING = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) found.push(texts.currentNode.data.trim());
  return found.filter((text) => ["null", "undefined", "NaN"].includes(text));
}"""
WIDTHS = {2400: 1300, 1440: 900, 768: 1000, 390: 844, 318: 760}
PICTURES = Path(__file__).parent / "artifacts"
# Requests that Airflow refuses are logged by the browser; the page says it in its own words.
_REFUSED = "Failed to load resource"


class DeskPage:
    """The page in a window of its own.

    :ivar strayed: the addresses of requests to other hosts.
    :ivar errors: what the browser logged as errors: scripts that failed or were blocked.
    :ivar answers: the answers that the page sent to reviews.
    """

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.strayed: list[str] = []
        self.errors: list[str] = []
        self.answers: list[Any] = []
        page.on("request", self._watch)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._read)

    def _watch(self, request: Request) -> None:
        # The address of the page itself is known once it has loaded.
        origin = request.frame.url.split("/dispute-evidence", 1)[0]
        loaded = origin.startswith("http") and request.url.startswith("http")
        if loaded and not request.url.startswith(origin):
            self.strayed.append(request.url)
        if request.method == "PATCH":
            self.answers.append(request.post_data_json)

    def _read(self, message: ConsoleMessage) -> None:
        if message.type == "error" and _REFUSED not in message.text:
            self.errors.append(message.text)

    def open(self, place: str = "review") -> None:
        self.page.goto(f"{PREFIX}/desk#{place}")
        expect(self.page.get_by_role("link", name=re.compile(r"Review \d"))).to_be_visible()
        if place == "review":
            expect(self.page.get_by_role("complementary", name="Decision")).to_contain_text(" of ")

    def decide(self, *keys: str) -> None:
        """Decide about the disputes one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def decided(self, count: int) -> None:
        expect(self.page.get_by_role("region", name="Answer")).to_contain_text(f"{count} of ")

    def summary(self) -> Locator:
        self.page.get_by_role("button", name="Respond…").click()
        dialog = self.page.get_by_role("dialog", name="Respond")
        expect(dialog).to_be_visible()
        return dialog

    def says(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def is_accessible(self, name: str) -> None:
        """Assert that the place is whole and without a serious barrier at each width, light and dark.

        :param name: of the pictures that are kept of it.
        """
        assert self.page.evaluate(_NOTHING) == []
        found: set[str] = set()
        for theme in ("light", "dark"):
            self.page.evaluate("theme => document.documentElement.className = theme", theme)
            for width, height in WIDTHS.items():
                self.page.set_viewport_size({"width": width, "height": height})
                self.page.screenshot(path=PICTURES / f"page-{name}-{width}-{theme}.png")
                overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert self.page.evaluate(overflow) == 0, (width, theme)
                found |= {f"{width} {theme} {each}" for each in barriers(self.page)}
        assert not found, "\n".join(sorted(found))

    @contextmanager
    def before_the_answer(self, happens: Any) -> Iterator[None]:
        """Have something happen between the page's last check and its answer."""

        def route(route: Route) -> None:
            happens()
            route.continue_()

        self.page.route("**/hitlDetails", route)
        yield
        self.page.unroute("**/hitlDetails")

    def kept(self) -> int:
        """Return how many choices the browser keeps."""
        stored = self.page.evaluate("() => Object.values(localStorage)")
        found = [json.loads(each) for each in stored if '"choices"' in each]
        return sum(len(each["choices"]) for each in found)


class Parked:
    """A review of disputes, and what can happen to it."""

    def __init__(self, site: Site, *staged: Staged) -> None:
        self.site = site
        self.staged = staged
        park(site, *staged)

    def clear(self) -> None:
        """Have it open again, with the same evidence."""
        self._forget()
        park(self.site, *self.staged)

    def stage_again(self) -> None:
        """Have it open again, with evidence of the first dispute that a colleague has changed."""
        from msgspec.structs import replace

        self._forget()
        first, *others = self.staged
        first.edit(customer_name="Someone Else")
        digest = first.read().digest(first.record.documents)
        park(self.site, Staged(replace(first.record, digest=digest), first.hook), *others)

    def fail(self) -> None:
        self._update(state="failed")

    def time_out(self) -> None:
        """Have it end without an answer, as the task does it itself."""
        held = [each.record.ended(State.HELD, "no answer in time; nothing was sent") for each in self.staged]
        self.site.returns("review", signed(*held, scope=f"{DAG}/{self.site.run_id}"))
        self._update(state="success", next_kwargs=None)

    def answer_elsewhere(self, user: str = "ada") -> None:
        """Have a user answer it in Airflow's own form, by default another one."""
        option = self._detail().options[0]
        path = f"/api/v2/dags/{DAG}/dagRuns/{self.site.run_id}/taskInstances/review/-1/hitlDetails"
        answer = {"chosen_options": [option], "params_input": {}}
        assert self.site.client(user).patch(path, json=answer).status_code == 200

    def delete(self) -> None:
        path = f"/api/v2/dags/{DAG}/dagRuns/{self.site.run_id}"
        assert self.site.client("ada").delete(path).is_success

    def resume(self) -> None:
        """Have the task go on with its answer, as a worker does it."""
        form = self._detail()
        records = [each.record for each in self.staged]
        decided = reviewing.decide(records, form.chosen_options, form.params_input)
        assert not isinstance(decided, str), decided
        ends = {"submit": State.APPROVED, "concede": State.APPROVED, "reject": State.REJECTED}
        after = [
            each.ended(ends.get(decided[each.dispute].action, State.HELD), decided[each.dispute].reason)
            for each in records
        ]
        self.site.returns("review", signed(*after, scope=f"{DAG}/{self.site.run_id}"))
        self._update(state="success", next_kwargs=None)

    def is_answered(self) -> bool:
        form = self._detail()
        return form is not None and form.responded_at is not None

    def _detail(self) -> Any:
        from airflow.models.hitl import HITLDetail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session(scoped=False) as session:
            return session.scalar(
                select(HITLDetail)
                .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
                .where(TaskInstance.run_id == self.site.run_id, TaskInstance.dag_id == DAG)
            )

    def _forget(self) -> None:
        """Clear the task: it gets another id, and its question is gone."""
        import uuid

        from airflow.models.hitl import HITLDetail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        detail = self._detail()
        with create_session() as session:
            session.execute(delete(HITLDetail).where(HITLDetail.ti_id == detail.ti_id))
        self._update(id=uuid.uuid4(), try_number=TaskInstance.try_number + 1, state=None)

    def _update(self, **values: Any) -> None:
        self.site._update("review", **values)
