"""A connection of each type is filled in as its form asks for it, and tested with the button."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from playwright.sync_api import expect

from dispute_provider.sandbox import (
    MOOV_ACCOUNT,
    MOOV_PUBLIC_KEY,
    MOOV_SECRET_KEY,
    STRIPE_ACCOUNT,
    STRIPE_KEY,
)
from tests.e2e.pages import choose, field, section
from tests.e2e.person import Person
from tests.harness.lab import Lab

_FORMS: Mapping[str, tuple[str, Mapping[str, str], Mapping[str, str], str]] = {
    "stripe": (
        "Stripe",
        {"Secret or restricted key": STRIPE_KEY},
        {"Mode": "test"},
        f"Reached Stripe account {STRIPE_ACCOUNT}, test mode, ",
    ),
    "moov": (
        "Moov",
        {"Public key": MOOV_PUBLIC_KEY, "Secret key": MOOV_SECRET_KEY},
        {"Mode": "sandbox", "Authentication": "oauth2"},
        f"Reached Moov account {MOOV_ACCOUNT}",
    ),
}


@pytest.mark.parametrize("kind", sorted(_FORMS))
def test_a_connection_is_filled_in_and_tested(kind: str, lab: Lab, admin: Person) -> None:
    title, keys, choices, reached = _FORMS[kind]
    page = admin.page
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(f"{kind}_by_hand")
    choose(form.get_by_role("combobox", name="Connection Type"), title)

    form.get_by_label("Stand-in host").fill(lab.sandbox.url)
    form.get_by_label("Stand-in port").fill("0")
    for label, value in keys.items():
        form.get_by_label(label).fill(value)
    admin.shoot(f"a-connection-{kind}-1-keys")
    section(form, "Extra Fields")
    for label, value in choices.items():
        choose(form.get_by_role("combobox", name=label), value)
    if kind == "moov":
        field(form, "Account").fill(MOOV_ACCOUNT)
    admin.shoot(f"a-connection-{kind}-2-extras")
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)

    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=f"{kind}_by_hand", exact=True))
    row.get_by_role("button", name="Test Connection").click()
    status = page.get_by_role("status").filter(has_text="Test Connection Successful")
    expect(status).to_contain_text(reached)
    admin.shoot(f"a-connection-{kind}-3-tested")


def test_a_wrong_key_is_said_by_the_test_button(lab: Lab, admin: Person) -> None:
    page = admin.page
    wrong = {"connection_id": "stripe_wrong", "conn_type": "stripe", "host": lab.sandbox.url, "port": 0}
    lab.admin.add("connections", {**wrong, "password": "sk_test_of_somebody_else"})
    page.goto("/connections")
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="stripe_wrong", exact=True))
    row.get_by_role("button", name="Test Connection").click()
    status = page.get_by_role("status").filter(has_text="Test Connection Failed")
    expect(status).to_contain_text("check the key of the Airflow connection")
    admin.shoot("a-connection-stripe-wrong-key")
