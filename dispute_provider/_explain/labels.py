"""Write an API's names as people do: ``product_not_received`` is "Product not received". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Contract
from dispute_provider._contracts.evidence_fields import SEPARATOR
from dispute_provider._contracts.json_data import Json

_IN = " › "
"""Between the labels of a field and of the fields inside it."""
_SPELLINGS = {
    spelling.lower(): spelling
    for spelling in (
        "3DS", "ACH", "API", "AVS", "CVC", "CVV", "ID", "IDs", "IP", "MIME", "PDF", "SCA", "URL",
        "American", "Amex", "Discover", "JCB", "Mastercard", "Moov", "PayPal", "Stripe", "UnionPay", "Visa",
    )
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")
_PATH = re.compile(rf"{_NAME.pattern}(?:[.{SEPARATOR}]{_NAME.pattern})*")
# Lower-case letters, or capitals with an underscore: not a code such as C08 or MC.
_WORDS = re.compile(r"[a-z]{2}|[A-Z]{3}_[A-Z]|[A-Z]_[A-Z]{3}")
_WORD = re.compile(r"[A-Z]+s?(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


def label(name: str, api: str | None = None) -> str:
    """Return an enum value, or the name of a field, as people write it.

    ``product_not_received`` becomes "Product not received", ``receipt_url`` becomes "Receipt URL". The titles
    that a contract gives its evidence fields, and its ``x-labels``, take precedence over this rule. A field
    inside another is named by its path, such as ``appeal/card/reason_for_filing``. Text that is not a name is
    returned unchanged: a network's description of a reason, or a code such as ``10.4``.

    :param api: the API whose contract has the name; None, the default, for a name of this package.
    """
    known: Mapping[str, str] = _labels(contract.load(api)) if api else {}
    if name in known and SEPARATOR not in name:
        return known[name]
    if not _PATH.fullmatch(name) or not _WORDS.search(name):
        return name
    steps = re.split(rf"[.{SEPARATOR}]", name)
    paths = [SEPARATOR.join(steps[: end + 1]) for end in range(len(steps))]
    return _IN.join(
        known.get(path) or known.get(step) or _spelled(step) for path, step in zip(paths, steps, strict=True)
    )


def labels(names: Iterable[str], api: str | None = None) -> dict[str, str]:
    """Return the label of each name.

    :param api: as in :func:`label`.
    """
    return {name: label(name, api) for name in names}


def capital(text: str) -> str:
    """Return a text as the start of a line."""
    return text[:1].upper() + text[1:]


def _spelled(name: str) -> str:
    """Return the words of a name, separated by spaces, the first with a capital."""
    words = [_SPELLINGS.get(word.lower(), word.lower()) for word in _WORD.findall(name)]
    return capital(" ".join(words))


@cache
def _labels(api: Contract) -> Mapping[str, str]:
    """Return the labels that a contract gives, by the name or the path of a field."""
    titles = dict(_titles(api, api.resolve(api.evidence)))
    return MappingProxyType({**titles, **api.document.get("x-labels", {})})


def _titles(api: Contract, schema: Json, path: str = "") -> Iterator[tuple[str, str]]:
    schema = api.resolve(schema)
    if "items" in schema:
        yield from _titles(api, schema["items"], path)
    for name, given in schema.get("properties", {}).items():
        field = api.resolve(given)
        if "title" in field:
            yield f"{path}{name}", field["title"]
        yield from _titles(api, field, f"{path}{name}{SEPARATOR}")
