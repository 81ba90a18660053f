"""The APIs' own Python clients work with the sandbox, for every dispute operation they have."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY, Sandbox

stripe = pytest.importorskip("stripe")
moovio_sdk = pytest.importorskip("moovio_sdk")
from moovio_sdk.models import components, errors  # noqa: E402  # only where the client is installed

PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%%EOF\n"


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return stripe.StripeClient(STRIPE_KEY, base_addresses={"api": sandbox.url, "files": sandbox.url})


@pytest.fixture
def moov(sandbox: Sandbox) -> Any:
    keys = components.Security(username=MOOV_PUBLIC_KEY, password=MOOV_SECRET_KEY)
    with moovio_sdk.Moov(security=keys, server_url=sandbox.url) as client:
        yield client


def test_stripe_stages_and_submits(sandbox: Sandbox, client: Any) -> None:
    disputes = client.v1.disputes
    identifier = sandbox.create_dispute(api="stripe")["id"]
    document = io.BytesIO(PDF)
    document.name = "r.pdf"
    file = client.v1.files.create({"purpose": "dispute_evidence", "file": document})
    assert client.v1.files.retrieve(file.id).size == len(PDF)
    priors = [{"charge": f"ch_{n}", "product_description": "Socks"} for n in range(2)]
    evidence = {
        "receipt": file.id,
        "customer_name": "Jo",
        "enhanced_evidence": {"visa_compelling_evidence_3": {"prior_undisputed_transactions": priors}},
    }
    params = {"evidence": evidence, "submit": False, "metadata": {"a": "b"}, "expand": ["evidence.receipt"]}
    staged = disputes.update(identifier, params)
    assert (staged.status, staged.evidence.receipt.id) == ("needs_response", file.id)
    assert staged.metadata["a"] == "b"
    assert disputes.update(identifier, {"metadata": ""}).metadata.to_dict() == {}
    done = disputes.update(identifier, {"submit": True}, {"idempotency_key": "k"})
    assert (done.status, done.evidence_details.submission_count) == ("under_review", 1)
    assert done.evidence_details.submission_method == "manual"
    again = disputes.update(identifier, {"submit": True}, {"idempotency_key": "k"})
    assert again.evidence_details.submission_count == 1
    with pytest.raises(stripe.InvalidRequestError):
        disputes.update(identifier, {"submit": True})
    with pytest.raises(stripe.IdempotencyError):
        disputes.update(identifier, {"submit": False}, {"idempotency_key": "k"})


def test_stripe_lists_retrieves_and_closes(sandbox: Sandbox, client: Any) -> None:
    disputes = client.v1.disputes
    made = [item["id"] for item in sandbox.create_disputes([{"api": "stripe"}] * 5)]
    listed = disputes.list({"limit": 2, "created": {"gte": 0}, "expand": ["data.charge"]})
    assert listed.data[0].charge.object == "charge"
    assert [item.id for item in listed.auto_paging_iter()] == made[::-1]
    assert (
        disputes.retrieve(made[0], {"expand": ["payment_intent"]}).payment_intent.object == "payment_intent"
    )
    assert disputes.close(made[0]).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="This dispute is already closed"):
        disputes.close(made[0])
    assert client.v1.accounts.retrieve_current().id == "acct_sandbox"
    assert client.v1.events.list({"types": ["charge.dispute.closed"]}).data[0].data.object["id"] == made[0]
    with pytest.raises(stripe.InvalidRequestError) as missing:
        disputes.retrieve("dp_unknown")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.AuthenticationError):
        disputes.list(options={"api_key": "sk_test_other"})
    with pytest.raises(stripe.PermissionError):
        disputes.list(options={"stripe_account": "acct_unknown"})


def test_stripe_reads_charges(sandbox: Sandbox, client: Any) -> None:
    sandbox.create_charge(id="ch_earlier", created=1_760_000_000, amount=1200, amount_refunded=200)
    dispute = client.v1.disputes.retrieve(sandbox.create_dispute(api="stripe")["id"])
    disputed = client.v1.charges.retrieve(dispute.charge)
    earlier = client.v1.charges.retrieve("ch_earlier")
    assert (disputed.disputed, earlier.disputed, earlier.paid, earlier.refunded) == (True, False, True, False)
    assert (earlier.created, earlier.amount_refunded) == (1_760_000_000, 200)
    same = disputed.payment_method_details.card.fingerprint
    assert earlier.payment_method_details.card.fingerprint == same
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.charges.retrieve("ch_none")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_stripe_retries_with_its_key(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *args: 0)
    addresses = {"api": sandbox.url, "files": sandbox.url}
    client = stripe.StripeClient(STRIPE_KEY, base_addresses=addresses, max_network_retries=2)
    identifier = sandbox.create_dispute(api="stripe", evidence={"customer_name": "Jo"})["id"]
    sandbox.fault(effect="drop-after", operation="PostDisputesDispute")
    done = client.v1.disputes.update(identifier, {"submit": True})
    assert done.evidence_details.submission_count == 1
    assert [entry["submitted"] for entry in sandbox.journal()] == [True, False]


def test_moov_stages_and_submits(sandbox: Sandbox, moov: Any) -> None:
    identifier = sandbox.create_dispute(api="moov")["id"]
    at = {"account_id": MOOV_ACCOUNT, "dispute_id": identifier}
    disputes = moov.disputes
    listed = disputes.list(
        account_id=MOOV_ACCOUNT,
        skip=0,
        count=10,
        status=components.DisputeStatus.RESPONSE_NEEDED,
        dispute_i_ds=[identifier],
    )
    assert [item.dispute_id for item in listed.result] == [identifier]
    assert disputes.get(**at).result.phase == "chargeback"
    with pytest.raises(errors.GenericError):
        disputes.submit_evidence(**at)
    text = disputes.upload_evidence_text(
        **at, text="We sent it.", evidence_type=components.EvidenceType.COVER_LETTER
    ).result
    part = components.File(file_name="r.pdf", content=PDF, content_type="application/pdf")
    receipt = components.EvidenceType.RECEIPT
    file = disputes.upload_evidence_file(**at, file=part, evidence_type=receipt).result
    assert (text.text, file.mime_type, file.size) == ("We sent it.", "application/pdf", len(PDF))
    wrong = components.File(file_name="r", content=b"x", content_type="image/png")
    with pytest.raises(errors.FileUploadValidationError):
        disputes.upload_evidence_file(**at, file=wrong, evidence_type=receipt)
    changed = disputes.update_evidence(**at, evidence_id=text.evidence_id, text="We did.").result
    assert changed.text == "We did."
    assert disputes.get_evidence(**at, evidence_id=file.evidence_id).result.filename == "r.pdf"
    data = disputes.get_evidence_data(**at, evidence_id=file.evidence_id)
    assert data.result.read() == PDF
    disputes.delete_evidence(**at, evidence_id=text.evidence_id)
    assert [item.evidence_id for item in disputes.list_evidence(**at).result] == [file.evidence_id]
    done = disputes.submit_evidence(**at).result
    assert done.status == "under-review"
    with pytest.raises(errors.GenericError):
        disputes.submit_evidence(**at)
    with pytest.raises(errors.APIError):
        disputes.get(account_id=MOOV_ACCOUNT, dispute_id="5a4db0c5-0b0e-4c3b-8f5e-5a0db0c59999")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:enum")  # of the client's own enum members
def test_moov_accepts_and_mints_tokens(sandbox: Sandbox, moov: Any) -> None:
    identifier = sandbox.create_dispute(api="moov")["id"]
    accepted = moov.disputes.accept(account_id=MOOV_ACCOUNT, dispute_id=identifier)
    assert accepted.result.status == "accepted"
    assert moov.accounts.get(account_id=MOOV_ACCOUNT).result.mode == "sandbox"
    moov.ping.ping()
    token = moov.authentication.create_access_token(
        grant_type=components.GrantType.CLIENT_CREDENTIALS, scope=f"/accounts/{MOOV_ACCOUNT}/transfers.read"
    ).result
    moov.authentication.revoke_access_token(token=token.access_token)


def test_moov_async(sandbox: Sandbox) -> None:
    sandbox.create_dispute(api="moov")
    keys = components.Security(username=MOOV_PUBLIC_KEY, password=MOOV_SECRET_KEY)

    async def count() -> int:
        async with moovio_sdk.Moov(security=keys, server_url=sandbox.url) as client:
            return len((await client.disputes.list_async(account_id=MOOV_ACCOUNT)).result)

    assert asyncio.run(count()) == 1
