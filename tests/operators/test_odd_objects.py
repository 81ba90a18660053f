"""The operators of single calls hand out odd answers as they came, and fail only without what is needed."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from running import run

from dispute_provider.exceptions import UnreadableAnswerError
from dispute_provider.operators.moov import (
    MoovGetAccountOperator,
    MoovGetDisputeOperator,
    MoovListDisputeEvidenceOperator,
    MoovListDisputesOperator,
    MoovSubmitDisputeEvidenceOperator,
)
from dispute_provider.operators.stripe import (
    StripeGetAccountOperator,
    StripeGetDisputeOperator,
    StripeListDisputesOperator,
)
from dispute_provider.sandbox import MOOV_ACCOUNT, STRIPE_ACCOUNT, Sandbox


def test_an_odd_dispute_of_moov_is_handed_out_as_it_came(sandbox: Sandbox, moov_connection: str) -> None:
    dispute = sandbox.create_dispute(api="moov", evidence={"receipt": "Paid."})["id"]
    sandbox.odd(
        of=dispute, set={"/networkReasonDescription": None, "/transfer": "x", "/networkReasonCode": None}
    )
    with structlog.testing.capture_logs() as logged:
        found = run(MoovGetDisputeOperator(task_id="get", dispute_id=dispute))
    assert found["networkReasonDescription"] is None
    assert found["transfer"] == "[redacted: 1 characters]"
    assert "/networkReasonCode is null" in str(logged)
    assert "/transfer is a string, must be an object: left out" in str(logged)
    assert "networkReasonDescription" not in str(logged)
    assert run(MoovSubmitDisputeEvidenceOperator(task_id="send", dispute_id=dispute))["disputeID"] == dispute


def test_lists_are_handed_out_with_what_is_broken_in_them(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    connect("moov")
    for api in ("stripe", "moov"):
        broken = sandbox.create_dispute(api=api)["id"]
        sandbox.create_dispute(api=api)
        sandbox.odd(of=broken, set={"": {"evidence": "A text.", "text": ["Another."]}})
    with structlog.testing.capture_logs() as logged:
        stripe = run(StripeListDisputesOperator(task_id="list"))["data"]
        moov = run(MoovListDisputesOperator(task_id="list"))
    assert (len(stripe), len(moov)) == (2, 2)
    assert "/1/disputeID is missing" in str(logged)
    assert "/data/1/id is missing" in str(logged)
    assert "A text." not in f"{stripe}{moov}{logged!s}"
    assert "Another." not in f"{stripe}{moov}{logged!s}"


@pytest.mark.parametrize(
    "how", [{"remove": ["/status"]}, {"set": {"/status": None}}, {"set": {"/status": 7}}]
)
def test_what_is_needed_is_named_and_asked_for_once(
    how: dict[str, Any], sandbox: Sandbox, stripe_connection: str
) -> None:
    dispute = sandbox.create_dispute(api="stripe")["id"]
    sandbox.odd(of=dispute, **how)
    with pytest.raises(UnreadableAnswerError, match=r"/status is (missing|null|a number)") as caught:
        run(StripeGetDisputeOperator(task_id="get", dispute=dispute))
    assert "try again" not in str(caught.value)
    assert len(sandbox.journal(operation="GetDisputesDispute")) == 1


def test_after_a_malformed_answer_to_a_final_call_the_dispute_is_read(
    sandbox: Sandbox, moov_connection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dispute = sandbox.create_dispute(api="moov", evidence={"receipt": "Paid."})["id"]
    sandbox.odd(operation="submitDisputeEvidence", remove=["/disputeID"])
    answer = run(MoovSubmitDisputeEvidenceOperator(task_id="send", dispute_id=dispute))
    assert answer["disputeID"] == dispute
    assert "/disputeID is missing" in capsys.readouterr().out
    assert len(sandbox.dispute(dispute)["submissions"]) == 1


def test_accounts_and_items_need_little(sandbox: Sandbox, connect: Any) -> None:
    connect("stripe")
    connect("moov")
    sandbox.odd(of=STRIPE_ACCOUNT, set={"/country": 7, "/email": None}, remove=["/object"])
    sandbox.odd(of=MOOV_ACCOUNT, set={"/accountType": 7, "/displayName": None})
    assert run(StripeGetAccountOperator(task_id="get"))["country"] == 7
    assert run(MoovGetAccountOperator(task_id="get"))["accountType"] == 7
    made = sandbox.create_dispute(api="moov", evidence={"receipt": "Paid."})
    sandbox.odd(of=made["evidence"][0]["evidenceID"], set={"/createdOn": None, "/mimeType": [1]})
    [item] = run(MoovListDisputeEvidenceOperator(task_id="list", dispute_id=made["id"]))
    assert item["createdOn"] is None
