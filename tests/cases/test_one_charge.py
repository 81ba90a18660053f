"""Open disputes that are for one charge."""

from __future__ import annotations

import disputes

from dispute_provider._workflow.listing import of_one_charge


def test_open_disputes_of_one_charge_are_found() -> None:
    charges = {"du_2": "ch_1", "du_1": "ch_1", "du_3": "ch_2", "du_4": None, "du_5": None}
    listed = [disputes.snapshot(name, charge=charge).dispute for name, charge in charges.items()]
    assert of_one_charge(listed) == {"ch_1": ["du_1", "du_2"]}
