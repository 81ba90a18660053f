"""The data of the page: its disputes, their comparison with the review, and untrusted texts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import steps
from msgspec.structs import replace
from papers import pdf
from support import Connect
from viewing import DAG, RECEIPT, Site, Staged, signed

from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Approval, Record, State
from dispute_provider._state import evidence_store
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._tasks import record_lists
from dispute_provider._tasks.signing import STAGED, Signer
from dispute_provider.hooks.stripe import StripeHook
from dispute_provider.sandbox import Sandbox

Stage = Callable[..., Staged]
PNG = b"\x89PNG\r\n\x1a\n"


def task(site: Site, name: str, **which: Any) -> Any:
    answer = site.client("ana").get(site.address(name, **which))
    assert answer.status_code == 200, answer.text
    return answer.json()


def disputes(site: Site, name: str) -> list[str]:
    return [each["dispute"] for each in task(site, name)["disputes"]]


def reading(site: Site, name: str, position: int = 0) -> Any:
    """What is on one of a task's disputes now."""
    key = task(site, name)["disputes"][position]["key"]
    answer = site.client("ana").get(f"{site.address(name)}/disputes/{key}")
    assert answer.status_code == 200, answer.text
    return answer.json()


# Which disputes


def test_a_task_shows_what_it_returned_soonest_deadline_first(site: Site, stage_one: Stage) -> None:
    later, sooner = stage_one(due_in=9 * 86400), stage_one(due_in=2 * 86400)
    site.returns("stage", [*later.shown, *sooner.shown])
    assert disputes(site, "stage") == [sooner.record.dispute, later.record.dispute]


def test_a_review_that_waits_shows_what_it_waits_with(site: Site, stage_one: Stage) -> None:
    earlier, now, passed = stage_one(), stage_one(), stage_one()
    site.returns("review", earlier.shown)
    site.waits("review", {"records": now.shown, "others": passed.shown})
    assert set(disputes(site, "review")) == {now.record.dispute, passed.record.dispute}
    assert task(site, "review")["state"] == "awaiting_input"


def test_a_mapped_task_shows_its_own(site: Site, stage_one: Stage) -> None:
    one, other = stage_one(), stage_one()
    site.returns("mapped", one.shown, map_index=0)
    site.returns("mapped", other.shown, map_index=1)
    shown = [task(site, "mapped", map_index=index)["disputes"][0]["dispute"] for index in (0, 1)]
    assert shown == [one.record.dispute, other.record.dispute]


