"""Visa Compelling Evidence 3.0: a claim that meets everything, and each condition broken alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispute_provider._apis.stripe_compelling import Charge, charges_of, claim_of, standing, unmet
from dispute_provider._evidence.snapshot import Dispute, Programme

BOUGHT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
DISPUTE = Dispute(
    provider="stripe",
    account=None,
    id="du_1",
    stage="chargeback",
    status="needs_response",
    submissions=0,
    submitted=False,
    submitted_at=None,
    closed=None,
    due=None,
    amount=1200,
    currency="usd",
    reason="fraudulent",
    network="visa",
    network_code="10.4",
    charge="ch_0",
)
ADDRESS = {
    "line1": "1 Main St",
    "city": "Springfield",
    "state": "IL",
    "postal_code": "62701",
    "country": "US",
}
PAYMENT = {
    "product_description": "A pair of socks",
    "customer_purchase_ip": "2001:db8::1",
    "customer_device_id": "352099001761481",
    "customer_device_fingerprint": "f" * 20,
    "customer_email_address": "zoe@example.com",
    "customer_account_id": "zoe",
    "shipping_address": ADDRESS,
}
CLAIM: dict[str, Any] = {
    "disputed_transaction": {**PAYMENT, "merchandise_or_services": "merchandise"},
    "prior_undisputed_transactions": [{**PAYMENT, "charge": "ch_1"}, {**PAYMENT, "charge": "ch_2"}],
}
CHARGES = {
    "ch_0": Charge("ch_0", BOUGHT, paid=True, disputed=True, method="card A"),
    "ch_1": Charge("ch_1", BOUGHT - timedelta(days=120), paid=True, disputed=False, method="card A"),
    "ch_2": Charge("ch_2", BOUGHT - timedelta(days=365), paid=True, disputed=False, method="card A"),
}


def claim(change: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
    """The claim with its three payments changed: the disputed one, then the earlier."""
    changed = json.loads(json.dumps(CLAIM))  # a deep copy that shares nothing within
    change([changed["disputed_transaction"], *changed["prior_undisputed_transactions"]])
    return changed


def charges(**changes: dict[str, Any]) -> dict[str, Charge]:
    return CHARGES | {name: replace(CHARGES[name], **change) for name, change in changes.items()}


def test_nothing_is_unmet() -> None:
    assert unmet(DISPUTE, CLAIM, CHARGES) == []
    assert charges_of(DISPUTE, CLAIM) == ["ch_0", "ch_1", "ch_2"]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"network": "mastercard"}, "the network is mastercard, but must be visa"),
        ({"network": None}, "the network is unknown, but must be visa"),
        ({"network_code": "13.1"}, "the reason code is 13.1, but must be 10.4"),
        ({"network_code": "10.5"}, "the reason code is 10.5, but must be 10.4"),
        ({"network_code": None}, "the reason code is unknown, but must be 10.4"),
    ],
)
def test_a_dispute_that_is_not_eligible(facts: dict[str, Any], problem: str) -> None:
    assert unmet(replace(DISPUTE, **facts), CLAIM, CHARGES) == [problem]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ch_1": {"paid": False}}, "earlier payment 1 was not paid"),
        ({"ch_2": {"disputed": True}}, "earlier payment 2 was disputed, too"),
        ({"ch_1": {"method": "card B"}}, "earlier payment 1 was not made with the same card or account"),
        ({"ch_2": {"method": None}}, "earlier payment 2 was not made with the same card or account"),
    ],
)
def test_a_charge_that_does_not_count(change: dict[str, Any], problem: str) -> None:
    assert unmet(DISPUTE, CLAIM, charges(**change)) == [problem]


@pytest.mark.parametrize("days", [-1, 0, 119, 120, 121, 242, 364, 365, 366])
def test_days_between_payments(days: int) -> None:
    """Calendar days in UTC: the hour of the day does not count."""
    for hour in (0, 9, 23):
        made = (BOUGHT - timedelta(days=days)).replace(hour=hour, minute=59)
        found = unmet(DISPUTE, CLAIM, charges(ch_1={"created": made}))
        problem = f"earlier payment 1 is {days} days older than the disputed one, but must be 120 to 365"
        assert found == ([] if 120 <= days <= 365 else [problem])


def test_charges_that_do_not_exist() -> None:
    known = {name: charge for name, charge in CHARGES.items() if name != "ch_2"}
    assert unmet(DISPUTE, CLAIM, known) == ["earlier payment 2 is not an existing charge"]
    known = {name: charge for name, charge in CHARGES.items() if name != "ch_0"}
    problem = "the disputed charge cannot be read, so it cannot be compared with the earlier ones"
    assert unmet(DISPUTE, CLAIM, known) == [problem]
    assert unmet(replace(DISPUTE, charge=None), CLAIM, CHARGES) == [problem]


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (["ch_1"], "exactly 2 earlier payments are required, but the case has 1"),
        (["ch_1", "ch_2", "ch_3"], "exactly 2 earlier payments are required, but the case has 3"),
        (["ch_1", "ch_1"], "the earlier payments are the same charge"),
        (["ch_1", "ch_0"], "earlier payment 2 is the disputed charge itself"),
    ],
)
def test_number_and_identity_of_charges(ids: list[str], problem: str) -> None:
    named = {**CLAIM, "prior_undisputed_transactions": [{**PAYMENT, "charge": each} for each in ids]}
    assert unmet(DISPUTE, named, CHARGES | {"ch_3": replace(CHARGES["ch_1"], id="ch_3")}) == [problem]


@pytest.mark.parametrize(
    ("at", "label"), list(enumerate(["the disputed payment", "earlier payment 1", "earlier payment 2"]))
)
class TestEachPayment:
    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_product_description_is_required(self, at: int, label: str, value: str | None) -> None:
        changed = claim(lambda payments: payments[at].update(product_description=value))
        assert unmet(DISPUTE, changed, CHARGES) == [f"{label} has no product_description"]

    @pytest.mark.parametrize(
        ("name", "least"), [("customer_device_id", 15), ("customer_device_fingerprint", 20)]
    )
    def test_short_identifiers(self, at: int, label: str, name: str, least: int) -> None:
        short = claim(lambda payments: payments[at].update({name: "1" * (least - 1)}))
        problem = f"{label} has a {name} of {least - 1} characters, but needs at least {least}"
        assert unmet(DISPUTE, short, CHARGES) == [problem]
        enough = claim(lambda payments: payments[at].update({name: "1" * least}))
        assert unmet(DISPUTE, enough, CHARGES) == []

    @pytest.mark.parametrize("part", list(ADDRESS))
    def test_an_incomplete_address(self, at: int, label: str, part: str) -> None:
        changed = claim(lambda payments: payments[at]["shipping_address"].update({part: ""}))
        assert unmet(DISPUTE, changed, CHARGES) == [f"{label} has a shipping_address without {part}"]

    def test_no_address_is_not_an_incomplete_one(self, at: int, label: str) -> None:
        changed = claim(lambda payments: payments[at].pop("shipping_address"))
        assert unmet(DISPUTE, changed, CHARGES) == []


def test_merchandise_or_services_is_required() -> None:
    changed = claim(lambda payments: payments[0].pop("merchandise_or_services"))
    assert unmet(DISPUTE, changed, CHARGES) == ["the disputed payment has no merchandise_or_services"]


SHORT = {
    "ip": "customer_purchase_ip",
    "id": "customer_device_id",
    "print": "customer_device_fingerprint",
    "email": "customer_email_address",
    "account": "customer_account_id",
    "address": "shipping_address",
}


class TestMatches:
    ENOUGH = (
        "ip id",
        "ip print",
        "ip email",
        "ip account",
        "ip address",
        "id email",
        "print account",
        "id address",
    )
    NOT_ENOUGH = ("", "ip", "id", "print", "id print", "email account address", "email", "account address")

    def found(self, kept: str) -> list[str]:
        gone = [name for short, name in SHORT.items() if short not in kept.split()]

        def only(payments: list[dict[str, Any]]) -> None:
            for payment in payments:
                for name in gone:
                    del payment[name]

        return unmet(DISPUTE, claim(only), CHARGES)

    @pytest.mark.parametrize("kept", ENOUGH)
    def test_sufficient_matches(self, kept: str) -> None:
        assert self.found(kept) == []

    @pytest.mark.parametrize("kept", NOT_ENOUGH)
    def test_insufficient_matches(self, kept: str) -> None:
        (problem,) = self.found(kept)
        assert problem.startswith("the same in all payments: ")
        others = "shipping address, email address, account"
        assert problem.endswith(f"; required: IP address and device, or one of them and one of {others}")

    @pytest.mark.parametrize("at", [0, 1, 2])
    @pytest.mark.parametrize("name", ["customer_purchase_ip", "customer_email_address"])
    def test_all_three_payments_must_match(self, at: int, name: str) -> None:
        def other(payments: list[dict[str, Any]]) -> None:
            for payment in payments:
                for gone in (
                    "customer_device_id",
                    "customer_device_fingerprint",
                    "customer_account_id",
                    "shipping_address",
                ):
                    del payment[gone]
            payments[at][name] = "192.0.2.7"

        same = {"customer_purchase_ip": "email address", "customer_email_address": "IP address"}[name]
        (problem,) = unmet(DISPUTE, claim(other), CHARGES)
        assert problem.startswith(f"the same in all payments: {same};")

    def test_an_id_does_not_match_a_fingerprint(self) -> None:
        """One device by its id here and by its fingerprint there is no match."""

        def mixed(payments: list[dict[str, Any]]) -> None:
            for payment in payments:
                del payment["customer_purchase_ip"]
            del payments[0]["customer_device_id"]
            del payments[1]["customer_device_fingerprint"]

        assert unmet(DISPUTE, claim(mixed), CHARGES)[0].startswith(
            "the same in all payments: shipping address and"
        )

    def test_spellings_that_match(self) -> None:
        def respelt(payments: list[dict[str, Any]]) -> None:
            for payment in payments:
                del payment["customer_device_id"], payment["customer_device_fingerprint"]
            payments[1]["customer_purchase_ip"] = " 2001:DB8::1"
            payments[2]["customer_email_address"] = "Zoe@Example.com "
            payments[1]["customer_account_id"] = "Zoe"
            payments[2]["shipping_address"]["city"] = "Shelbyville"

        assert unmet(DISPUTE, claim(respelt), CHARGES) == []


def test_one_payment_alone_matches_nothing() -> None:
    none, nothing = unmet(DISPUTE, {**CLAIM, "prior_undisputed_transactions": []}, CHARGES)
    assert none == "exactly 2 earlier payments are required, but the case has 0"
    assert nothing.startswith("the same in all payments: none; required: ")


def test_all_problems_are_reported_at_once() -> None:
    bad = claim(lambda payments: [payment.clear() for payment in payments] and None)
    dispute = replace(DISPUTE, network="amex", network_code="F29")
    found = unmet(dispute, bad, {})
    assert len(found) == len(set(found)) == 11
    assert unmet(dispute, {}, {})[2] == "exactly 2 earlier payments are required, but the case has 0"


@given(st.sampled_from(sorted(PAYMENT)), st.integers(0, 2), st.text(min_size=25, alphabet="Zz9"))
def test_no_customers_data_is_quoted(name: str, at: int, value: str) -> None:
    given_value = {"line1": value} if name == "shipping_address" else value
    changed = claim(lambda payments: payments[at].update({name: given_value}))
    assert value not in " ".join(unmet(DISPUTE, changed, {}))


def test_claims() -> None:
    assert claim_of({"visa_compelling_evidence_3": CLAIM}) == CLAIM
    for none in (
        None,
        {},
        {"visa_compelling_evidence_3": {}},
        {"visa_compliance": {"fee_acknowledged": True}},
    ):
        assert claim_of(none) is None


@pytest.mark.parametrize(
    ("status", "required", "words"),
    [
        ("qualified", (), "according to the API, the dispute qualifies for Visa Compelling Evidence 3.0"),
        (
            "requires_action",
            ("missing_prior_undisputed_transactions", "missing_something_new"),
            "according to the API, Visa Compelling Evidence 3.0 requires more evidence: "
            "two earlier, undisputed payments; missing_something_new",
        ),
        (
            "not_qualified",
            (),
            "according to the API, the dispute does not qualify for Visa Compelling Evidence 3.0",
        ),
        ("considered", (), "status for Visa Compelling Evidence 3.0: considered"),
        (None, (), None),
    ],
)
def test_what_the_api_says(status: str | None, required: tuple[str, ...], words: str | None) -> None:
    programme = Programme("visa_compelling_evidence_3", status, required)
    assert standing(replace(DISPUTE, programmes=(Programme("visa_compliance", "x"), programme))) == words
    assert standing(DISPUTE) is None
