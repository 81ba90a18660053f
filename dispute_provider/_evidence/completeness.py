"""Assess whether evidence suits the reason of its dispute: what is missing, and why it matters. Pure.

What suits which reason is data: it stands in each API's contract, under ``x-completeness``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache, reduce
from typing import Protocol

import msgspec

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import Json
from dispute_provider._evidence.snapshot import Dispute

PRODUCTS = ("physical", "digital", "service")
# For an API whose contract says nothing of this.
_NOTHING: Json = {"decides": "reason", "codes": {}, "background": (), "more": (), "warnings": ()}


class Verdict(StrEnum):
    """How much is there of what suits the reason: all, some, nothing; or nobody knows what suits."""

    READY = "ready"
    WEAK = "weak"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """A verdict and its grounds.

    :param missing: names of evidence that suits the reason and is not there, each with why it matters.
    :param more: names of evidence that helps with any reason and is not there; it decides nothing.
    :param warnings: what costs money, or makes the evidence worthless.
    """

    verdict: Verdict
    missing: tuple[tuple[str, str], ...] = ()
    more: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class NamedEvidence(Protocol):
    """One piece of evidence, of a case or of what an API holds."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> object:
        """A mapping where it is structured."""


def assess(
    api: Contract, dispute: Dispute, product: str | None, evidence: Iterable[NamedEvidence]
) -> Assessment:
    """Compare evidence with what suits the reason of its dispute.

    A stage that takes evidence of its own has a list of its own, whatever the reason.
    Where the kind of product is not said, and decides, ``missing`` names what every kind asks for, and the
    verdict is *weak* unless it is the same for every kind.

    :param product: ``physical``, ``digital`` or ``service``; None where nobody said.
    :param evidence: all that a submission would send; of several pieces of one name each counts.
    """
    table: Json = api.document.get("x-completeness", _NOTHING)
    held = _held(evidence)
    if own := table.get("stages", {}).get(dispute.stage):
        return _assess_stage(table, own["evidence"], dispute, held)
    code = getattr(dispute, table["decides"]) or "that nobody tells"
    key = _key(api, code)
    lists: list[Json] = [table["lists"][name] for name in table["codes"].get(key, ())]
    kinds = (product,) if product in PRODUCTS else PRODUCTS
    rows, common = _rows(api, key, kinds, dispute.network)
    unsure = table.get("unsure", {}).get(key)
    known = any(rows) and not unsure
    wanted = common if known else Counter()
    verdicts = {_verdict(row, held) for row in rows} if known else {Verdict.UNKNOWN}
    rules = [rule for each in lists for rule in each.get("notes", ())]
    more = [
        name for name in (*table["background"], *table["more"]) if name not in held and name not in wanted
    ]
    return Assessment(
        verdict=verdicts.pop() if len(verdicts) == 1 else Verdict.WEAK,
        missing=tuple((name, table["why"][name]) for name in _lacking(wanted, held)),
        more=tuple(more),
        notes=(*_doubts(code, lists, rows, unsure), *_said(rules, dispute, held)),
        warnings=(*_said(table["warnings"], dispute, held), *filter(None, [_fee_in_words(table, dispute)])),
    )


def _assess_stage(table: Json, suits: Sequence[str], dispute: Dispute, held: Counter[str]) -> Assessment:
    """Compare evidence with what suits a stage that takes evidence of its own, whatever the reason."""
    row = Counter(suits)
    return Assessment(
        verdict=_verdict(row, held),
        missing=tuple((name, table["why"][name]) for name in _lacking(row, held)),
        warnings=tuple(_said(table["warnings"], dispute, held)),
    )


def _doubts(
    code: str, lists: Sequence[Json], rows: Sequence[Counter[str]], unsure: str | None
) -> Iterator[str]:
    """What the verdict does not know."""
    titles = " or ".join(each["title"].lower() for each in lists)
    if unsure:
        yield f"{unsure}; were it {titles}: {', '.join(rows[0])}"
    elif not any(rows):
        yield f"no list says which evidence suits the reason {code}"
    elif len(lists) > 1:
        yield f"the code {code} stands for {titles}: what any of them asks for is listed"
    if len(rows) > 1:
        yield "the case does not say its product, physical, digital or service, which decides what suits"


def fee_refusal(api: Contract, dispute: Dispute, evidence: Iterable[NamedEvidence]) -> str | None:
    """Why a case must not be staged as it stands, for a network's fee; None if nothing speaks against it.

    Contesting a compliance case costs a fee, and the case has to agree to that network's by name.

    :param evidence: the case's own; what a colleague agreed to on the dispute is no agreement.
    """
    table: Json = api.document.get("x-completeness", _NOTHING)
    if dispute.stage in table.get("stages", {}):
        # It takes no agreement to a fee.
        return None
    fees: Json = table.get("fees", {}).get("networks", {})
    held = _held(piece for piece in evidence if piece.value)
    due = _network_of_fee(table, dispute)
    problems = [
        f"it agrees to {fee['title']}'s fee, which is not asked for: take {fee['agreement']} out of the case"
        for name, fee in fees.items()
        if name != due and fee["agreement"] in held
    ]
    if due is None and _is_compliance(table, dispute):
        problems.append("contesting a compliance case costs a fee, and the API does not say which network's")
    elif due is not None and fees[due]["agreement"] not in held:
        to_do = f"to agree to it, set {fees[due]['agreement']} to true in the case"
        problems.append(f"{_fee_in_words(table, dispute)}; {to_do}")
    return "; ".join(problems) or None