def test_a_text_in_the_database_is_read_as_well(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    site.returns("stage", json.dumps(staged.shown))
    assert disputes(site, "stage") == [staged.record.dispute]


def test_a_reference_to_records_shows_them(
    site: Site, stage_one: Stage, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    now, passed, other = stage_one(), stage_one(), stage_one()
    monkeypatch.setattr(record_lists, "LARGEST_LIST", 1)
    reference = record_lists.return_value([passed.record, other.record], Signer(STAGED))
    site.returns("stage", reference)
    site.waits("review", {"records": now.shown, "others": reference})
    assert set(disputes(site, "stage")) == {passed.record.dispute, other.record.dispute}
    assert len(disputes(site, "review")) == 3
    for file in store.rglob("*"):
        if file.is_file() and file.name == reference["records"]:
            file.write_bytes(b"[]\n")
    assert disputes(site, "stage") == []
    assert disputes(site, "review") == [now.record.dispute]


def test_a_document_that_a_reference_names_is_no_list_of_records(
    site: Site, stage_one: Stage, store: Path
) -> None:
    for content in (b"%PDF-1.7", b"[[]]", b'{"state": "no such state"}\n', b"7\n7\n"):
        reference = {"records": evidence_store.put(content), "count": 1, "states": {}}
        site.returns("nothing", reference)
        assert set(disputes(site, "nothing")) <= {"unknown"}


SOUND = Record("stripe", "stripe_default", "dp_1", State.STAGED, "staged").to_dict()
BROKEN: list[dict[str, Any]] = [
    {"state": "no such state"},
    {"due": "tomorrow"},
    {"due": "2026-11-30T10:00:00"},
    {"documents": ["a"]},
    {"documents": {"file_1": {"a": 1}}},
    {"amount": "a lot"},
    {"differences": [{"name": 1}]},
    {"approval": {"action": "submit"}},
    {"dispute": {}},
    {"notes": "text"},
    {"currency": ["usd"]},
    {"reason": None},
]
OTHERS: list[Any] = [None, 7, "text", "[", [], {}, [1, 2], [None], [[]], [{}], {"a": SOUND}]


def test_other_tasks_have_nothing_to_show_and_break_nothing(site: Site) -> None:
    assert disputes(site, "nothing") == []
    for other in OTHERS:
        site.returns("nothing", other)
        assert disputes(site, "nothing") == [], other
        site.waits("review", other)
        assert disputes(site, "review") == []
        site.waits("review", {"records": other})
        assert disputes(site, "review") == []


@pytest.mark.parametrize("broken", BROKEN)
def test_a_record_that_cannot_be_read_is_refused(
    site: Site, connect: Connect, broken: dict[str, Any]
) -> None:
    connect("stripe")
    site.returns("stage", [SOUND | broken])
    [shown] = task(site, "stage")["disputes"]
    assert (shown["state"], shown["documents"], shown["digest"]) == ("refused", [], None)


def test_no_text_of_the_evidence_is_in_the_list(site: Site, stage_one: Stage) -> None:
    site.returns("stage", stage_one({"uncategorized_text": "What the customer wrote."}).shown)
    assert "What the customer" not in site.client("ana").get(site.address("stage")).text


# What is on the dispute now


def test_unchanged_it_is_exactly_what_goes_out(site: Site, stage_one: Stage) -> None:
    staged = stage_one({"customer_name": "Robin Larsen", "uncategorized_text": "One.\nTwo."})
    site.returns("stage", staged.shown)
    now = reading(site, "stage")
    assert (now["match"], now["digest"]) == ("exact", staged.record.digest)
    assert now["headline"] == "This is exactly the evidence that will be submitted."
    pieces = {piece["name"]: piece for piece in now["pieces"]}
    assert pieces.keys() == {"customer_name", "receipt", "uncategorized_text"}
    assert pieces["uncategorized_text"]["text"] == "One.\nTwo."
    assert pieces["receipt"]["document"]["sha256"] == hashlib.sha256(RECEIPT).hexdigest()
    assert not any(piece["changed"] for piece in now["pieces"])


def test_an_edit_by_a_colleague_is_named(site: Site, stage_one: Stage) -> None:
    staged = stage_one({"customer_name": "Robin Larsen", "product_description": "Shoes"})
    site.returns("stage", staged.shown)
    staged.edit(customer_name="Someone Else", refund_policy_disclosure="New.")
    now = reading(site, "stage")
    assert now["match"] == "changed"
    assert now["headline"] == "The dispute has changed since the review. A submission would be refused."
    assert now["facts"] == ["Changed since staging: Customer's name, Refund policy disclosure."]
    changed = {piece["name"] for piece in now["pieces"] if piece["changed"]}
    assert changed == {"customer_name", "refund_policy_disclosure"}
    assert now["digest"] != staged.record.digest


def test_what_is_gone_is_named(site: Site, stage_one: Stage) -> None:
    staged = stage_one({"customer_name": "Robin Larsen", "product_description": "Shoes"})
    site.returns("stage", staged.shown)
    staged.edit(product_description="")
    assert reading(site, "stage")["facts"] == ["Removed since staging: Product description."]


def test_of_a_record_that_does_not_say_what_it_staged_no_piece_is_accused(
    site: Site, stage_one: Stage
) -> None:
    staged = stage_one()
    site.returns("stage", signed(replace(staged.record, differences=())))
    staged.edit(customer_name="Someone Else")
    now = reading(site, "stage")
    assert now["facts"] == ["The changed piece of evidence cannot be identified."]
    assert not any(piece["changed"] for piece in now["pieces"])


def test_a_colleague_s_piece_is_told_from_ours(site: Site, stage_one: Stage) -> None:
    staged = stage_one(
        {"customer_name": "Robin Larsen"},
        before={"customer_name": "A Colleague", "product_description": "Shoes"},
    )
    site.returns("stage", staged.shown)
    now = reading(site, "stage")
    assert {piece["name"]: piece["difference"] for piece in now["pieces"]} == {
        "customer_name": "kept",
        "product_description": "foreign",
        "receipt": "added",
    }
    assert now["match"] == "exact"
    staged.edit(product_description="Boots")
    assert [piece["name"] for piece in reading(site, "stage")["pieces"] if piece["changed"]] == [
        "product_description"
    ]


def test_a_colleague_s_document_is_shown_once_the_review_has_kept_it(
    site: Site, stage_one: Stage, sandbox: Sandbox
) -> None:
    theirs = pdf(text="A colleague's policy.")
    staged = stage_one(before={"refund_policy": theirs})
    site.returns("stage", staged.shown)
    keep = evidence_store.put
    reviewed, _ = staged.hook.with_api(lambda api: steps.read_for_review(api, staged.record, keep))
    site.returns("review", signed(reviewed))
    for name in ("stage", "review"):
        assert reading(site, name)["match"] == "exact"
    [piece] = [piece for piece in reading(site, "review")["pieces"] if piece["name"] == "refund_policy"]
    assert (piece["document"]["sha256"], piece["difference"]) == (
        hashlib.sha256(theirs).hexdigest(),
        "foreign",
    )
    page = f"{site.address('review')}/documents/{piece['document']['sha256']}/pages/1"
    assert site.client("ana").get(page).content.startswith(PNG)
    staged.edit(customer_name="Someone Else")
    for name in ("stage", "review"):
        assert [piece["name"] for piece in reading(site, name)["pieces"] if piece["changed"]] == [
            "customer_name"
        ]


def test_what_was_overwritten_is_shown_beside_it(site: Site, stage_one: Stage, store: Path) -> None:
    staged = stage_one()
    earlier = evidence_store.put(json.dumps({"customer_name": "A Colleague"}).encode())
    [ours] = [each for each in staged.record.differences if each.name == "customer_name"]
    record = replace(staged.record, earlier=earlier, differences=(replace(ours, kind="overwritten"),))
    site.returns("stage", signed(record))
    [piece] = [piece for piece in reading(site, "stage")["pieces"] if piece["name"] == "customer_name"]
    assert (piece["text"], piece["earlier"]) == ("Robin Larsen", "A Colleague")


def test_a_value_that_was_kept_is_shown_beside_the_case_s(site: Site, stage_one: Stage, store: Path) -> None:
    staged = stage_one({"customer_name": "Robin Larsen"}, before={"customer_name": "A Colleague"})
    not_written = evidence_store.put(json.dumps({"customer_name": "Robin Larsen"}).encode())
    site.returns("stage", signed(replace(staged.record, not_written=not_written)))
    [piece] = [piece for piece in reading(site, "stage")["pieces"] if piece["name"] == "customer_name"]
    assert (piece["text"], piece["not_written"]) == ("A Colleague", "Robin Larsen")
    assert piece["earlier"] is None


def test_after_the_submission_it_says_so(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    staged.submit()
    site.returns("review", staged.shown)
    site.returns("stage", signed(staged.record.ended(State.SUBMITTED, "confirmed")))
    assert reading(site, "review")["match"] == reading(site, "stage")["match"] == "sent"
    assert reading(site, "stage")["headline"] == "Submitted. The dispute holds exactly the approved evidence."
    assert "already submitted" in reading(site, "review")["headline"]


def test_a_submission_of_something_else_is_no_good_news(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    staged.edit(customer_name="Someone Else")
    staged.submit()
    site.returns("stage", signed(staged.record.ended(State.SUBMITTED_DIFFERS, "differs")))
    now = reading(site, "stage")
    assert now["match"] == "changed"
    assert now["headline"] == "Submitted evidence differs from the reviewed evidence."
    assert "Changed since staging: Customer's name." in now["facts"]


def test_what_was_conceded_does_not_go_out(site: Site, stage_one: Stage) -> None:
    record = replace(
        stage_one().record, state=State.APPROVED, approval=Approval("concede", "Ana (ana)", "now")
    )
    site.returns("review", signed(record, scope=f"{DAG}/{site.run_id}"))
    headline = reading(site, "review")["headline"]
    assert headline == "Approved to be conceded. None of this evidence will be sent."


def test_a_dispute_without_evidence_of_ours(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    refused = replace(
        staged.record, state=State.REFUSED, reason="the case is wrong", digest=None, documents={}
    )
    site.returns("stage", signed(refused))
    now = reading(site, "stage")
    assert (now["match"], now["facts"]) == ("nothing", ["the case is wrong"])


def test_a_dispute_that_cannot_be_answered_any_more(site: Site, stage_one: Stage) -> None:
    staged = stage_one()
    staged.hook.call("PostDisputesDisputeClose", dispute=staged.record.dispute)
    site.returns("stage", staged.shown)
    now = reading(site, "stage")
    assert now["match"] in ("over", "sent", "changed")
    assert now["status"] == "Lost"
    assert now["headline"] != "This is exactly the evidence that will be submitted."


# When it cannot be read


def test_without_an_answer_of_the_api_the_documents_are_shown_all_the_same(
    site: Site, stage_one: Stage, sandbox: Sandbox
) -> None:
    staged = stage_one()
    site.returns("stage", staged.shown)
    sandbox.fault(effect="status", status=403, operation="GetDisputesDispute", times=100)
    [shown] = task(site, "stage")["disputes"]
    client = site.client("ana")
    answer = client.get(f"{site.address('stage')}/disputes/{shown['key']}")
    assert answer.status_code == 424
    assert "GetDisputesDispute" in answer.json()["detail"]
    assert shown["documents"] == [{"label": "Receipt", "sha256": staged.sha256}]
    assert client.get(f"{site.address('stage')}/documents/{staged.sha256}/pages/3").content.startswith(PNG)


@pytest.mark.parametrize("connection", ["no_such_connection", "a_database"])
def test_a_connection_that_is_gone_or_another(
    site: Site, stage_one: Stage, connect: Connect, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_A_DATABASE", "http://user:secret-of-it@localhost")
    monkeypatch.setenv("AIRFLOW__DISPUTE__SIGNING_KEY", "a key that does not depend on a connection")
    record = replace(stage_one().record, connection=connection)
    site.returns("stage", signed(record))
    key = task(site, "stage")["disputes"][0]["key"]
    answer = site.client("ana").get(f"{site.address('stage')}/disputes/{key}")
    assert answer.status_code == 424
    assert connection in answer.json()["detail"]
    assert "secret-of-it" not in answer.text


def test_a_dispute_whose_evidence_has_changed_meanwhile_is_asked_for_anew(
    site: Site, stage_one: Stage
) -> None:
    staged = stage_one()
    site.returns("stage", staged.shown)
    key = task(site, "stage")["disputes"][0]["key"]
    site.returns("stage", signed(replace(staged.record, digest="0" * 64)))
    assert site.client("ana").get(f"{site.address('stage')}/disputes/{key}").status_code == 404


# Documents


def test_pages_are_drawn_one_by_one(site: Site, stage_one: Stage) -> None:
    site.returns("stage", (staged := stage_one()).shown)
    client, document = site.client("ana"), f"{site.address('stage')}/documents/{staged.sha256}"
    assert client.get(document).json() == {
        "content_type": "application/pdf",
        "pages": 3,
        "size": len(RECEIPT),
    }
    wide, narrow = (client.get(f"{document}/pages/2?width={width}").content for width in (1000, 400))
    assert [int.from_bytes(png[16:20], "big") for png in (wide, narrow)] == [
        pytest.approx(1000, abs=2),
        pytest.approx(400, abs=2),
    ]
    for end, status in (("4", 422), ("0", 404), ("-1", 404), ("10001", 404), ("1?width=99999999", 422)):
        assert client.get(f"{document}/pages/{end}").status_code == status


def test_a_download_has_a_name_of_ours(site: Site, stage_one: Stage) -> None:
    site.returns("stage", (staged := stage_one()).shown)
    answer = site.client("ana").get(f"{site.address('stage')}/documents/{staged.sha256}/original")
    name = f"document-{staged.sha256[:12]}.pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content == RECEIPT


SCRIPTED = pdf(catalog=b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>")
HTML = b"<!doctype html><script>parent.document.title = 'owned'</script>"


@pytest.mark.parametrize("content", [HTML, SCRIPTED, b"", b"\x89PNG\r\n\x1a\nnot quite"])
def test_what_cannot_be_shown_is_explained_and_never_sent_as_a_page(
    site: Site, stage_one: Stage, content: bytes
) -> None:
    staged = stage_one()
    sha256 = evidence_store.put(content) or ""
    site.returns("stage", signed(replace(staged.record, documents={"file_1": sha256})))
    client, document = site.client("ana"), f"{site.address('stage')}/documents/{sha256}"
    for end in ("", "/pages/1"):
        answer = client.get(document + end)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
        assert answer.json()["detail"].startswith(("it ", "its "))
    original = client.get(f"{document}/original")
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"].endswith('.bin"')
    assert original.content == content


# The tab keeps documents that it has read, so each of these is a new one.


def test_a_document_that_the_store_has_lost(site: Site, stage_one: Stage, store: Path) -> None:
    site.returns("stage", (staged := stage_one(document=pdf(text="Lost."))).shown)
    (store / staged.sha256[:2] / staged.sha256).unlink()
    answer = site.client("ana").get(f"{site.address('stage')}/documents/{staged.sha256}")
    assert (answer.status_code, "does not have" in answer.json()["detail"]) == (404, True)


def test_a_document_that_somebody_has_exchanged(site: Site, stage_one: Stage, store: Path) -> None:
    site.returns("stage", (staged := stage_one(document=pdf(text="Exchanged."))).shown)
    (store / staged.sha256[:2] / staged.sha256).write_bytes(pdf(text="Forged."))
    for end in ("", "/pages/1", "/original"):
        answer = site.client("ana").get(f"{site.address('stage')}/documents/{staged.sha256}{end}")
        assert (answer.status_code, "has changed" in answer.json()["detail"]) == (424, True)


@pytest.fixture
def _opened_ledger(airflow_database: None) -> Iterator[None]:
    """The id of the ledger that tasks use, as a task has stored it."""
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        asset = session.scalar(select(AssetModel).where(AssetModel.name == LEDGER.name))
        if asset is None:
            session.add(asset := AssetModel(name=LEDGER.name, uri=LEDGER.uri))
            session.flush()
        named = {"asset_id": asset.id, "key": "id"}
        before = session.get(AssetStateStoreModel, named)
        known = before.value if before else None
        session.merge(AssetStateStoreModel(**named, value='"the id of the ledger that tasks use"'))
    yield
    with create_session() as session:
        if known is None:
            session.delete(session.get(AssetStateStoreModel, named))
        else:
            session.merge(AssetStateStoreModel(**named, value=known))


@pytest.mark.parametrize("has_another", [False, True])
@pytest.mark.usefixtures("_opened_ledger")
def test_a_server_without_the_workers_ledger_says_which_option_to_set(
    has_another: bool, site: Site, stage_one: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.returns("stage", (staged := stage_one(document=pdf(text=f"Elsewhere {has_another}."))).shown)
    address = f"{site.address('stage')}/documents/{staged.sha256}"
    monkeypatch.delenv("AIRFLOW__DISPUTE__EVIDENCE_STORE")
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "ledger"))
    if has_another:
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger" / "ledger.json").write_text('{"id": "of the server"}')
    answer = site.client("ana").get(address)
    assert answer.status_code == 404
    assert "the API server cannot read it: " in answer.json()["detail"]
    assert ("its id differs" if has_another else "is missing") in answer.json()["detail"]
    assert "set [dispute] ledger to a folder" in answer.json()["detail"]


# What strangers wrote

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></script><svg/onload=alert(1)>",
    "{{ conn.stripe_default.password }}",
    "=HYPERLINK(\"http://example.com\")",
    "\u202egpj.exe\u202c \u200b\u0007\U000e0041 ```",
    "javascript:alert(1)",
    "half of a pair: \ud83d",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_arrive_as_they_are_and_as_nothing_but_data(site: Site, stage_one: Stage, text: str) -> None:
    staged = stage_one({"customer_name": "Robin"})
    record = replace(staged.record, prepared_by=text, reason=text, notes=(text,), dispute_reason=text)
    site.returns("stage", signed(record))
    if "\ud83d" not in text:
        staged.edit(uncategorized_text=text)
    answer = site.client("ana").get(site.address("stage"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.content.isascii()
    [shown] = answer.json()["disputes"]
    assert (shown["prepared_by"], shown["reason"], shown["notes"]) == (text, text, [text])
    texts = [piece.get("text") for piece in reading(site, "stage")["pieces"]]
    assert "\ud83d" in text or text in texts


def test_the_page_s_own_files_make_nothing_of_texts() -> None:
    static = files("dispute_provider._ui").joinpath("static")
    for script in (file.name for file in static.iterdir() if file.name.endswith(".js")):
        code = static.joinpath(script).read_text("utf-8")
        assert not re.search(r"(inner|outer|Adjacent)HTML|DOMParser|Fragment|srcdoc|document\.write", code), (
            script
        )
        assert not re.search(r"\beval\b|\bFunction\b", code), script
        assert not re.search(r"https?://|setTimeout\(\s*[\"'`]", code), script
    page = static.joinpath("view.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>[^<]", page) == []
    assert not re.search(r"<style|\son\w+=|\sstyle=|https?://", page)
    assert "url(" not in static.joinpath("view.css").read_text("utf-8")


def test_an_appeal_is_shown_with_its_documents_and_without_earlier_evidence(
    site: Site, sandbox: Sandbox, connect: Connect, store: Path
) -> None:
    hook = StripeHook(http_conn_id=connect("stripe"))
    dispute = sandbox.create_dispute(
        api="stripe", status="appeal_needs_response", evidence={"customer_name": "of the chargeback"}
    )["id"]
    card = {"reason_for_filing": "Signed for.", "supporting_files": [{"file": "a.pdf"}, {"file": "b.pdf"}]}
    data = {"provider": "stripe", "dispute": dispute, "evidence": {"appeal": {"card": card}}}
    documents = {name: Document(name, pdf(text=name)) for name in ("a.pdf", "b.pdf")}
    record = Record("stripe", "stripe_default", dispute, State.STAGED, "")
    staged = hook.with_api(lambda api: steps.stage(api, Case.parse(data), documents, record))
    site.returns("stage", Staged(staged, hook).shown)
    shown = reading(site, "stage")
    assert shown["match"] == "exact"
    assert {piece["name"] for piece in shown["pieces"]} == {
        "appeal/card/reason_for_filing",
        "appeal/card/supporting_files",
    }
    pieces = [piece["document"] for piece in shown["pieces"] if "document" in piece]
    assert {piece["sha256"] for piece in pieces} == {each.sha256 for each in documents.values()}
    assert {piece["filename"] for piece in pieces} == {each.upload_name for each in documents.values()}
    assert [piece["text"] for piece in shown["pieces"] if "text" in piece] == ["Signed for."]
