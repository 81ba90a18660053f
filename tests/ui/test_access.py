"""Only those with permission see evidence, and every answer restricts the browser."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from parking import park
from viewing import DAG, ELSEWHERE, PREFIX, RECEIPT, Site, Staged

from dispute_provider import _ui
from dispute_provider._state import evidence_store
from dispute_provider._ui.access import HEADERS
from dispute_provider._ui.app import create

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
_TASK = f"{_RUN}/tasks/{{task_id}}/{{map_index}}"
# The desk's lists: they show each user the reviews that they may answer.
LISTS = ("reviews", "openings", "answered", "inbox")
# A file next to the store, which no request may reach.
SECRET = "a secret"


@pytest.fixture
def staged(site: Site, stage_one: Callable[..., Staged], store: Path) -> Staged:
    (store.parent / "secret").write_text(SECRET)
    staged = stage_one()
    site.returns("stage", staged.shown)
    park(site, staged)
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


def routes(app: Any) -> Iterator[Any]:
    for route in app.routes:
        yield from routes(route.original_router) if hasattr(route, "original_router") else [route]


def test_the_routes_looked_at_here_are_all_that_there_are(site: Site, staged: Staged) -> None:
    paths = {(route.path, *route.methods) for route in routes(create()._app)}
    expected = {(path, "GET") for path in addresses(site, staged)}
    public = {(f"/{name}", "GET") for name in ("{name}", *LISTS, "explorer", "explorer/{api}/{operation_id}")}
    # Those of the explorer are looked at in test_explorer.py.
    assert paths == expected | public | {("/dags/{dag_id}/requests", "POST")}


def test_those_who_may_answer_a_review_see_its_evidence(site: Site, staged: Staged) -> None:
    for user in ("ada", "oda", "ana"):
        client = site.client(user)
        answers = {end: client.get(address) for end, address in addresses(site, staged).items()}
        assert {end: answer.status_code for end, answer in answers.items()} == dict.fromkeys(answers, 200)
        assert answers[f"{_TASK}/documents/{{sha256}}/original"].content == RECEIPT
        assert "Robin Larsen" in answers[f"{_TASK}/disputes/{{key}}"].text
        assert staged.record.dispute in client.get(f"{PREFIX}/reviews").text


@pytest.mark.parametrize(
    ("user", "status"),
    [(None, 401), ("vic", 403), ("bob", 403)],
    ids=["without a login", "a viewer", "a user of another DAG"],
)
def test_others_see_nothing(site: Site, staged: Staged, user: str | None, status: int) -> None:
    client = site.client(user)
    for address in addresses(site, staged).values():
        answer = client.get(address)
        assert answer.status_code == status, address
        assert staged.record.dispute not in answer.text
        assert answer.json().keys() == {"detail"}


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
