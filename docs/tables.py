"""Writes the tables of docs/evidence.md anew from what the contracts say: python docs/tables.py"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dispute_provider.contracts import contract
from dispute_provider.evidence.completeness import PRODUCTS, Assessment, assess
from dispute_provider.evidence.snapshot import Dispute
from dispute_provider.explain.markdown import table

PAGE = Path(__file__).parent / "evidence.md"


def page(text: str) -> str:
    """The page with its tables as they have to be; all else stays."""
    for name, made in {
        "stripe": stripe(),
        "moov": moov(),
        "why-stripe": why("stripe"),
        "why-moov": why("moov"),
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
    return table(["Code", "Stands for", "Evidence", "Note"], rows)


def why(api: str) -> str:
    return table(
        ["Evidence", "Why"], [[f"`{name}`", text] for name, text in sorted(_data(api)["why"].items())]
    )


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
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
