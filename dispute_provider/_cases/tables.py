"""Bind the parameters of a query for open disputes, and make cases from its rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.engine.default import DefaultDialect

from dispute_provider._cases.plain_values import ValueRefusedError, plain
from dispute_provider._evidence.case_errors import dispute_id
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider.exceptions import DisputeError

_STYLES = {"%s": "format", "?": "qmark"}
# Columns that are about the case itself; all others are facts.
_OWN = {"template", "product", "prepared_by", "customer_contacted", "account"}
_FACTS, _EVIDENCE, _FILE = "facts", "evidence", "file"
_GROUPS = {_EVIDENCE, "metadata", _FACTS}
# A list in brackets, as databases without lists of parameters need it.
_BRACKETED = re.compile(r"\bin\s*\(\s*(:(?:disputes|charges))\s*\)", re.IGNORECASE)
# Without facts, these still call for a template.
_NEED_TEMPLATE = {"template", "product"}
_LIST = "[]"
# Where an empty text stands for no value; facts that are empty count as missing anyway.
_NO_FACTS = {*_OWN, _EVIDENCE, "metadata"}
_KEYS = ("dispute", "charge")
_BOOLEANS = ("customer_contacted", "optional")
_SYNTAX_OR_ACCESS = "42"


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
    # Editors on Windows begin a file with a byte order mark.
    sql = sql.removeprefix("\ufeff")
    if not sql.strip():
        raise TableError("it is empty; write one SELECT")
    known: dict[str, Any] = {
        "disputes": [each.id for each in found] or [None],
        "charges": [each.charge for each in found if each.charge] or [None],
        "provider": provider,
    }
    query = text(_BRACKETED.sub(r"IN \1", sql))
    names = query.compile().params.keys()
    if unknown := sorted(names - known.keys()):
        allowed = ", ".join(f":{name}" for name in known)
        cure = f"there are {allowed}; a colon that begins no parameter is written \\:"
        raise TableError(f"it has the unknown parameter :{unknown[0]}; {cure}")
    query = query.bindparams(*(bindparam(name, known[name], expanding=name != "provider") for name in names))
    # Without parameters, drivers leave %% as it is.
    style = _STYLES[placeholder] if names else "qmark"
    dialect = DefaultDialect(paramstyle=style)  # type: ignore[arg-type]  # one of SQLAlchemy's
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), [compiled.params[name] for name in compiled.positiontup or ()]


@dataclass(frozen=True, slots=True)
class FromRows:
    """The cases in the rows of a query.

    :param cases: in the order of their first rows.
    :param of_others: how many rows are for none of the disputes that were asked about.
    :param differing: by the ids of the disputes that have several cases, the columns in which those differ.
    """

    cases: list[dict[str, Any]]
    of_others: int
    differing: Mapping[str, Sequence[str]] = field(default_factory=dict)


def cases_from_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], provider: str, disputes: Iterable[Dispute]
) -> FromRows:
    """Return the cases in the rows of a query.

    The column ``dispute``, or ``charge`` where that is null, names the dispute. Rows of one dispute that
    differ only in columns whose name ends in ``[]`` are one case, with lists of these; other differences make
    several cases, which staging refuses. Columns with null are left out. A name wholly in upper case counts
    as in lower case: Oracle and Snowflake return names without quotes so.

    :param disputes: the disputes to make cases for; rows of others are left out.
    :raises TableError: if neither column is there, or two columns cannot stand together.
    """
    # The first name of an exported file may begin with a byte order mark.
    columns = [name.removeprefix("\ufeff") for name in columns]
    columns = [name.lower() if name.isupper() else name for name in columns]
    if repeated := next((name for name in columns if columns.count(name) > 1), None):
        raise TableError(f"its column {repeated} is there twice; rename one of them")
    if not set(_KEYS) & set(columns):
        there = ", ".join(map(shown, columns))
        cure = "name the column with its id so, as in o.payment AS charge"
        raise TableError(f"it returns neither a column dispute nor a column charge, but {there}; {cure}")
    ids: dict[tuple[str, Any], list[str]] = {}
    for each in disputes:
        ids.setdefault(("dispute", each.id), []).append(each.id)
        ids.setdefault(("charge", each.charge), []).append(each.id)
    of_others = 0
    gathered: dict[str, list[tuple[dict[str, Any], dict[str, list[Any]]]]] = {}
    for row in rows:
        values = {name: _json(name, value) for name, value in zip(columns, row, strict=True)}
        single = {
            name: value for name, value in values.items() if not name.endswith(_LIST) and name not in _KEYS
        }
        named = _named(values, ids)
        of_others += not named
        for dispute in named:
            groups = gathered.setdefault(dispute, [])
            lists = next((lists for known, lists in groups if known == single), None)
            if lists is None:
                groups.append((single, lists := {}))
            for name, value in values.items():
                if name.endswith(_LIST) and value is not None:
                    lists.setdefault(name.removesuffix(_LIST), []).append(value)
    cases = [
        _case(provider, dispute, {**single, **lists})
        for dispute, groups in gathered.items()
        for single, lists in groups
    ]
    differing = {
        dispute: [
            name for name in groups[0][0] if any(each[name] != groups[0][0][name] for each, _ in groups)
        ]
        for dispute, groups in gathered.items()
        if len(groups) > 1
    }
    return FromRows(cases, of_others, differing)


def _named(values: Mapping[str, Any], ids: Mapping[tuple[str, Any], Sequence[str]]) -> Sequence[str]:
    """Return the ids of the disputes that a row is for."""
    key = next((name for name in _KEYS if values.get(name) is not None), "")
    # Columns of a fixed width are filled with spaces.
    value = str(values.get(key)).strip()
    return ids.get((key, dispute_id(value) if key else value), ())


def _case(provider: str, dispute: str, values: Mapping[str, Any]) -> dict[str, Any]:
    case: dict[str, Any] = {"provider": provider, "dispute": dispute, _FACTS: {}}
    for name, value in values.items():
        path = name.split(".")
        if value is None or (path[0] in _NO_FACTS and _is_blank(value)):
            continue
        if path[0] not in _GROUPS and name not in _OWN:
            path = [_FACTS, *path]
        if path[0] == _EVIDENCE and path[-1] == _FILE and isinstance(value, list):
            path, value = path[:-1], [{_FILE: each} for each in value]
        place = case
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise TableError(f"its columns {name} and {part} cannot stand together; rename one of them")
        _put(place, path, _as_in_a_case(path, value), name)
    if not case[_FACTS] and _EVIDENCE in case and not _NEED_TEMPLATE & case.keys():
        del case[_FACTS]
    return case


def _put(place: dict[str, Any], path: Sequence[str], value: Any, name: str) -> None:
    """Write a value into a case; an object joins the columns that stand for parts of it.

    :raises TableError: if there is a value already.
    """
    there = place.get(path[-1])
    if isinstance(there, dict) and isinstance(value, dict) and not there.keys() & value.keys():
        there.update(value)
    elif path[-1] in place:
        raise TableError(f"its column {name} is there twice, or stands for an object; rename it")
    else:
        place[path[-1]] = value


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _as_in_a_case(path: Sequence[str], value: Any) -> Any:
    """Return a value as its place in a case takes it; a fact stays as it is."""
    if path[0] in _OWN and isinstance(value, str):
        # Columns of a fixed width are filled with spaces.
        return value.strip()
    if path[0] == _FACTS or not isinstance(value, int):
        return value
    if path[-1] in _BOOLEANS and value in (0, 1):
        # Some databases have no booleans.
        return bool(value)
    return value if isinstance(value, bool) else str(value)


def reason_of(error: Exception) -> str:
    """Return why a query fails, as far as the database says it without a value of a row; empty otherwise."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    if str(state).startswith(_SYNTAX_OR_ACCESS):
        return str(getattr(getattr(error, "diag", None), "message_primary", None) or "")
    return str(error) if getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR" else ""


def _json(name: str, value: Any) -> Any:
    """Return a value of a row as a fact."""
    try:
        return plain(value)
    except ValueRefusedError as refused:
        raise TableError(f"its column {name} {refused.problem}; cast it to text") from None
