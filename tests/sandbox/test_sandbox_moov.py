from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest
from moov_calls import (
    CLIENT,
    READ,
    WRITE,
    bearer,
    dispute_of,
    keeps_contract,
    token,
)

from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_MERCHANT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, Sandbox

# --- authentication


@pytest.mark.parametrize("header", ["Basic !", "Bearer x", "Basic c2FuZGJveF9wdWJsaWM6eA=="])
def test_unknown_credentials_are_401(sandbox: Sandbox, header: str) -> None:
    url = f"{sandbox.url}/accounts/{MOOV_ACCOUNT}/disputes"
    answer = httpx.get(url, headers={"Authorization": header})
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["x-request-id"]
    assert httpx.get(url).status_code == 401


def test_another_account_is_403(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    answer = moov.get(f"{sandbox.url}/accounts/{MOOV_MERCHANT}{path}")
    assert (answer.status_code, answer.content) == (403, b"")
    other = str(uuid.uuid4())
    sandbox.add_account(api="moov", id=other)
    assert moov.get(f"{sandbox.url}/accounts/{other}{path}").status_code == 404


def test_scopes_are_enforced(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/accounts/{MOOV_ACCOUNT}"
    path = f"{url}{dispute_of(sandbox)}"
    read, write = bearer(sandbox), bearer(sandbox, scope=WRITE)
    body = {"text": "x", "evidenceType": "receipt"}
    calls: list[tuple[str, str, int, dict[str, Any]]] = [
        ("GET", f"{url}/disputes", 200, {}),
        ("GET", path, 200, {}),
        ("GET", f"{path}/evidence", 200, {}),
        ("GET", f"{path}/evidence/x", 404, {}),
        ("GET", f"{path}/evidence/x/data", 404, {}),
        ("POST", f"{path}/evidence-text", 201, {"json": body}),
        ("POST", f"{path}/evidence-file", 400, {}),
        ("PATCH", f"{path}/evidence/x", 404, {}),
        ("DELETE", f"{path}/evidence/x", 404, {}),
        ("POST", f"{path}/evidence/submit", 200, {}),
        ("POST", f"{path}/accept", 409, {}),
    ]
    for method, address, status, extra in calls:
        right, wrong = (read, write) if method == "GET" else (write, read)
        assert httpx.request(method, address, headers=wrong, **extra).status_code == 403
        assert httpx.request(method, address, headers=right, **extra).status_code == status, address
    assert httpx.get(url, headers=read).status_code == 403
    profile = bearer(sandbox, scope=f"/accounts/{MOOV_ACCOUNT}/profile.read")
    assert httpx.get(url, headers=profile).json()["mode"] == "sandbox"
    assert httpx.get(f"{sandbox.url}/ping", headers=read).status_code == 200
    assert httpx.get(f"{sandbox.url}/ping").status_code == 401


@pytest.mark.parametrize("absolute", [True, False])
def test_tokens_expire_refresh_and_are_revoked(sandbox: Sandbox, absolute: bool) -> None:
    sandbox.settings(absolute_expiry=absolute, token_seconds=100)
    now = sandbox.clock()
    url = f"{sandbox.url}/accounts/{MOOV_ACCOUNT}/disputes"
    given = token(sandbox, scope=f"{READ} {WRITE}").json()
    assert given["expires_in"] == (int(now) + 100 if absolute else 100)
    assert set(given["scope"].split()) == {READ, WRITE}

    def status(access: str) -> int:
        return httpx.get(url, headers={"Authorization": f"Bearer {access}"}).status_code

    assert status(given["access_token"]) == 200
    assert status(given["refresh_token"]) == 401
    sandbox.clock(advance=100)
    assert status(given["access_token"]) == 401
    form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    keys = (MOOV_PUBLIC_KEY, MOOV_SECRET_KEY)
    fresh = httpx.post(f"{sandbox.url}/oauth2/token", data=form, auth=keys)
    assert status(fresh.json()["access_token"]) == 200
    assert httpx.post(f"{sandbox.url}/oauth2/token", data=form, auth=keys).status_code == 422
    body = {"token": fresh.json()["access_token"], **CLIENT}
    revoked = httpx.post(f"{sandbox.url}/oauth2/revoke", json=body)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert status(fresh.json()["access_token"]) == 401
    sandbox.settings(refresh_tokens=False)
    assert "refresh_token" not in token(sandbox).json()
    journal = json.dumps(sandbox.journal())
    assert MOOV_SECRET_KEY not in journal
    assert given["access_token"] not in journal


@pytest.mark.parametrize(
    ("fields", "status", "key"),
    [
        ({"client_secret": "x"}, 400, "error"),
        ({"grant_type": "password"}, 400, "error"),
        ({"colour": "red"}, 400, "error"),
        ({"scope": ""}, 422, "scope"),
        ({"scope": "transfers.read"}, 422, "scope"),
        ({"scope": READ.replace(MOOV_ACCOUNT, str(uuid.uuid4()))}, 422, "scope"),
        ({"grant_type": "refresh_token"}, 422, "refresh_token"),
    ],
)
def test_token_refusals(sandbox: Sandbox, fields: dict[str, str], status: int, key: str) -> None:
    answer = token(sandbox, **fields)
    assert (answer.status_code, list(answer.json())) == (status, [key])


def test_version_and_origin(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox)
    for version, status in (
        ("v2024.01.00", 200), ("latest", 200), ("v2026.07.01", 200),
        ("v2024.02.00", 404), ("2024.01.00", 404), ("", 404),
    ):  # fmt: skip
        assert moov.get(path, headers={"X-Moov-Version": version}).status_code == status, version
    sandbox.add_account(api="moov", id=MOOV_ACCOUNT, origin="https://shop.example")
    assert moov.get(path).status_code == 403
    assert moov.get(path, headers={"Origin": "https://shop.example"}).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"{"), ("application/json", b"[]"), ("text/plain", b"{}"),
     ("application/x-www-form-urlencoded", b"a=%ff")],
)  # fmt: skip
def test_a_bad_token_request_is_400(sandbox: Sandbox, content_type: str, body: bytes) -> None:
    for path in ("token", "revoke"):
        answer = httpx.post(
            f"{sandbox.url}/oauth2/{path}", content=body, headers={"Content-Type": content_type}
        )
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


