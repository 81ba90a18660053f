from __future__ import annotations

import asyncio
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dispute_provider import MoovHook, StripeHook
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox, SandboxError
from dispute_provider.sandbox._app import SandboxApp


def staged(sandbox: Sandbox, api: str) -> str:
    evidence = {"customer_name": "Jo"} if api == "stripe" else {"receipt": "We sent it."}
    return str(sandbox.create_dispute(api=api, evidence=evidence)["id"])


# --- creating and editing disputes


def test_a_dispute_is_created_and_edited(sandbox: Sandbox, stripe: httpx.Client, moov: httpx.Client) -> None:
    made = sandbox.create_dispute(
        api="stripe",
        id="du_mine",
        amount=1,
        currency="eur",
        reason="general",
        status="warning_needs_response",
        due_by=2_000_000_000,
        brand="amex",
        network_reason_code="C08",
        metadata={"order": "7"},
        payment_method="klarna",
        evidence={"customer_name": "Jo", "receipt": {"filename": "r.pdf"}},
    )
    assert made["object"] == stripe.get("/disputes/du_mine").json() | {
        "intended_submission_method": "manual",
        "evidence_details": made["object"]["evidence_details"],
    }
    assert (made["id"], made["stage"], made["submissions"]) == ("du_mine", "inquiry", [])
    assert made["object"]["payment_method_details"]["klarna"]["reason_code"] == "C08"
    edited = sandbox.edit_dispute("du_mine", evidence={"customer_name": None, "product_description": "Socks"})
    assert set(edited["evidence"]) == {"receipt", "product_description"}
    file = stripe.get(f"/files/{edited['evidence']['receipt']}").json()
    assert (file["filename"], file["purpose"]) == ("r.pdf", "dispute_evidence")
    due = sandbox.edit_dispute("du_mine", due_in=60)["object"]["evidence_details"]["due_by"]
    assert due == int(sandbox.clock()) + 60
    assert sandbox.edit_dispute("du_mine", status="won")["status"] == "won"
    evidence = {"receipt": ["a", {"filename": "s.pdf"}], "cover-letter": "b"}
    other = sandbox.create_dispute(api="moov", evidence=evidence)
    assert [item["evidenceType"] for item in other["evidence"]] == ["receipt", "receipt", "cover-letter"]
    first = other["evidence"][0]["evidenceID"]
    edited = sandbox.edit_dispute(other["id"], remove=[first], evidence={"other": "c"}, phase="inquiry")
    assert [item.get("text") for item in edited["evidence"]] == [None, "b", "c"]
    assert edited["object"]["phase"] == "inquiry"
    assert [item["id"] for item in sandbox.disputes()] == ["du_mine", other["id"]]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"api": "paypal"},
        {"api": "stripe", "colour": "red"},
        {"api": "stripe", "status": "open"},
        {"api": "stripe", "evidence": {"colour": "red"}},
        {"api": "moov", "id": "x"},
        {"api": "moov", "phase": "x"},
        {"api": "moov", "evidence": {"png": "x"}},
    ],
)
def test_an_invalid_dispute_is_refused(sandbox: Sandbox, fields: dict[str, Any]) -> None:
    with pytest.raises(SandboxError):
        sandbox.create_dispute(**fields)
    assert sandbox.disputes() == []


def test_other_refusals(sandbox: Sandbox) -> None:
    identifier = staged(sandbox, "stripe")
    with pytest.raises(SandboxError, match="already exists"):
        sandbox.create_dispute(api="stripe", id=identifier)
    for ask in (
        lambda: sandbox.dispute("dp_unknown"),
        lambda: sandbox.edit_dispute(identifier, colour="red"),
        lambda: sandbox.settings(colour="red"),
        lambda: sandbox.settings(permissive=1),
        lambda: sandbox.settings(latency=True),
        lambda: sandbox.clock(colour="red"),
        lambda: sandbox.fault(effect="colour"),
        lambda: sandbox.fault(effect="status", colour="red"),
        lambda: sandbox.fault(effect="status", path="("),
        lambda: sandbox.fault(effect="redirect"),
    ):
        with pytest.raises(SandboxError):
            ask()
    assert sandbox.settings()["permissive"] is False
    assert sandbox.faults() == []


def test_the_clock(sandbox: Sandbox) -> None:
    assert sandbox.clock(set=1000) == 1000
    assert sandbox.clock(advance=5) == 1005
    running = sandbox.clock(frozen=False)
    assert running >= 1005
    assert sandbox.clock() > running


def test_reset_restores_a_new_sandbox(sandbox: Sandbox, stripe: httpx.Client) -> None:
    staged(sandbox, "stripe")
    sandbox.fault(effect="status")
    sandbox.settings(permissive=True)
    sandbox.reset()
    assert (sandbox.disputes(), sandbox.faults(), sandbox.journal()) == ([], [], [])
    assert sandbox.settings()["permissive"] is False


