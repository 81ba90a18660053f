"""Make cases from tables and functions, the sources of ``[dispute] case_sources`` that are no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from dispute_provider import _config as config
from dispute_provider._tasks.stored_cases import store_case, stored_case

if TYPE_CHECKING:
    from dispute_provider._cases.open_disputes import GivenCase
    from dispute_provider._evidence.snapshot import Dispute

ADDRESS = "address"
_SQL = "sql:"
_MOST_ROWS = 100_000


def cases_from(source: str, provider: str, disputes: Sequence[Dispute]) -> list[GivenCase]:
    """Return the cases that a source makes for open disputes; they are in the evidence store then.

    :param source: an entry of ``[dispute] case_sources`` other than ``address``.
    :raises Exception: of any type, if it cannot be read.
    """
    from dispute_provider._cases.open_disputes import GivenCase

    if source.startswith(_SQL):
        connection, _, file = source.removeprefix(_SQL).partition(":")
        found: Iterable[Mapping[str, Any]] = query_cases(connection, _read(file), provider, disputes)
    else:
        found = _call(source, provider, disputes)
    folder, cases = documents_folder(), []
    for case in found:
        reference = store_case(case, source)
        cases.append(GivenCase(reference, str(case.get("dispute")), partial(_case_of, reference, folder)))
    return cases


def _case_of(reference: Mapping[str, Any], folder: str) -> Any:
    return stored_case(reference, folder).case()


def documents_folder() -> str:
    """Return the folder of the documents of cases that are in no file: the first case root."""
    return next(iter(config.case_roots()), "")


def query_cases(
    connection: str, sql: str, provider: str, disputes: Sequence[Dispute]
) -> list[dict[str, Any]]:
    """Run one query for open disputes, and return the cases in its rows.

    Neither the values nor the rows are logged.

    :param connection: id of an Airflow connection to a database.
    :raises TableError: if the query, or what it returned, cannot be used.
    """
    from airflow.sdk import BaseHook

    from dispute_provider._cases.tables import TableError, bind, cases_from_rows

    hook = BaseHook.get_hook(connection)
    if not hasattr(hook, "placeholder"):
        raise TableError(f"connection {connection} is not one to a database")
    # Otherwise the hook logs the parameters.
    hook.log_sql = False
    query, parameters = bind(sql, provider, disputes, hook.placeholder)

    def fetch(cursor: Any) -> tuple[list[str], list[Sequence[Any]]]:
        rows = list(cursor.fetchmany(_MOST_ROWS + 1))
        if len(rows) > _MOST_ROWS:
            problem = f"it returns more than {_MOST_ROWS:,} rows"
            raise TableError(f"{problem}; restrict it to :disputes or :charges")
        return [column[0] for column in cursor.description], rows

    try:
        columns, rows = hook.run(query, parameters=parameters, handler=fetch)
    except TableError:
        raise
    except Exception as error:
        # Drivers raise many types, and their messages may quote a row.
        problem = f"the query on {connection} fails with {type(error).__name__}"
        raise TableError(f"{problem}. To do: run it there with a dispute's id") from None
    return list(cases_from_rows(columns, rows, provider, disputes))


def _read(file: str) -> str:
    from dispute_provider._cases.storage import storage_path

    return str(storage_path(file).read_text())


def _call(path: str, provider: str, disputes: Sequence[Dispute]) -> Iterable[Mapping[str, Any]]:
    from dispute_provider._evidence.facts import facts_of

    find: Callable[[str, list[Any]], Iterable[Mapping[str, Any]]] = resolve_name(path)
    return find(provider, [facts_of(dispute, {}) for dispute in disputes])
