"""Who is not logged in sees nothing of the evidence; who may only look cannot answer."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.person import Person
from tests.e2e.review import Review, contest
from tests.e2e.viewer import Viewer
from tests.harness.client import Client
from tests.harness.lab import Lab, Run

_VIEWER = "/dispute-evidence"


@pytest.fixture(scope="module")
def run(lab: Lab) -> Run:
    return contest(lab, "du_demo_course")[1]


@pytest.fixture(scope="module")
def data(lab: Lab, run: Run) -> list[str]:
    """The addresses at which the viewer shows data of this review."""
    lab.wait_for_reviews(run)
    (record,) = lab.ana.xcom(run.dag_id, run.run_id, "stage")
    (sha256,) = record["documents"].values()
    task = f"{_VIEWER}/dags/{run.dag_id}/runs/{run.run_id}/tasks/review/-1"
    document = f"{task}/documents/{sha256}"
    (shown,) = lab.ana.get(task)["disputes"]
    return [task, f"{task}/disputes/{shown['key']}", document, f"{document}/pages/1", f"{document}/original"]


def test_without_a_login_the_viewer_tells_nothing(
    data: list[str], person: Callable[..., Person], ana: Person, run: Run
) -> None:
    everything = [*data, *(f"{_VIEWER}/{name}" for name in ("view", "view.js", "view.css"))]
    stranger = person()
    assert {path: stranger.status(path) for path in everything} == dict.fromkeys(everything, 401)
    assert {path: ana.status(path) for path in everything} == dict.fromkeys(everything, 200)
    stranger.page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/review/plugin/evidence")
    expect(stranger.page.get_by_role("button", name="Sign in")).to_be_visible()
    stranger.shoot("g-stranger")


def test_who_may_only_look_cannot_answer(
    lab: Lab, run: Run, data: list[str], person: Callable[..., Person]
) -> None:
    vic = person("vic")
    review = Review(vic, run)
    review.choose("Submit")
    review.button.click()
    expect(vic.page.get_by_role("status").filter(has_text="Access Denied")).to_be_visible()
    vic.shoot("g-viewer-1-answer-denied")
    Viewer(vic).shows("You don't have permission to see this evidence")
    vic.shoot("g-viewer-2-evidence")
    assert {path: vic.status(path) for path in data} == dict.fromkeys(data, 403)

    client = Client(lab.airflow.url, "vic", lab.airflow.passwords["vic"])
    form = client.form(run.dag_id, run.run_id)
    assert form is not None
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        client.respond(run.dag_id, run.run_id, form["options"][:1], "")
    client.close()
    assert run.is_parked()
    assert not lab.submissions(run.dispute)


def test_the_reviewer_sees_what_a_colleague_has_written(run: Run, data: list[str], ana: Person) -> None:
    Review(ana, run)
    viewer = Viewer(ana)
    viewer.shows("Language course, twelve months, paid monthly. (Ben)")
    viewer.look_at("terms", "PDF")
    ana.shoot("g-reviewer-evidence", height=2000)
