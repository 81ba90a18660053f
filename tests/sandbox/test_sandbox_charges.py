"""The sandbox's charges: those of its disputes, and others that a test creates."""

from __future__ import annotations

import httpx
import pytest

from dispute_provider.sandbox import Sandbox, SandboxError


def test_a_dispute_has_its_charge(sandbox: Sandbox, stripe: httpx.Client) -> None:
    made = sandbox.create_dispute(api="stripe", id="du_1", amount=1900, currency="eur", created=1_790_000_000)
    charge = stripe.get(f"/charges/{made['object']['charge']}").json()
    assert charge == stripe.get("/disputes/du_1?expand[]=charge").json()["charge"]
    assert (charge["amount"], charge["currency"], charge["created"]) == (1900, "eur", 1_790_000_000 - 86400)
    assert (charge["disputed"], charge["paid"], charge["refunded"]) == (True, True, False)
    assert (charge["status"], charge["payment_method_details"]["type"]) == ("succeeded", "card")
    (read, _) = sandbox.journal()
    assert (read["operation"], read["changed"]) == ("GetChargesCharge", False)


def test_a_charge_is_created_and_then_disputed(sandbox: Sandbox, stripe: httpx.Client) -> None:
    made = sandbox.create_charge(id="ch_1", amount=5000, amount_refunded=5000, created=7, fingerprint="A")
    assert stripe.get("/charges/ch_1").json() == made
    assert (made["disputed"], made["refunded"], made["created"]) == (False, True, 7)
    assert made["payment_method_details"]["card"]["fingerprint"] == "A"
    sandbox.create_dispute(api="stripe", charge="ch_1", amount=1000)
    assert stripe.get("/charges/ch_1").json() == made | {"disputed": True}


def test_a_charge_without_a_card_and_an_unpaid_one(sandbox: Sandbox) -> None:
    made = sandbox.create_charge(paid=False, fingerprint=None)
    assert (made["status"], made["paid"], made["payment_method_details"]) == (
        "failed",
        False,
        {"type": "link"},
    )


def test_another_charge_becomes_the_disputed_one(sandbox: Sandbox, stripe: httpx.Client) -> None:
    sandbox.create_dispute(api="stripe", id="du_1")
    sandbox.edit_dispute("du_1", charge="ch_other")
    assert stripe.get("/charges/ch_other").json()["disputed"] is True


def test_charges_of_other_accounts_are_not_found(sandbox: Sandbox, stripe: httpx.Client) -> None:
    sandbox.create_charge(id="ch_theirs", account="acct_other")
    sandbox.create_charge(id="ch_live", livemode=True)
    for identifier in ("ch_theirs", "ch_live", "ch_none"):
        answer = stripe.get(f"/charges/{identifier}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
    theirs = stripe.get("/charges/ch_theirs", headers={"Stripe-Account": "acct_other"})
    assert theirs.json()["id"] == "ch_theirs"


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"colour": 1}, "unknown charge field colour"), ({"id": "ch_1"}, "already exists")],
)
def test_an_invalid_charge_is_refused(sandbox: Sandbox, fields: dict[str, object], message: str) -> None:
    sandbox.create_charge(id="ch_1")
    with pytest.raises(SandboxError, match=message):
        sandbox.create_charge(**fields)
