from __future__ import annotations

import io

import httpx
import papers
import pikepdf
import pytest
from stripe_calls import JPEG, PDF, PNG, dispute_of, refusal, upload

from dispute_provider.sandbox import Sandbox

# --- files


def test_a_file_can_be_read_back(stripe: httpx.Client) -> None:
    file = upload(stripe, PNG).json()
    assert (file["purpose"], file["size"], file["type"]) == ("dispute_evidence", len(PNG), "png")
    assert stripe.get(f"/files/{file['id']}").json() == file
    contents = stripe.get(file["url"])
    assert (contents.content, contents.headers["content-type"]) == (PNG, "image/png")
    refusal(stripe.get("/files/file_unknown"), 404)


def test_accepted_files(stripe: httpx.Client) -> None:
    assert upload(stripe, JPEG).json()["type"] == "jpg"
    assert upload(stripe, b"plain text").status_code == 400
    assert upload(stripe, b"").status_code == 400
    assert upload(stripe, PDF + bytes(5_000_000 - len(PDF))).status_code == 200
    assert upload(stripe, PDF + bytes(5_000_001 - len(PDF))).status_code == 400
    assert refusal(upload(stripe, purpose="other"))["param"] == "purpose"
    assert refusal(stripe.post("/files", files={"file": ("r.pdf", PDF)}))["code"] == "parameter_missing"
    refusal(stripe.post("/files", data={"purpose": "dispute_evidence"}))


def test_attachable_files(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"

    def attach(name: str, file: httpx.Response) -> httpx.Response:
        body = {f"evidence[{name}]": file.json()["id"], "submit": "false"}
        return stripe.post(path, data=body)

    good = upload(stripe)
    assert attach("receipt", good).json()["evidence"]["receipt"] == good.json()["id"]
    refusal(attach("receipt", upload(stripe, purpose="business_logo")))
    large = upload(stripe, PDF + bytes(4_500_000))
    refusal(attach("refund_policy", large))
    pages = upload(stripe, b"%PDF-1.4 " + b"/Type /Page " * 49)
    error = refusal(attach("refund_policy", pages))
    assert error["code"] == "dispute_evidence_page_limit_exceeded"
    sandbox.clock(advance=275 * 86400)
    sandbox.edit_dispute(path.rpartition("/")[2], due_in=60)
    refusal(attach("uncategorized_file", good))


# --- forms


def test_lists_of_objects_in_both_notations(sandbox: Sandbox, stripe: httpx.Client) -> None:
    path = f"/disputes/{dispute_of(sandbox)}"
    at = "evidence[enhanced_evidence][visa_compelling_evidence_3][prior_undisputed_transactions]"
    fields = ["[charge]=ch_1", "[customer_account_id]=a", "[charge]=ch_2"]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for places in (["[]"] * 3, ["[0]", "[0]", "[10]"]):
        body = "&".join(at + place + field for place, field in zip(places, fields, strict=True))
        answer = stripe.post(path, content=body + "&submit=false", headers=headers)
        claim = answer.json()["evidence"]["enhanced_evidence"]["visa_compelling_evidence_3"]
        assert claim["prior_undisputed_transactions"] == [
            {"charge": "ch_1", "customer_account_id": "a"},
            {"charge": "ch_2"},
        ]
    answer = stripe.post(path, data={"evidence[enhanced_evidence]": "", "submit": "false"})
    assert answer.json()["evidence"]["enhanced_evidence"] == {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n"),
        ("application/pdf", PDF),
    ],
)
def test_a_file_must_come_as_multipart(stripe: httpx.Client, content_type: str, body: bytes) -> None:
    refusal(stripe.post("/files", content=body, headers={"Content-Type": content_type}))


def test_mastercard_accepts_fewer_pages(sandbox: Sandbox, stripe: httpx.Client) -> None:
    file = upload(stripe, b"%PDF-1.4 " + b"/Type /Page " * 20).json()["id"]
    for brand, status in (("visa", 200), ("mastercard", 400)):
        path = f"/disputes/{dispute_of(sandbox, brand=brand)}"
        body = {"evidence[receipt]": file, "submit": "false"}
        assert stripe.post(path, data=body).status_code == status


def test_compressed_pages_are_counted(sandbox: Sandbox, stripe: httpx.Client) -> None:
    written = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf(pages=50))) as document:
        document.save(written, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    file = upload(stripe, written.getvalue()).json()["id"]
    path = f"/disputes/{dispute_of(sandbox)}"
    error = refusal(stripe.post(path, data={"evidence[receipt]": file, "submit": "false"}))
    assert error["code"] == "dispute_evidence_page_limit_exceeded"


@pytest.mark.parametrize(
    ("content", "code"),
    [("/Type /Page " * 50, "dispute_evidence_page_limit_exceeded"), (" " * 4_500_000, None)],
)
def test_a_colleague_s_files_count_towards_the_limits_of_a_submission(
    sandbox: Sandbox, stripe: httpx.Client, content: str, code: str | None
) -> None:
    attached = {"receipt": {"filename": "r.pdf", "content": f"%PDF-1.4 {content}"}}
    path = f"/disputes/{dispute_of(sandbox, evidence=attached)}"
    assert refusal(stripe.post(path, data={"submit": "true"})).get("code") == code
    assert sandbox.dispute(path.rpartition("/")[2])["status"] == "needs_response"


def test_a_second_outcome_waits_for_its_own_submission(sandbox: Sandbox, stripe: httpx.Client) -> None:
    identifier = dispute_of(sandbox, evidence={"uncategorized_text": "winning_evidence"})
    stripe.post(f"/disputes/{identifier}", data={"submit": "true"})
    sandbox.clock(advance=2)
    sandbox.edit_dispute(identifier, reopen=True)
    stripe.post(f"/disputes/{identifier}", data={"submit": "true"})
    sandbox.clock(advance=2)
    assert sandbox.dispute(identifier)["status"] == "under_review"
    sandbox.clock(advance=1)
    assert sandbox.dispute(identifier)["status"] == "won"