def longest_match(codes: Iterable[str], given: str) -> str | None:
    """The code that the given one begins with, none of its numbers cut: 12.6 of 12.6.1, not 13.1 of 13.10."""
    parts = _parts(given)
    return max(
        (code for code in codes if _parts(code) == parts[: len(_parts(code))]),
        key=lambda code: len(_parts(code)),
        default=None,
    )


@lru_cache(maxsize=1024)
def _key(api: Contract, code: str) -> str | None:
    return longest_match(api.document.get("x-completeness", _NOTHING)["codes"], code)


@lru_cache(maxsize=1024)
def _parts(code: str) -> list[str]:
    return re.findall(r"[0-9]+|[A-Z_]+", code.upper())


def _held(evidence: Iterable[NamedEvidence]) -> Counter[str]:
    """How often each name is there; what a structure says counts under its path."""
    pieces = list(evidence)
    held = Counter([piece.name for piece in pieces])
    for piece in pieces:
        if piece.value:
            held.update(_paths(piece.name, piece.value))
    return held


def _paths(at: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if item:
                yield f"{at}.{name}"
                yield from _paths(f"{at}.{name}", item)


@lru_cache(maxsize=1024)
def _rows(
    api: Contract, code: str | None, products: Sequence[str], network: str | None
) -> tuple[tuple[Counter[str], ...], Counter[str]]:
    """What suits each kind of product, where two are the same only once; and what suits all of them."""
    table: Json = api.document.get("x-completeness", _NOTHING)
    lists = [table["lists"][name] for name in table["codes"].get(code, ())]
    rows = [_row(lists, product, network) for product in products]
    different = tuple(row for place, row in enumerate(rows) if row not in rows[:place])
    return different, reduce(Counter.__and__, different)


def _row(lists: Iterable[Json], product: str, network: str | None) -> Counter[str]:
    """What suits, and how many of each: of several lists, what any of them asks for."""
    rows = (
        each.get("evidence") or each.get("byProduct", {}).get(product) or each["byNetwork"].get(network, ())
        for each in lists
    )
    return reduce(Counter.__or__, map(Counter, rows), Counter())


def _verdict(row: Counter[str], held: Counter[str]) -> Verdict:
    if not _lacking(row, held):
        return Verdict.READY
    return Verdict.MISSING if held.keys().isdisjoint(row) else Verdict.WEAK


def _lacking(row: Counter[str], held: Counter[str]) -> list[str]:
    """What there is not enough of."""
    return [name for name, count in row.items() if held.get(name, 0) < count]


def _said(rules: Iterable[Json], dispute: Dispute, held: Counter[str]) -> list[str]:
    """What those rules say that are about this dispute, and that its evidence does not make idle."""
    return [
        rule["text"]
        for rule in rules
        if _is_so(rule.get("when", {}), dispute) and rule.get("unless") not in held
    ]


def _is_so(facts: Json, dispute: Dispute) -> bool:
    return all(
        value in _programmes(dispute) if name == "programmes" else getattr(dispute, name) == value
        for name, value in facts.items()
    )


def _programmes(dispute: Dispute) -> list[str]:
    return [each.name for each in dispute.programmes if each.status != "not_qualified"]


def _is_compliance(table: Json, dispute: Dispute) -> bool:
    fees: Json = table.get("fees", {})
    return any(_is_so(facts, dispute) for facts in fees.get("of", ())) or (
        _network_by_programme(fees, dispute) is not None
    )


def _network_by_programme(fees: Json, dispute: Dispute) -> str | None:
    named = {each.name for each in dispute.programmes}
    networks: Json = fees.get("networks", {})
    return next((name for name, fee in networks.items() if fee["programme"] in named), None)


def _network_of_fee(table: Json, dispute: Dispute) -> str | None:
    """Whose fee contesting it costs; None where it costs none, or nobody says whose."""
    fees: Json = table.get("fees", {})
    if not _is_compliance(table, dispute):
        return None
    network = _network_by_programme(fees, dispute) or dispute.network
    return network if network in fees["networks"] else None


def _fee_in_words(table: Json, dispute: Dispute) -> str | None:
    network = _network_of_fee(table, dispute)
    if network is None:
        return None
    fee = table["fees"]["networks"][network]
    return f"contesting this {fee['title']} compliance case costs {fee['fee']}"
