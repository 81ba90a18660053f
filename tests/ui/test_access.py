"""Only those with permission see evidence, and every answer restricts the browser."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace
from parking import park
from test_inbox import leave_list, sweep
from viewing import DAG, ELSEWHERE, PREFIX, RECEIPT, Site, Staged

from dispute_provider import _ui
from dispute_provider._evidence.record import State
from dispute_provider._state import evidence_store
from dispute_provider._ui.access import HEADERS
from dispute_provider._ui.app import create
from dispute_provider._workflow.listing import NO_CASE_FOUND

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
STATIC = {
    file.name.removesuffix(".html"): _MEDIA_TYPES[file.suffix[1:]]
    for file in (Path(_ui.__file__).parent / "static").iterdir()
}
_RUN = "/dags/{dag_id}/runs/{run_id}"
_CASES, _REQUESTS = "/dags/{dag_id}/cases", "/dags/{dag_id}/requests"
# What the routes that prepare something are asked, by path.
_BODIES: dict[str, Any] = {
    _CASES: {"values": {"customer_name": "Robin Larsen"}},
    _REQUESTS: {"operation": "GetDisputes", "conn_id": "stripe_default", "values": {}},
}
_TASK = f"{_RUN}/tasks/{{task_id}}/{{map_index}}"
# The desk's lists: they show each user the reviews that they may answer.
LISTS = ("reviews", "openings", "answered", "inbox")
# A file next to the store, which no request may reach.
SECRET = "a secret"


@pytest.fixture
def staged(shipped_dags: None, site: Site, stage_one: Callable[..., Staged], store: Path) -> Staged:
    (store.parent / "secret").write_text(SECRET)
    staged = stage_one()
    site.returns("stage", staged.shown)
    park(site, staged)
    without = replace(staged.record.ended(State.HELD, NO_CASE_FOUND), digest=None)
    sweep(site, "stripe_default", without, without=(without.dispute,))
    return staged


def addresses(site: Site, staged: Staged) -> dict[str, str]:
    """Return an address for each route that shows data of a task or a run, by the route's path."""
    from dispute_provider._ui.records import key_of

    task, sha256 = site.address("stage"), staged.sha256
    return {
        _TASK: task,
        f"{_TASK}/disputes/{{key}}": f"{task}/disputes/{key_of(staged.record)}",
        f"{_TASK}/documents/{{sha256}}": f"{task}/documents/{sha256}",
        f"{_TASK}/documents/{{sha256}}/pages/{{page}}": f"{task}/documents/{sha256}/pages/1",
        f"{_TASK}/documents/{{sha256}}/original": f"{task}/documents/{sha256}/original",
        f"{_TASK}/form": f"{site.address('review')}/form",
        f"{_RUN}/progress": f"{PREFIX}/dags/{DAG}/runs/{quote(site.run_id, safe='')}/progress",
    }


def calls(site: Site, staged: Staged) -> dict[tuple[str, str], str]:
    """Return an address for each route that shows data, by its path and method."""
    query = f"connection=stripe_default&dispute={staged.record.dispute}"
    case = f"{PREFIX}/dags/stripe_dispute_evidence/cases?{query}"
    return {
        **{(path, "GET"): address for path, address in addresses(site, staged).items()},
        (_CASES, "GET"): case,
        (_CASES, "POST"): case,
        (_REQUESTS, "POST"): f"{PREFIX}/dags/stripe_request/requests",
    }


def ask(client: Any, calls: dict[tuple[str, str], str]) -> dict[tuple[str, str], Any]:
    """Return the answer of each route."""
    return {
        (path, method): client.request(method, address, json=_BODIES[path] if method == "POST" else None)
        for (path, method), address in calls.items()
    }


def statuses(answers: dict[tuple[str, str], Any]) -> dict[tuple[str, str], int]:
    return {route: answer.status_code for route, answer in answers.items()}


def routes(app: Any) -> Iterator[Any]:
    for route in app.routes:
        yield from routes(route.original_router) if hasattr(route, "original_router") else [route]


def test_the_routes_looked_at_here_are_all_that_there_are(site: Site, staged: Staged) -> None:
    paths = {(route.path, *route.methods) for route in routes(create()._app)}
    public = {(f"/{name}", "GET") for name in ("{name}", *LISTS, "explorer", "explorer/{api}/{operation_id}")}
    assert paths == calls(site, staged).keys() | public


def test_those_who_may_answer_a_review_see_its_evidence(site: Site, staged: Staged) -> None:
    for user in ("ada", "oda", "ana"):
        client = site.client(user)
        answers = ask(client, calls(site, staged))
        assert statuses(answers) == dict.fromkeys(answers, 200)
        assert answers[f"{_TASK}/documents/{{sha256}}/original", "GET"].content == RECEIPT
        assert "Robin Larsen" in answers[f"{_TASK}/disputes/{{key}}", "GET"].text
        assert staged.record.dispute in client.get(f"{PREFIX}/reviews").text


