"""Assess whether evidence suits the reason of its dispute, and name what is missing and why. Pure.

The evidence recommended for each reason is data in each API's contract, under ``x-completeness``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache, partial, reduce
from typing import Protocol

import msgspec

from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.json_data import Json
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider._explain.labels import label

PRODUCTS = ("physical", "digital", "service")
# For an API whose contract has no completeness rules.
_NO_RULES: Json = {"decides": "reason", "codes": {}, "background": (), "more": (), "warnings": ()}


class Verdict(StrEnum):
    """How much of the recommended evidence is present.

    ``ready``: all of it; ``weak``: some of it; ``missing``: none of it; ``unknown``: no evidence is
    recommended for this reason.
    """

    READY = "ready"
    WEAK = "weak"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """A verdict and its grounds.

    :param missing: names of missing evidence that is recommended for the reason, each with why it matters.
    :param more: names of missing evidence that helps with any reason; it does not affect the verdict.
    :param notes: what the reviewer should know about the verdict.
    :param warnings: fees, and conditions under which the evidence is ignored.
    """

    verdict: Verdict
    missing: tuple[tuple[str, str], ...] = ()
    more: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class NamedEvidence(Protocol):
    """One piece of evidence, of a case or of a dispute."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> object:
        """Return its value: a mapping for structured evidence."""


def assess(
    api: Contract, dispute: Dispute, product: str | None, evidence: Iterable[NamedEvidence]
) -> Assessment:
    """Compare evidence with what is recommended for the reason of its dispute.

    A stage that accepts other evidence than the rest has one list for all reasons. If the recommended
    evidence depends on the product and none is given, ``missing`` names what all products need, and the
    verdict is ``weak`` unless it is the same for all of them.

    :param product: ``physical``, ``digital`` or ``service``; None if the case does not state it.
    :param evidence: everything that a submission would send; several pieces of one name count separately.
    """
    if "x-completeness" not in api.document:
        return Assessment(Verdict.UNKNOWN, notes=(f"No recommendations are known for {api.title}",))
    table: Json = api.document["x-completeness"]
    held = _held(evidence)
    if own := table.get("stages", {}).get(dispute.stage):
        return _assess_stage(table, own["evidence"], dispute, held)
    code = getattr(dispute, table["decides"]) or ""
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
        notes=(*_doubts(api, code, lists, rows, unsure), *_texts(rules, dispute, held)),
        warnings=(
            *_texts(table["warnings"], dispute, held),
            *(f"Contesting {fee}" for fee in [_fee_in_words(table, dispute)] if fee),
        ),
    )


def recommended(
    api: Contract, *, stage: str | None, reason: str | None, network_code: str | None
) -> dict[str, str]:
    """Return the evidence that is recommended for a reason with any product, each with why it matters."""
    table: Json = api.document.get("x-completeness", _NO_RULES)
    if own := table.get("stages", {}).get(stage):
        names = own["evidence"]
    else:
        code = {"reason": reason, "network_code": network_code}[table["decides"]]
        rows, _ = _rows(api, _key(api, code or ""), PRODUCTS, None)
        names = dict.fromkeys(name for row in rows for name in row)
    return {name: table["why"][name] for name in names}


def reason_in_words(api: Contract, reason: str) -> str:
    """Return a dispute's reason as people write it; of a network's code, the title of its evidence."""
    words = label(reason, api.api)
    table: Json = api.document.get("x-completeness", _NO_RULES)
    lists = table["codes"].get(_key(api, reason), ()) if words == reason else ()
    titles = [table["lists"][name]["title"] for name in lists]
    return " or ".join([titles[0], *(title.lower() for title in titles[1:])]) if titles else words


def _assess_stage(table: Json, suits: Sequence[str], dispute: Dispute, held: Counter[str]) -> Assessment:
    """Compare evidence with what is recommended at a stage that has one list for all reasons."""
    row = Counter(suits)
    return Assessment(
        verdict=_verdict(row, held),
        missing=tuple((name, table["why"][name]) for name in _lacking(row, held)),
        warnings=tuple(_texts(table["warnings"], dispute, held)),
    )


def _doubts(
    api: Contract, code: str, lists: Sequence[Json], rows: Sequence[Counter[str]], unsure: str | None
) -> Iterator[str]:
    """Return why the verdict is uncertain."""
    titles = " or ".join(each["title"].lower() for each in lists)
    if unsure:
        names = ", ".join(label(name, api.api) for name in rows[0])
        yield f"{unsure}. Recommended for {titles}: {names}"
    elif not any(rows):
        reason = f"the reason {label(code, api.api)}" if code else "a dispute without a reason"
        yield f"No evidence is recommended for {reason}"
    elif len(lists) > 1:
        yield f"The code {code} covers {titles}; the evidence recommended for each of them is listed"
    if len(rows) > 1:
        yield (
            "The case states no product (physical, digital or service); only the evidence recommended for "
            "all of them is listed"
        )