# --- reading


def test_the_object_matches_the_contract(sandbox: Sandbox, moov: httpx.Client) -> None:
    path = dispute_of(sandbox, amount=99, networkReasonCode="13.1", merchant=str(uuid.uuid4()))
    answer = moov.get(path)
    keeps_contract(answer, "/{disputeID}", "get")
    assert answer.json()["amount"] == {"currency": "USD", "value": 99}
    assert "submittedOn" not in answer.json()
    missing = moov.get(f"/disputes/{uuid.uuid4()}")
    assert (missing.status_code, missing.content) == (404, b"")
    assert moov.put(path).status_code == 404


def test_lists(sandbox: Sandbox, moov: httpx.Client) -> None:
    merchant = str(uuid.uuid4())
    transfers = [str(uuid.uuid4()) for _ in range(4)]
    ids = [
        dispute_of(sandbox, created=1000 + n, due_by=2e9 + n, transfer=transfers[n])[10:] for n in range(3)
    ]
    ids.append(dispute_of(sandbox, created=500, merchant=merchant, cardholder=merchant, status="won",
                          transfer=transfers[3])[10:])  # fmt: skip

    def found(**query: Any) -> list[int]:
        answer = moov.get("/disputes", params=query)
        keeps_contract(answer, "", "get")
        return [ids.index(item["disputeID"]) for item in answer.json()]

    assert found() == [2, 1, 0, 3]
    assert found(skip=1, count=2) == [1, 0]
    assert found(skip=4) == []
    assert found(orderBy="createdOn") == [3, 0, 1, 2]
    assert (
        found(status="won") == found(merchantAccountID=merchant) == found(cardholderAccountID=merchant) == [3]
    )
    assert found(disputeIDs=f"{ids[0]},{ids[3]}") == [0, 3]
    assert found(transferIDs=f"{transfers[1]},x") == [1]
    assert found(startDateTime="1970-01-01T00:16:41Z") == [2, 1]
    assert found(endDateTime="1970-01-01T00:16:41+00:00") == [1, 0, 3]
    bounds = {
        "respondStartDateTime": "2033-05-18T03:33:20Z",
        "respondEndDateTime": "2033-05-18T03:33:22Z",
    }
    assert found(**bounds) == [1]


@pytest.mark.parametrize(
    "query",
    ["status=open", "count=0", "count=201", "skip=-1", "colour=red", "orderBy=colour", "count=1&count=2",
     "startDateTime=yesterday", "startDateTime=2026-11-22T00:00:00"],
)  # fmt: skip
def test_a_bad_query_is_400(moov: httpx.Client, query: str) -> None:
    answer = moov.get(f"/disputes?{query}")
    assert answer.status_code == 400
    keeps_contract(answer, "", "get")