@pytest.mark.parametrize(
    ("user", "status"),
    [(None, 401), ("vic", 403), ("bob", 403)],
    ids=["without a login", "a viewer", "a user of another DAG"],
)
def test_others_see_nothing(site: Site, staged: Staged, user: str | None, status: int) -> None:
    answers = ask(site.client(user), calls(site, staged))
    assert statuses(answers) == dict.fromkeys(answers, status)
    for answer in answers.values():
        assert staged.record.dispute not in answer.text
        assert answer.json().keys() == {"detail"}


def test_of_a_forged_record_every_route_shows_no_more_than_its_names(site: Site, staged: Staged) -> None:
    addresses = calls(site, staged)
    [record] = staged.shown
    forged = [{**record, "account": "acct_forged", "reason": NO_CASE_FOUND}]
    site.returns("stage", forged)
    site.waits("review", {"records": forged, "others": []})
    leave_list(site, "stripe_default", forged, without=(staged.record.dispute,))
    answers = ask(site.client("ana"), addresses)
    refused = {route for route, status in statuses(answers).items() if status == 404}
    assert refused == {
        *((path, "GET") for path, _ in addresses if "{key}" in path or "{sha256}" in path),
        (_CASES, "GET"),
        (_CASES, "POST"),
    }
    lists = {name: site.client("ana").get(f"{PREFIX}/{name}") for name in LISTS}
    for answer in (*answers.values(), *lists.values()):
        assert answer.status_code in (200, 404)
        assert "Robin Larsen" not in answer.text
        assert "acct_forged" not in answer.text
    assert all(staged.sha256 not in answer.text for answer in answers.values())
    assert staged.record.dispute in lists["inbox"].text


def test_every_route_tells_a_page_that_it_is_stale(site: Site, staged: Staged) -> None:
    """What the page knows of a run that was deleted meanwhile is not found."""
    addresses = calls(site, staged)
    for dag in (DAG, ELSEWHERE):
        assert site.client("ada").delete(f"/api/v2/dags/{dag}/dagRuns/{site.run_id}").is_success
    answers = ask(site.client("ana"), addresses)
    # A request that is prepared is about no run.
    assert answers.pop((_REQUESTS, "POST")).status_code == 200
    assert statuses(answers) == dict.fromkeys(answers, 404)
    for name in LISTS:
        assert site.run_id not in site.client("ana").get(f"{PREFIX}/{name}").text


def test_what_was_staged_again_is_not_found_by_what_a_page_knew(
    site: Site, staged: Staged, stage_one: Callable[..., Staged]
) -> None:
    before = addresses(site, staged)
    site.returns("stage", stage_one(document=RECEIPT + b"\n").shown)
    for path, address in before.items():
        gone = "{key}" in path or "{sha256}" in path
        assert site.client("ana").get(address).status_code == (404 if gone else 200), path


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("vic", 200), ("bob", 200)])
def test_the_lists_leave_out_what_a_user_may_not_answer(
    site: Site, staged: Staged, user: str | None, status: int
) -> None:
    for name in LISTS:
        answer = site.client(user).get(f"{PREFIX}/{name}")
        assert answer.status_code == status
        assert staged.record.dispute not in answer.text
        assert site.run_id not in answer.text


def test_a_user_of_another_dag_may_use_the_viewer_there(site: Site, staged: Staged) -> None:
    site.returns("stage", staged.shown, dag=ELSEWHERE)
    client = site.client("bob")
    assert client.get(site.address("stage", dag=ELSEWHERE)).status_code == 200
    assert client.get(site.address("stage")).status_code == 403


@pytest.mark.parametrize("header", ["Bearer forged", "Bearer", "Basic YWRhOnNlY3JldCBvZiBhZGE="])
def test_a_forged_login_is_none(site: Site, staged: Staged, header: str) -> None:
    for address in (*addresses(site, staged).values(), f"{PREFIX}/view"):
        assert site.client(None).get(address, headers={"Authorization": header}).status_code in (401, 403)


def test_a_forged_cookie_is_no_login(site: Site, staged: Staged) -> None:
    client = site.client(None)
    client.cookies.set("_token", site.tokens["ana"][:-4] + "AAAA")
    for address in (*addresses(site, staged).values(), f"{PREFIX}/view"):
        assert client.get(address).status_code in (401, 403)


@pytest.mark.parametrize("name", STATIC)
def test_the_page_says_nothing_and_asks_for_a_login_all_the_same(site: Site, name: str) -> None:
    assert site.client(None).get(f"{PREFIX}/{name}").status_code == 401
    assert site.client("vic").get(f"{PREFIX}/{name}").status_code == 200


def test_only_documents_of_the_task_that_is_looked_at(
    site: Site, staged: Staged, stage_one: Callable[..., Staged]
) -> None:
    other = stage_one(document=RECEIPT + b"\n")
    site.returns("nothing", other.shown)
    assert evidence_store.put(b"of no task") == hashlib.sha256(b"of no task").hexdigest()
    client = site.client("ada")
    here = site.address("stage")
    for sha256 in (other.sha256, hashlib.sha256(b"of no task").hexdigest(), "0" * 64):
        for end in ("", "/pages/1", "/original"):
            answer = client.get(f"{here}/documents/{sha256}{end}")
            assert answer.status_code == 404
            assert answer.json() == {"detail": "Document not found in this task."}
    assert client.get(f"{site.address('nothing')}/documents/{other.sha256}").status_code == 200


