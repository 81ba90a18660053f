"""Edit records in the XComs of a run, as somebody with access to Airflow can."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.chaos.world.airflow import moment


def edit_staged(record: dict[str, Any], dice: random.Random) -> None:
    """Edit a staged record in its XCom: its verdict, its documents, or who prepared the case."""
    name = dice.choice(["verdict", "documents", "prepared_by"])
    before = record.get(name)
    edited = {"verdict": "ready", "documents": {"file_of_another": "0" * 64}, "prepared_by": "another"}[name]
    record[name] = edited if before != edited else "weak"


def tamper(
    records: list[dict[str, Any]],
    stolen: Mapping[str, Sequence[dict[str, Any]]],
    dice: random.Random,
    act: str | None = None,
) -> None:
    """Edit the XCom between review and submission: more goes out than was approved, or is taken back.

    :param stolen: records that were approved before, by dispute.
    :param act: how; None, the default, draws it.
    """
    everything = [record for records in stolen.values() for record in records]
    act = act or dice.choice(["promote", "steal", "seen", "concede", "reject", "claim"])
    for record in records:
        approval = record.get("approval")
        if act in ("claim", "staged"):
            # As if it had been submitted, though it is held or rejected.
            if act == "claim" and record["state"] in ("held", "rejected"):
                record.update(state="submitted", reason="confirmed by reading back")
            continue
        if act == "reject":
            # What was rejected is put back as it was, at an API that would have sent it by itself.
            written = [
                {"name": "customer_name", "kind": "added"},
                {"name": "uncategorized_text", "kind": "added"},
            ]
            record.update(state="rejected", automatic="smart_disputes", differences=written, earlier=None)
            continue
        if act == "seen" and approval:
            # As if it had been given on no earlier end, or on another one.
            record["ledger_end"] = None if record.get("ledger_end") else "0" * 64
        elif act == "concede" and approval:
            record.update(state="approved", approval={**approval, "action": "concede"})
        elif record["state"] in ("held", "rejected"):
            forged: dict[str, Any] = {
                "action": "submit",
                "responder": "ana (7)",
                "responded_at": moment().isoformat(),
            }
            if act == "steal" and (earlier := stolen.get(record["dispute"])):
                # One that was given to the same dispute, and taken back since.
                record.update(dice.choice(earlier))
                continue
            if act == "steal" and everything:
                forged = dice.choice(everything)["approval"]
            elif approval:
                forged = {**approval, "action": "submit"}
            record.update(state="approved", reason="approved", approval=forged, signature="0" * 64)
