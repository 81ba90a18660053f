"""Bind the parameters of a query for open disputes, and make cases from its rows. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.engine.default import DefaultDialect

from dispute_provider._evidence.snapshot import Dispute
from dispute_provider.exceptions import DisputeError

_STYLES = {"%s": "format", "?": "qmark"}
# Columns that are about the case itself; all others are facts.
_OWN = {"template", "product", "prepared_by", "customer_contacted", "account"}
_GROUPS = {"evidence", "metadata"}
_FACTS = "facts"
_LIST = "[]"
_KEYS = ("dispute", "charge")


class TableError(DisputeError):
    """A query, or what it returned, cannot be used for cases."""


def bind(sql: str, provider: str, disputes: Iterable[Dispute], placeholder: str) -> tuple[str, list[Any]]:
    """Return a query with the placeholders of its database, and the values for them.

    ``:disputes`` and ``:charges`` become lists, for ``IN``; ``:provider`` is the name of the API.

    :param placeholder: ``%s`` or ``?``.
    :raises TableError: if the query has another parameter, or the database another kind of placeholder.
    """
    if placeholder not in _STYLES:
        raise TableError(f"its database marks parameters with {placeholder}, which is not supported")
    found = list(disputes)
    known: dict[str, Any] = {
        "disputes": [each.id for each in found] or [None],
        "charges": [each.charge for each in found if each.charge] or [None],
        "provider": provider,
    }
    query = text(sql)
    names = query.compile().params.keys()
    if unknown := sorted(names - known.keys()):
        allowed = ", ".join(f":{name}" for name in known)
        raise TableError(f"it has the unknown parameter :{unknown[0]}; there are {allowed}")
    query = query.bindparams(*(bindparam(name, known[name], expanding=name != "provider") for name in names))
    dialect = DefaultDialect(paramstyle=_STYLES[placeholder])  # type: ignore[arg-type]  # one of SQLAlchemy's
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]


def cases_from_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], provider: str, disputes: Iterable[Dispute]
) -> Iterator[dict[str, Any]]:
    """Yield the cases in the rows of a query, in the order of their first rows.

    The column ``dispute`` or ``charge`` names the dispute. Rows of one dispute that differ only in columns
    whose name ends in ``[]`` are one case, with lists of these; other differences make several cases, which
    staging refuses. Columns with null are left out.

    :param disputes: the disputes to make cases for; rows of others are left out.
    :raises TableError: if neither column is there, or two columns cannot stand together.
    """
    key = next((name for name in _KEYS if name in columns), None)
    if key is None:
        raise TableError("it returns neither a column dispute nor a column charge")
    ids: dict[Any, list[str]] = {}
    for each in disputes:
        ids.setdefault(each.id if key == "dispute" else each.charge, []).append(each.id)
    gathered: dict[str, list[tuple[dict[str, Any], dict[str, list[Any]]]]] = {}
    for row in rows:
        values = {name: _json(name, value) for name, value in zip(columns, row, strict=True)}
        single = {
            name: value for name, value in values.items() if not name.endswith(_LIST) and name not in _KEYS
        }
        for dispute in ids.get(values[key], ()):
            groups = gathered.setdefault(dispute, [])
            lists = next((lists for known, lists in groups if known == single), None)
            if lists is None:
                groups.append((single, lists := {}))
            for name, value in values.items():
                if name.endswith(_LIST) and value is not None:
                    lists.setdefault(name.removesuffix(_LIST), []).append(value)
    for dispute, groups in gathered.items():
        for single, lists in groups:
            yield _case(provider, dispute, {**single, **lists})


def _case(provider: str, dispute: str, values: Mapping[str, Any]) -> dict[str, Any]:
    case: dict[str, Any] = {"provider": provider, "dispute": dispute, _FACTS: {}}
    for name, value in values.items():
        if value is None:
            continue
        path = name.split(".")
        if path[0] not in _GROUPS and name not in _OWN:
            path = [_FACTS, *path]
        place = case
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise TableError(f"its columns {name} and {part} cannot stand together; rename one of them")
        if path[-1] in place:
            raise TableError(f"its column {name} is there twice, or stands for an object; rename it")
        # Some databases have no booleans.
        place[path[-1]] = bool(value) if name == "customer_contacted" and value in (0, 1) else value
    return case


def _json(name: str, value: Any) -> Any:
    """Return a value of a row as a fact; exact numbers and times become texts."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    raise TableError(f"its column {name} is of the type {type(value).__name__}; cast it to text")
