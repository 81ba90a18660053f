"""The contract beside the official client of the same version: names and values of what a dispute holds."""

from __future__ import annotations

import typing
from typing import Any, get_args, get_origin

import pytest

from dispute_provider import contract

stripe = pytest.importorskip("stripe")
from stripe.params import _dispute_modify_params as params  # noqa: E402  # only where the client is installed

DOCUMENT = contract.load("stripe").document
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]


def literals(annotation: Any) -> set[str]:
    """Every literal value that an annotation allows."""
    if get_origin(annotation) is typing.Literal:
        return set(get_args(annotation))
    return {value for inner in get_args(annotation) for value in literals(inner)}


def hints(owner: Any) -> dict[str, Any]:
    """The types of a client class's fields; those that only type checkers import are any object here."""
    unknown: dict[str, Any] = {}
    while True:
        try:
            return typing.get_type_hints(owner, localns=unknown | vars(owner))
        except NameError as error:
            unknown[error.name] = object


def test_the_version_is_the_clients() -> None:
    from stripe._api_version import _ApiVersion

    parameter = contract.load("stripe").parameters["Stripe-Version"]
    assert DOCUMENT["info"]["version"] == _ApiVersion.CURRENT
    assert parameter["schema"]["default"] == parameter["example"] == _ApiVersion.CURRENT


@pytest.mark.parametrize(
    ("ours", "theirs", "beside"),
    [
        ("DisputeUpdateParams", params.DisputeModifyParams, set()),
        ("DisputeEvidenceParams", params.DisputeModifyParamsEvidence, set()),
        ("AppealParams", params.DisputeModifyParamsEvidenceAppeal, set()),
        ("Dispute", stripe.Dispute, {"object"}),
        ("DisputeEvidence", stripe.Dispute.Evidence, set()),
        ("EvidenceDetails", stripe.Dispute.EvidenceDetails, set()),
    ],
)
def test_the_fields_are_the_clients(ours: str, theirs: Any, beside: set[str]) -> None:
    inherited = {"stripe_account", "stripe_context", "stripe_version", "idempotency_key", "api_key"}
    inherited |= {"content_type", "headers", "max_network_retries"}
    known = {name for name in theirs.__annotations__ if not name.startswith("_") and name.islower()}
    assert SCHEMAS[ours]["properties"].keys() == (known | beside) - inherited


def test_the_appeal_of_a_card_is_the_clients() -> None:
    fields = params.DisputeModifyParamsEvidenceAppealCard.__annotations__
    assert SCHEMAS["AppealParams"]["properties"]["card"]["properties"].keys() == fields.keys()


@pytest.mark.parametrize(
    ("values", "owner", "field"),
    [
        (
            SCHEMAS["DisputeUpdateParams"]["properties"]["intended_submission_method"]["enum"],
            stripe.Dispute,
            "intended_submission_method",
        ),
        (
            SCHEMAS["Dispute"]["properties"]["intended_submission_method"]["x-knownValues"],
            stripe.Dispute,
            "intended_submission_method",
        ),
        (SCHEMAS["Dispute"]["properties"]["status"]["x-knownValues"], stripe.Dispute, "status"),
        (
            SCHEMAS["EvidenceDetails"]["properties"]["submission_method"]["x-knownValues"],
            stripe.Dispute.EvidenceDetails,
            "submission_method",
        ),
    ],
)
def test_the_values_are_the_clients(values: list[str], owner: Any, field: str) -> None:
    assert set(values) == literals(hints(owner)[field])


def test_the_error_code_is_the_clients() -> None:
    [code] = SCHEMAS["ErrorDetails"]["properties"]["code"]["x-advice"]
    assert code in literals(hints(stripe.PaymentIntent.LastPaymentError)["code"])