def fee_refusal(api: Contract, dispute: Dispute, evidence: Iterable[NamedEvidence]) -> str | None:
    """Return why a case must not be staged because of a network's fee; None if it may be.

    Contesting a compliance case costs a network fee, which the case must accept in that network's own field.

    :param evidence: the evidence of the case; a fee that a colleague accepted on the dispute does not count.
    """
    table: Json = api.document.get("x-completeness", _NO_RULES)
    if dispute.stage in table.get("stages", {}):
        # This stage has no field that accepts a fee.
        return None
    fees: Json = table.get("fees", {}).get("networks", {})
    held = _held(piece for piece in evidence if piece.value)
    due = _network_of_fee(table, dispute)
    problems = [
        f"its case accepts {fee['title']}'s fee, which does not apply; "
        f"remove {fee['agreement']} from the case"
        for name, fee in fees.items()
        if name != due and fee["agreement"] in held
    ]
    if due is None and _is_compliance(table, dispute):
        problems.append("contesting a compliance case costs a fee, and the API does not name the network")
    elif due is not None and fees[due]["agreement"] not in held:
        to_do = f"to accept it, set {fees[due]['agreement']} to true in the case"
        problems.append(f"contesting {_fee_in_words(table, dispute)}; {to_do}")
    return "; ".join(problems) or None


def longest_match(codes: Iterable[str], given: str) -> str | None:
    """Return the longest code that the given code starts with, comparing whole numbers.

    ``12.6.1`` starts with ``12.6``; ``13.10`` does not start with ``13.1``.
    """
    parts = _parts(given)
    return max(
        (code for code in codes if _parts(code) == parts[: len(_parts(code))]),
        key=lambda code: len(_parts(code)),
        default=None,
    )


@lru_cache(maxsize=1024)
def _key(api: Contract, code: str) -> str | None:
    return longest_match(api.document.get("x-completeness", _NO_RULES)["codes"], code)


@lru_cache(maxsize=1024)
def _parts(code: str) -> list[str]:
    return re.findall(r"[0-9]+|[A-Z_]+", code.upper())


def _held(evidence: Iterable[NamedEvidence]) -> Counter[str]:
    """Count the pieces of evidence by name; the members of structured evidence count by their paths."""
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
    """Return the distinct lists of evidence recommended for some products, and what they have in common."""
    table: Json = api.document.get("x-completeness", _NO_RULES)
    lists = [table["lists"][name] for name in table["codes"].get(code, ())]
    rows = [_row(lists, product, network) for product in products]
    different = tuple(row for place, row in enumerate(rows) if row not in rows[:place])
    return different, reduce(Counter.__and__, different)


def _row(lists: Iterable[Json], product: str, network: str | None) -> Counter[str]:
    """Return how many pieces of each name are recommended: the most that any of the lists asks for."""
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
    """Return the names of which too few pieces are present."""
    return [name for name, count in row.items() if held.get(name, 0) < count]


def _texts(rules: Iterable[Json], dispute: Dispute, held: Counter[str]) -> list[str]:
    """Return the texts of the rules whose ``when`` matches the dispute and whose ``unless`` is absent."""
    return [
        rule["text"]
        for rule in rules
        if _matches(rule.get("when", {}), dispute) and rule.get("unless") not in held
    ]


def _matches(facts: Json, dispute: Dispute) -> bool:
    for name, value in facts.items():
        if value not in _programmes(dispute) if name == "programmes" else getattr(dispute, name) != value:
            return False
    return True


def _programmes(dispute: Dispute) -> list[str]:
    return [each.name for each in dispute.programmes if each.status != "not_qualified"]


def _is_compliance(table: Json, dispute: Dispute) -> bool:
    fees: Json = table.get("fees", {})
    is_listed = any(map(partial(_matches, dispute=dispute), fees.get("of", ())))
    return is_listed or _network_by_programme(fees, dispute) is not None


def _network_by_programme(fees: Json, dispute: Dispute) -> str | None:
    if not dispute.programmes:
        return None
    named = {each.name for each in dispute.programmes}
    networks: Json = fees.get("networks", {})
    return next((name for name, fee in networks.items() if fee["programme"] in named), None)


def _network_of_fee(table: Json, dispute: Dispute) -> str | None:
    """Return the network whose fee the dispute costs; None if it costs none or the network is not known."""
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
    return f"this {fee['title']} compliance case costs {fee['fee']}"