def test_only_documents_of_the_run_the_dag_and_the_map_index(site: Site, staged: Staged) -> None:
    site.returns("mapped", staged.shown, map_index=1)
    client = site.client("ada")
    document = f"documents/{staged.sha256}"
    assert client.get(f"{site.address('mapped', map_index=1)}/{document}").status_code == 200
    for elsewhere in (
        site.address("mapped", map_index=0),
        site.address("mapped"),
        site.address("stage", dag=ELSEWHERE),
        site.address("stage").replace(quote(site.run_id), "another"),
    ):
        assert client.get(f"{elsewhere}/{document}").status_code == 404


TRICKS = [
    *(
        "..",
        "../secret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "..%2fsecret",
        "..%2f..%2fsecret",
        "....//secret",
    ),
    *(
        "%252e%252e%252fsecret",
        "..\\secret",
        "%5c..%5csecret",
        "secret%00",
        "~",
        "*",
        "%25",
        "'%20OR%201=1--",
    ),
    *("/etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "A" * 64, "0" * 63, "0" * 65, "é" * 64),
    *("0" * 64 + "%0a", "0" * 64 + "/.."),
]


def test_no_path_leads_anywhere_else(site: Site, staged: Staged) -> None:
    task = site.address("stage")
    for trick, address in itertools.product(
        TRICKS,
        (
            f"{task}/documents/<>",
            f"{task}/documents/<>/original",
            f"{task}/documents/{staged.sha256}/pages/<>",
            f"{task}/disputes/<>",
            site.address("<>"),
            site.address("stage", dag="<>"),
            site.address("stage", map_index="<>"),
            f"{PREFIX}/dags/{DAG}/runs/<>/tasks/stage/-1",
            f"{site.address('<>')}/form",
            f"{PREFIX}/dags/<>/runs/{site.run_id}/progress",
            f"{PREFIX}/<>",
        ),
    ):
        status, body = site.get_as_it_stands(address.replace("<>", trick), "ada")
        assert status in (404, 422), (trick, address)
        assert SECRET.encode() not in body
        assert b"root:" not in body


@pytest.mark.parametrize("dag", ["~", "", "%7e"])
def test_no_way_to_ask_about_no_dag_in_particular(site: Site, staged: Staged, dag: str) -> None:
    for user in ("bob", "ada"):
        answer = site.client(user).get(f"{site.address('stage', dag=dag)}?dag_id={ELSEWHERE}")
        assert answer.status_code in (403, 404, 422)


def test_a_dag_in_the_query_does_not_stand_for_the_one_in_the_path(site: Site, staged: Staged) -> None:
    assert site.client("bob").get(f"{site.address('stage')}?dag_id={ELSEWHERE}").status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(site: Site, staged: Staged, method: str) -> None:
    for address in (*addresses(site, staged).values(), f"{PREFIX}/view"):
        assert site.client("ada").request(method, address).status_code == 405


@pytest.mark.parametrize("name", ["docs", "redoc", "openapi.json", "static", "..%2fapp.py"])
def test_it_does_not_describe_itself(site: Site, name: str) -> None:
    assert site.client("ada").get(f"{PREFIX}/{name}").status_code == 404


def test_every_answer_keeps_a_browser_strict(site: Site, staged: Staged) -> None:
    (task, *_) = addresses(site, staged).values()
    others = [
        f"{PREFIX}/view",
        f"{PREFIX}/no-such-page",
        f"{task}/documents/x",
        f"{task}/documents/{'0' * 64}",
    ]
    for user in (None, "vic", "ada"):
        for address in (*addresses(site, staged).values(), *others):
            headers = site.client(user).get(address).headers
            assert {name: headers.get(name) for name in HEADERS} == HEADERS, (user, address)
    assert (
        site.client("ada").post(task).headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    )


def test_the_policy_allows_nothing_but_our_own_files() -> None:
    directives = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Referrer-Policy"] == "no-referrer"


def test_content_types_are_ours_and_no_document_s(site: Site, staged: Staged) -> None:
    client = site.client("ada")
    types = {end: client.get(a).headers["content-type"] for end, a in addresses(site, staged).items()}
    assert types == {
        _TASK: "application/json",
        f"{_TASK}/disputes/{{key}}": "application/json",
        f"{_TASK}/documents/{{sha256}}": "application/json",
        f"{_TASK}/documents/{{sha256}}/pages/{{page}}": "image/png",
        f"{_TASK}/documents/{{sha256}}/original": "application/octet-stream",
        f"{_TASK}/form": "application/json",
        f"{_RUN}/progress": "application/json",
    }
    static = {name: client.get(f"{PREFIX}/{name}").headers["content-type"] for name in STATIC}
    assert static == STATIC
    assert {"view", "desk", "view.js", "desk.js", "desk.css"} <= STATIC.keys()