def test_control_requests_from_other_machines_are_refused() -> None:
    sent: list[Any] = []
    scope = {
        "type": "http", "method": "GET", "raw_path": b"/_sandbox/journal", "query_string": b"",
        "headers": [], "client": ("192.0.2.1", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(SandboxApp()(scope, receive, send))
    assert sent[0]["status"] == 403


# --- the journal


def test_the_journal_has_everything_except_keys(
    sandbox: Sandbox, stripe: httpx.Client, moov: httpx.Client
) -> None:
    identifier = sandbox.create_dispute(api="stripe")["id"]
    stripe.post(f"/disputes/{identifier}", data={"evidence[customer_name]": "Jö", "submit": "false"})
    stripe.post("/files", data={"purpose": "dispute_evidence"}, files={"file": ("r.pdf", b"%PDF-1", "a/b")})
    moov.get("/disputes?count=3")
    httpx.get(f"{sandbox.url}/elsewhere")
    update, upload, listed, elsewhere = sandbox.journal()
    assert update["seq"] == 1
    assert update["operation"] == "PostDisputesDispute"
    assert update["body"] == {"evidence": {"customer_name": "Jö"}, "submit": "false"}
    assert update["raw_body"] == "evidence%5Bcustomer_name%5D=J%C3%B6&submit=false"
    assert (update["status"], update["changed"], update["submitted"]) == (200, True, False)
    assert (update["dispute"], update["account"], update["fault"]) == (identifier, "acct_sandbox", None)
    assert update["request_id"].startswith("req_")
    assert update["headers"]["authorization"] == "Bearer …dbox"
    assert update["answer_summary"].startswith('{"id":"' + identifier)
    assert upload["body"]["file"]["length"] == 6
    assert upload["raw_body"].keys() == {"length", "sha256"}
    assert (listed["api"], listed["body"], listed["query"]) == ("moov", {"count": "3"}, "count=3")
    assert listed["headers"]["authorization"] == "Basic …blic"
    assert (elsewhere["operation"], elsewhere["status"]) == ("", 404)
    assert "sandbox_secret" not in str(sandbox.journal())
    assert [entry["seq"] for entry in sandbox.journal(operation="PostFiles", status=200)] == [2]
    sandbox.clear_journal()
    stripe.get("/account")
    assert [entry["seq"] for entry in sandbox.journal()] == [5]


# --- faults


@pytest.fixture(params=["stripe", "moov"])
def submit(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    """Return a submission to an API, and the number of submissions that it received."""
    client: httpx.Client = request.getfixturevalue(request.param)
    identifier = staged(sandbox, request.param)

    def send() -> httpx.Response:
        if request.param == "stripe":
            return client.post(f"/disputes/{identifier}", data={"submit": "true"})
        return client.post(f"/disputes/{identifier}/evidence/submit")

    def count() -> int:
        return len(sandbox.dispute(identifier)["submissions"])

    send.count = count  # type: ignore[attr-defined]  # one fixture instead of two
    return send


@pytest.mark.parametrize(
    ("fault", "error", "submitted"),
    [
        ({"effect": "drop-before"}, httpx.RemoteProtocolError, 0),
        ({"effect": "drop-after"}, httpx.RemoteProtocolError, 1),
        ({"effect": "reset"}, httpx.ReadError, 0),
        ({"effect": "reset", "after": True}, httpx.ReadError, 1),
        ({"effect": "truncate"}, httpx.RemoteProtocolError, 1),
    ],
)
def test_connections_end(
    sandbox: Sandbox, submit: Any, fault: dict[str, Any], error: type[Exception], submitted: int
) -> None:
    sandbox.fault(**fault)
    with pytest.raises(error):
        submit()
    assert submit.count() == submitted
    [entry] = sandbox.journal()
    assert (entry["fault"], entry["submitted"]) == (fault["effect"], bool(submitted))
    assert entry["status"] == (200 if fault["effect"] == "truncate" else None)


@pytest.mark.parametrize(("after", "submitted"), [(False, 0), (True, 1)])
def test_any_status(sandbox: Sandbox, submit: Any, after: bool, submitted: int) -> None:
    sandbox.fault(
        effect="status", status=504, after=after, headers={"Retry-After": "7"}, body={"a": 1}, name="x"
    )
    answer = submit()
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (504, {"a": 1}, "7")
    assert answer.headers.get("request-id") or answer.headers["x-request-id"]
    assert submit.count() == submitted
    sandbox.fault(effect="status", status=503)
    assert submit().content == b""
    assert [entry["fault"] for entry in sandbox.journal()] == ["x", "status"]


def test_faulty_answers(sandbox: Sandbox, submit: Any) -> None:
    sandbox.fault(effect="wrong-json")
    sandbox.fault(effect="wrong-json", body="{")
    sandbox.fault(effect="wrong-type")
    sandbox.fault(effect="redirect", to="http://elsewhere.invalid")
    assert isinstance(submit().json(), list)
    assert submit().text == "{"
    assert submit().headers["content-type"] == "text/html"
    moved = submit()
    assert moved.status_code == 307
    assert moved.headers["location"].startswith("http://elsewhere.invalid/")
    assert submit.count() == 1


def test_a_stored_500_of_an_api_without_keys_is_a_500(sandbox: Sandbox, submit: Any) -> None:
    sandbox.fault(effect="stored-500")
    assert submit().status_code == 500
    assert submit.count() == 0
    assert submit().status_code == 200


def test_delays(sandbox: Sandbox, submit: Any) -> None:
    sandbox.fault(effect="delay", seconds=0.05)
    sandbox.settings(latency=0.05)
    begun = time.monotonic()
    assert submit().status_code == 200
    assert time.monotonic() - begun >= 0.1
    sandbox.fault(effect="delay-after", seconds=0.05)
    begun = time.monotonic()
    submit()
    assert time.monotonic() - begun >= 0.1


def test_removing_a_rule_ends_its_delays(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{staged(sandbox, 'stripe')}"
    sandbox.fault(name="kept/back", effect="delay-after", seconds=60)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(stripe.get, path)
        while not sandbox.faults()[0]["spoilt"]:
            assert not answer.done()
        sandbox.remove_fault("kept/back")
        assert answer.result(10).status_code == 200
    assert sandbox.faults() == []
    with pytest.raises(SandboxError, match="'kept/back' does not exist"):
        sandbox.remove_fault("kept/back")


def test_which_requests_a_rule_affects(sandbox: Sandbox, stripe: httpx.Client, moov: httpx.Client) -> None:
    one, two = staged(sandbox, "stripe"), staged(sandbox, "stripe")

    def spoilt(path: str) -> str:
        answers = (stripe.get(path).status_code for _ in range(6))
        return "".join("x" if status == 500 else "." for status in answers)

    path = f"/disputes/{one}"
    assert sandbox.fault(effect="status", nth=2, times=3)["spoilt"] == 0
    assert spoilt(path) == ".xxx.."
    sandbox.clear_faults()
    sandbox.fault(effect="status", match={"dispute": two, "times": None})
    assert (spoilt(path), spoilt(f"/disputes/{two}")) == ("......", "xxxxxx")
    sandbox.clear_faults()
    sandbox.fault(effect="status", operation="GetAccount")
    sandbox.fault(effect="status", method="post")
    sandbox.fault(effect="status", api="moov")
    sandbox.fault(effect="status", account="acct_other")
    sandbox.fault(effect="status", path=r"/close$")
    assert spoilt(path) == "......"
    assert moov.get("/disputes").status_code == 500
    sandbox.clear_faults()
    patterns = []
    for _ in range(2):
        sandbox.fault(effect="status", probability=0.5, seed=7)
        patterns.append(spoilt(path))
        sandbox.clear_faults()
    assert patterns[0] == patterns[1]
    assert set(patterns[0]) == {"x", "."}


def test_the_rate_limit(sandbox: Sandbox, stripe: httpx.Client, moov: httpx.Client) -> None:
    sandbox.settings(rate_limit=3)
    answers = [stripe.get("/account", headers={"Idempotency-Key": "k"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].headers["retry-after"] == "1"
    assert answers[3].headers["stripe-rate-limited-reason"] == "global-rate"
    assert answers[3].json()["error"]["code"] == "rate_limit"
    assert sandbox.journal()[-1]["fault"] == "rate-limit"
    limited = [moov.get("/disputes") for _ in range(4)][-1]
    assert (limited.status_code, limited.content, limited.headers["retry-after"]) == (429, b"", "1")


def test_limits_for_endpoints_and_files(sandbox: Sandbox, stripe: httpx.Client) -> None:
    def refused(*paths: str) -> list[str | None]:
        answers = [stripe.get(path) for path in paths]
        return [answer.headers.get("stripe-rate-limited-reason") for answer in answers]

    sandbox.settings(endpoint_limit=2)
    assert refused("/account", "/account", "/account", "/disputes") == [None, None, "endpoint-rate", None]
    sandbox.settings(endpoint_limit=0, file_limit=1)
    assert refused("/files/a", "/files/a/contents", "/disputes") == [None, "endpoint-rate", None]


# --- as a process


def test_the_command_prints_its_address_and_stops() -> None:
    command = [sys.executable, "-m", "dispute_provider.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        answer = httpx.get(f"{url}/v1/account", auth=("sk_test_sandbox", ""))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert answer.status_code == 200


def test_it_prints_connections_that_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "dispute_provider.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        for line in lines[1:]:
            [export, setting] = shlex.split(line)
            assert export == "export"
            monkeypatch.setenv(*setting.split("=", 1))
        assert [hook.test_connection()[0] for hook in (StripeHook(), MoovHook())] == [True, True]
        process.terminate()


def test_it_imports_neither_airflow_nor_the_package_under_test() -> None:
    code = (
        "import sys, dispute_provider.sandbox.__main__;"
        "print([name for name in sys.modules if name.split('.')[0] == 'airflow'"
        " or name.startswith('dispute_provider.') and not name.startswith('dispute_provider.sandbox')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The package itself imports this module, which keeps its former paths.
    assert run.stdout.strip() in ("[]", "['dispute_provider._former_paths']")


def test_two_sandboxes_are_independent() -> None:
    with Sandbox() as one, Sandbox() as two:
        one.create_dispute(api="moov")
        assert (len(one.disputes()), len(two.disputes())) == (1, 0)
        url = f"{one.url}/accounts/{MOOV_ACCOUNT}/disputes"
        assert httpx.get(url, auth=("sandbox_public", "sandbox_secret")).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


# --- edited answers


def test_an_answer_is_edited_wherever_its_object_appears(sandbox: Sandbox, stripe: httpx.Client) -> None:
    odd = staged(sandbox, "stripe")
    other = staged(sandbox, "stripe")
    file = sandbox.edit_dispute(odd, evidence={"receipt": {"filename": "r.pdf"}})["evidence"]["receipt"]
    sandbox.odd(of=odd, remove=["/reason", "/nowhere/at/all"], set={"/evidence_details/due_by": None})
    sandbox.odd(of=file, set={"/size": "many"})
    alone = stripe.get(f"/disputes/{odd}", params={"expand[]": "evidence.receipt"}).json()
    assert "reason" not in alone
    assert alone["evidence_details"]["due_by"] is None
    assert alone["evidence"]["receipt"]["size"] == "many"
    listed = {item["id"]: item for item in stripe.get("/disputes").json()["data"]}
    assert "reason" not in listed[odd]
    assert listed[other]["reason"] == "fraudulent"
    assert "reason" in sandbox.dispute(odd)["object"]
    assert [each["of"] for each in sandbox.oddities()] == [odd, file]
    sandbox.clear_oddities()
    assert "reason" in stripe.get(f"/disputes/{odd}").json()


def test_an_item_of_a_list_and_a_body_are_edited(sandbox: Sandbox, moov: httpx.Client) -> None:
    broken = staged(sandbox, "moov")
    whole = staged(sandbox, "moov")
    [item] = sandbox.dispute(whole)["evidence"]
    sandbox.odd(of=broken, operation="listDisputes", set={"": "not a dispute"})
    sandbox.odd(of=item["evidenceID"], remove=["/evidenceType"])
    sandbox.odd(operation="getDispute", set={"/a~1b": [1], "/amount/value": None})
    assert moov.get("/disputes").json()[0] == "not a dispute"
    assert moov.get(f"/disputes/{broken}").json()["a/b"] == [1]
    assert moov.get(f"/disputes/{whole}").json()["amount"]["value"] is None
    assert "evidenceType" not in moov.get(f"/disputes/{whole}/evidence").json()[0]
    assert moov.get(f"/disputes/{whole[:-1]}x").status_code == 404


@pytest.mark.parametrize(
    "fields", [{"colour": "red"}, {"set": {"status": "won"}}, {"remove": ["a"]}, {"remove": [""]}]
)
def test_an_invalid_oddity_is_refused(sandbox: Sandbox, fields: dict[str, Any]) -> None:
    with pytest.raises(SandboxError):
        sandbox.odd(**fields)


def test_a_proxy_repeats_a_request_and_answers_with_its_last_answer(
    sandbox: Sandbox, stripe: httpx.Client, moov: httpx.Client
) -> None:
    disputes = {api: staged(sandbox, api) for api in ("stripe", "moov")}
    sandbox.fault(effect="repeat", method="POST", times=None)
    key = {"Idempotency-Key": "one"}
    first = stripe.post(f"/disputes/{disputes['stripe']}", data={"submit": "true"}, headers=key)
    second = moov.post(f"/disputes/{disputes['moov']}/evidence/submit")
    assert (first.status_code, first.headers["idempotent-replayed"]) == (200, "true")
    assert second.status_code == 409
    for api, operation in (("stripe", "PostDisputesDispute"), ("moov", "submitDisputeEvidence")):
        sent = sandbox.journal(operation=operation)
        assert [entry["submitted"] for entry in sent] == [True, False]
        assert len({entry["request_id"] for entry in sent}) == 2
        assert len(sandbox.dispute(disputes[api])["submissions"]) == 1
