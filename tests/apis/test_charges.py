"""Visa Compelling Evidence 3.0 against the payments that the API returns."""

from __future__ import annotations

from typing import Any

import pytest
from drivers import Driver
from support import Connect

from dispute_provider._apis.stripe_charges import unmet_by
from dispute_provider._apis.stripe_compelling import claim_of, standing
from dispute_provider._evidence.snapshot import Dispute, Programme
from dispute_provider.exceptions import PermissionDeniedError
from dispute_provider.sandbox import Sandbox

DAY = 86400
PAYMENT = {
    "product_description": "A pair of socks",
    "customer_purchase_ip": "192.0.2.7",
    "customer_device_id": "352099001761481",
}
PROGRAMME = "visa_compelling_evidence_3"


def claim(*charges: str) -> dict[str, Any]:
    return {
        "disputed_transaction": {**PAYMENT, "merchandise_or_services": "services"},
        "prior_undisputed_transactions": [{**PAYMENT, "charge": charge} for charge in charges],
    }


def disputed(sandbox: Sandbox, **fields: Any) -> str:
    """A dispute of a charge made just now, and of two older ones of the same card."""
    now = int(sandbox.clock())
    sandbox.create_charge(id="ch_0", created=now)
    sandbox.create_charge(id="ch_120", created=now - 120 * DAY)
    sandbox.create_charge(id="ch_365", created=now - 365 * DAY)
    return str(sandbox.create_dispute(api="stripe", charge="ch_0", **fields)["id"])


def read(driver: Driver, dispute: str) -> Dispute:
    (snapshot,) = driver.run("stripe", lambda api: api.read(dispute))
    found: Dispute = snapshot.dispute
    return found


def unmet(driver: Driver, dispute: str, *charges: str) -> list[str]:
    about = read(driver, dispute)
    (found,) = driver.run("stripe", lambda api: unmet_by(api, about, claim(*charges)))
    return list(found)


def test_all_is_met(sandbox: Sandbox, driver: Driver) -> None:
    assert unmet(driver, disputed(sandbox), "ch_120", "ch_365") == []
    asked = [entry["path"] for entry in sandbox.journal(operation="GetChargesCharge")]
    assert asked == ["/v1/charges/ch_0", "/v1/charges/ch_120", "/v1/charges/ch_365"]


def test_conditions_on_charges(sandbox: Sandbox, driver: Driver) -> None:
    dispute = disputed(sandbox)
    sandbox.create_charge(id="ch_bad", created=int(sandbox.clock()) - 119 * DAY, paid=False, fingerprint="B")
    sandbox.create_dispute(api="stripe", charge="ch_365")
    assert unmet(driver, dispute, "ch_bad", "ch_365") == [
        "earlier payment 1 was not paid",
        "earlier payment 1 was not made with the same card or account",
        "earlier payment 1 is 119 days older than the disputed one, but must be 120 to 365",
        "earlier payment 2 was disputed, too",
    ]


@pytest.mark.parametrize("how", ["null", "removed"])
@pytest.mark.parametrize(
    ("pointer", "problem"),
    [
        ("/created", "it is unknown when earlier payment 1 or the disputed payment was made"),
        ("/paid", "it is unknown whether earlier payment 1 was paid"),
        ("/disputed", "it is unknown whether earlier payment 1 was disputed"),
    ],
)
def test_a_missing_fact_is_reported(
    pointer: str, problem: str, how: str, sandbox: Sandbox, driver: Driver
) -> None:
    dispute = disputed(sandbox)
    edit: dict[str, Any] = {"set": {pointer: None}} if how == "null" else {"remove": [pointer]}
    sandbox.odd(of="ch_120", **edit)
    assert unmet(driver, dispute, "ch_120", "ch_365") == [problem]


@pytest.mark.parametrize("charge", ["ch_none", "no id", "../account"])
def test_a_charge_that_does_not_exist(charge: str, sandbox: Sandbox, driver: Driver) -> None:
    problem = "earlier payment 2 is not an existing charge"
    assert unmet(driver, disputed(sandbox), "ch_120", charge) == [problem]


def test_a_charge_without_permission_to_read_it(sandbox: Sandbox, driver: Driver) -> None:
    dispute = disputed(sandbox)
    sandbox.fault(effect="status", status=403, operation="GetChargesCharge")
    with pytest.raises(PermissionDeniedError):
        unmet(driver, dispute, "ch_120", "ch_365")


def test_facts_of_a_dispute(sandbox: Sandbox, driver: Driver) -> None:
    dispute = disputed(sandbox, enhanced_eligibility_types=[PROGRAMME, "visa_compliance"])
    found = read(driver, dispute)
    assert (found.charge, found.payment_method) == ("ch_0", "card")
    compelling, compliance = found.programmes
    assert (compelling.name, compelling.status) == (PROGRAMME, "requires_action")
    assert "missing_prior_undisputed_transactions" in compelling.required
    assert compliance == Programme("visa_compliance", "requires_fee_acknowledgement")
    note = standing(found)
    assert note is not None and "two earlier, undisputed payments" in note

    sandbox.edit_dispute(dispute, evidence={"enhanced_evidence": {PROGRAMME: claim("ch_120", "ch_365")}})
    found = read(driver, dispute)
    assert found.programmes[0] == Programme(PROGRAMME, "qualified")
    (snapshot,) = driver.run("stripe", lambda api: api.read(dispute, details=True))
    assert snapshot.dispute.charge == "ch_0"
    (held,) = snapshot.evidence
    assert claim_of(held.value) == claim("ch_120", "ch_365")


def test_facts_of_an_older_version(sandbox: Sandbox, driver: Driver, connect: Connect) -> None:
    connect("stripe", extra={"api_version": "2020-08-27", "rate_limit": 1000})
    found = read(driver, disputed(sandbox, enhanced_eligibility_types=[PROGRAMME], payment_method="klarna"))
    assert (found.charge, found.payment_method) == ("ch_0", "klarna")
    assert [programme.name for programme in found.programmes] == [PROGRAMME]
