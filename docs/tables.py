"""Write the tables of docs/cases.md, evidence.md and faults.md from the code: python docs/tables.py"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._evidence.completeness import PRODUCTS, Assessment, assess
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider._explain.markdown import table
from dispute_provider._ledger import timing
from dispute_provider._ledger.chain import ChainStatus
from dispute_provider._workflow.failures import LEAVES
from dispute_provider._workflow.sending.decisions import AFTER, KEYED_STEPS, STEPS, Reading

PAGES = [Path(__file__).parent / name for name in ("cases.md", "evidence.md", "faults.md")]
CASE_TABLES = runpy.run_path(str(Path(__file__).parent / "case_tables.py"))
STATUSES = {
    ChainStatus.FREE: "no claim, or a released one",
    ChainStatus.OWN_IN_FLIGHT: "an earlier try's, and its request may still arrive",
    ChainStatus.OWN_EXPIRED: f"an earlier try's, older than {timing.TAKEOVER_AFTER:.0f} s",
    ChainStatus.CLAIMED: "another task's",
    ChainStatus.EXPIRED: f"another task's, older than {timing.TAKEOVER_AFTER:.0f} s",
    ChainStatus.SETTLING: "ended, and its request may still arrive",
    ChainStatus.ENDED: "this task's own, ended",
    ChainStatus.UNSEEN: "another's, ended since the approval",
    ChainStatus.DAMAGED: "edited, or not readable",
}


def page(text: str) -> str:
    """Return a page with its tables as they have to be; all else stays."""
    for name, made in {
        "stripe": stripe(),
        "moov": moov(),
        "why-stripe": why("stripe"),
        "why-moov": why("moov"),
        "steps": steps(),
        "after": after(),
        "leaves": leaves(),
        "values": CASE_TABLES["values"](),
        "files": CASE_TABLES["files"](),
    }.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        text = re.sub(f"{start}.*?{end}", lambda _, new=f"{start}\n{made}\n{end}": new, text, flags=re.DOTALL)
    return text


def stripe() -> str:
    rows = []
    for reason in _data("stripe")["codes"]:
        cells = [_names(_found("stripe", kind, reason=reason, network="visa")) for kind in PRODUCTS]
        rows.append([f"`{reason}`", *cells])
    return table(["Reason", *(kind.capitalize() for kind in PRODUCTS)], rows)


def moov() -> str:
    data = _data("moov")
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, lists in data["codes"].items():
        groups.setdefault((*lists, *([code] if code in data["unsure"] else [])), []).append(code)
    rows = []
    for codes in groups.values():
        found = _found("moov", None, reason=codes[0], network_code=codes[0])
        first, *others = [data["lists"][name]["title"] for name in data["codes"][codes[0]]]
        titles = " or ".join([first, *map(str.lower, others)])
        notes = [
            note for note in found.notes if not note.startswith("the code") or codes[0] in data["unsure"]
        ]
        rows.append([" ".join(f"`{code}`" for code in codes), titles, _names(found), "; ".join(notes)])
    return table(["Code", "Kind of dispute", "Evidence", "Note"], rows)


def why(api: str) -> str:
    return table(
        ["Evidence", "Why"], [[f"`{name}`", text] for name, text in sorted(_data(api)["why"].items())]
    )


def steps() -> str:
    """Return what a final call does next, by its claim in the ledger and what the dispute shows."""

    def cell(reading: Reading, status: ChainStatus) -> str:
        step, keyed = STEPS[reading, status], KEYED_STEPS.get((reading, status))
        return f"{step}; under an idempotency key: {keyed}" if keyed else str(step)

    rows = [[title, *(cell(reading, status) for reading in Reading)] for status, title in STATUSES.items()]
    return table(["Claim in the ledger", *(f"Dispute: {reading}" for reading in Reading)], rows)


def after() -> str:
    """Return what a final call does after an answer that no reading confirms."""
    rows = [[str(answered), *map(str, what)] for answered, what in AFTER.items()]
    return table(["Answer", "Moov, no idempotency keys", "Stripe, the same key"], rows)


def leaves() -> str:
    """Return where a failed call leaves a dispute."""
    rows = [
        [str(failure), f"`{state}`", "yes" if again else "no"] for failure, (state, again) in LEAVES.items()
    ]
    return table(["Failure", "State", "Tried again"], rows)


def _found(api: str, product: str | None, **facts: Any) -> Assessment:
    """What is missing where nothing is there: all that suits."""
    dispute = Dispute(
        provider=api, account=None, id="", stage="chargeback", status="", submissions=0, submitted=False,
        submitted_at=None, closed=None, due=None, amount=0, currency="usd", **facts,
    )  # fmt: skip
    return assess(contract.load(api), dispute, product, ())


def _names(found: Assessment) -> str:
    return ", ".join(f"`{name}`" for name, _ in found.missing) or f"*{found.verdict}*"


def _data(api: str) -> dict[str, Any]:
    data: dict[str, Any] = contract.load(api).document["x-completeness"]
    return data


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(page(each.read_text(encoding="utf-8")), encoding="utf-8")
