"""A null where the contract has none: it stays with its field, unless the field is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from running import run
from support import Connect
from tenacity import wait_none

from dispute_provider._transport import retries as attempts
from dispute_provider.exceptions import ApiError
from dispute_provider.operators.moov import (
    MoovGetDisputeOperator,
    MoovListDisputesOperator,
    MoovSubmitDisputeEvidenceOperator,
)
from dispute_provider.operators.stripe import StripeGetDisputeOperator
from dispute_provider.sandbox import MOOV_ACCOUNT, Sandbox

EVIDENCE = {"stripe": {"customer_name": "Jo Doe"}, "moov": {"receipt": "Paid."}}
NEEDED = {
    "stripe": {
        "/id",
        "/amount",
        "/currency",
        "/status",
        "/evidence",
        "/evidence_details",
        "/evidence_details/submission_count",
    },
    "moov": {
        "/disputeID",
        "/amount",
        "/amount/value",
        "/amount/currency",
        "/respondBy",
        "/status",
        "/phase",
    },
}


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_BACKOFF", wait_none())


def pointers(value: Any, at: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield f"{at}/{name}"
        yield from pointers(item, f"{at}/{name}")


@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_only_a_null_that_is_needed_makes_a_dispute_unreadable(
    kind: str, sandbox: Sandbox, connect: Connect
) -> None:
    connect(kind, extra={"rate_limit": 1000, **({"account": MOOV_ACCOUNT} if kind == "moov" else {})})
    made = sandbox.create_dispute(api=kind, evidence=EVIDENCE[kind])
    get = {
        "stripe": StripeGetDisputeOperator(task_id="get", dispute=made["id"]),
        "moov": MoovGetDisputeOperator(task_id="get", dispute_id=made["id"]),
    }[kind]
    fatal = {}
    paths = list(pointers(made["object"]))
    for pointer in paths:
        sandbox.clear_oddities()
        sandbox.odd(of=made["id"], set={pointer: None})
        try:
            run(get)
        except ApiError as error:
            fatal[pointer] = str(error)
    assert fatal.keys() == NEEDED[kind], f"{len(fatal)} of {len(paths)} are fatal"
    assert all(pointer in error and "try again" not in error for pointer, error in fatal.items())


def test_a_null_in_a_listing_of_moov_leaves_every_dispute_listed(
    sandbox: Sandbox, moov_connection: str
) -> None:
    ids = [each["id"] for each in sandbox.create_disputes([{"api": "moov"}] * 3)]
    sandbox.odd(of=ids[1], set={"/networkReasonDescription": None})
    listed = run(MoovListDisputesOperator(task_id="list"))
    assert sorted(each["disputeID"] for each in listed) == sorted(ids)
    assert len(sandbox.journal(operation="listDisputes")) == 1


def test_a_null_in_the_answer_to_a_submission_is_no_doubt_about_it(
    sandbox: Sandbox, moov_connection: str
) -> None:
    dispute = sandbox.create_dispute(api="moov", evidence=EVIDENCE["moov"])["id"]
    sandbox.odd(of=dispute, operation="submitDisputeEvidence", set={"/networkReasonDescription": None})
    answer = run(MoovSubmitDisputeEvidenceOperator(task_id="send", dispute_id=dispute))
    assert (answer["status"], answer["networkReasonDescription"]) == ("under-review", None)
    assert [entry["operation"] for entry in sandbox.journal()][-1] == "submitDisputeEvidence"
