"""Make cases from tables and functions, the sources of ``[dispute] case_sources`` that are no files."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dispute_provider import _config as config
from dispute_provider._tasks.stored_cases import refuse_item, store_case, stored_case
from dispute_provider.exceptions import DisputeError

if TYPE_CHECKING:
    from dispute_provider._cases.open_disputes import GivenCase
    from dispute_provider._evidence.snapshot import Dispute

ADDRESS = "address"
_SQL = "sql:"
_MOST_ROWS = 100_000

log = logging.getLogger(__name__)


def cases_from(source: str, provider: str, disputes: Sequence[Dispute]) -> list[GivenCase]:
    """Return the cases that a source makes for open disputes; they are in the evidence store then.

    :param source: an entry of ``[dispute] case_sources`` other than ``address``.
    :raises Exception: of any type, if it cannot be read.
    """
    from dispute_provider._evidence.case_errors import dispute_id
    from dispute_provider._evidence.documents import shown

    if source.startswith(_SQL):
        connection, _, file = source.removeprefix(_SQL).partition(":")
        found: Iterable[Any] = query_cases(connection, _read(file), provider, disputes)
    else:
        found = _call(source, provider, disputes)
    folder, asked = documents_folder(), {each.id for each in disputes}
    cases: list[GivenCase] = []
    for number, case in enumerate(found, 1):
        if case is None:
            continue
        if not isinstance(case, Mapping):
            cases.append(_given(refuse_item(case, number, source), "", folder))
            continue
        if isinstance(named := case.get("dispute"), str):
            # Rows of a file end in spaces or a line break.
            named = dispute_id(named.strip())
            if named not in asked:
                log.info("%s has a case for %s, which is not open or has one already", source, shown(named))
                continue
            case = {**case, "dispute": named}
        cases.append(_given(store_case(case, source), str(named), folder))
    return cases


def _given(reference: Mapping[str, Any], dispute: str, folder: str) -> GivenCase:
    from dispute_provider._cases.open_disputes import GivenCase

    return GivenCase(reference, dispute, partial(_case_of, reference, folder))


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

    from dispute_provider._cases.tables import TableError, bind, cases_from_rows, reason_of
    from dispute_provider._evidence.documents import shown

    try:
        hook = BaseHook.get_hook(connection)
    except Exception as error:
        # The message may quote the connection.
        problem = f"connection {connection} cannot be used: {type(error).__name__}"
        cure = "check that it exists, and that the provider of its type is installed"
        raise TableError(f"{problem}. To do: {cure}") from None
    if not hasattr(hook, "placeholder"):
        raise TableError(f"connection {connection} is not one to a database")
    # Otherwise the hook logs the parameters.
    hook.log_sql = False
    query, parameters = bind(sql, provider, disputes, hook.placeholder)

    def fetch(cursor: Any) -> tuple[list[str], list[Sequence[Any]]]:
        if cursor.description is None:
            raise TableError("it returns no table; write one SELECT and nothing else")
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
        why = f"{type(error).__name__} {reason_of(error)}".strip()
        cure = "check that the database runs and takes the connection's login, and run it there with an id"
        raise TableError(f"the query on {connection} fails with {why}. To do: {cure}") from None
    found = cases_from_rows(columns, rows, provider, disputes)
    log.info(
        "the query on %s returned %d rows, %d of them for none of the disputes that were asked about",
        connection,
        len(rows),
        found.of_others,
    )
    for dispute, names in found.differing.items():
        log.warning(
            "the rows of %s differ in %s, so they are several cases, and none is staged; to take all values "
            "of a column, name it as in %s[]",
            shown(dispute),
            ", ".join(map(shown, names)),
            shown(names[0]),
        )
    return found.cases


def _read(file: str) -> str:
    from dispute_provider._cases.storage import PathRefusedError, storage_path
    from dispute_provider._cases.tables import TableError
    from dispute_provider._evidence.case_errors import unreadable

    if not file:
        raise TableError("it names no file; write it as sql:connection:file")
    try:
        return str(storage_path(file).read_bytes().decode())
    except UnicodeDecodeError:
        raise TableError(f"its query {file} is not UTF-8; save the file as UTF-8") from None
    except PathRefusedError as refused:
        raise TableError(f"its query {file}: {refused}") from None
    except OSError as error:
        problem, remedy = unreadable(error)
        raise TableError(f"its query {file}: {problem}; {remedy} on the workers") from None


def _call(path: str, provider: str, disputes: Sequence[Dispute]) -> Iterable[Any]:
    from dispute_provider._cases.tables import TableError
    from dispute_provider._evidence.facts import facts_of

    find = _found(path)
    if not callable(find):
        raise TableError(f"{path} is no function, but {type(find).__name__}; name a function")
    try:
        found = find(provider, [facts_of(dispute, {}) for dispute in disputes])
        if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
            raise TableError(f"it returns {type(found).__name__}; return a list of cases, each a dict")
        return list(found)
    except DisputeError:
        raise
    except Exception as error:
        # Its message may quote a customer.
        raise TableError(f"it fails with {type(error).__name__} {_place(error)}") from None


def _found(path: str) -> Any:
    """Return what is at a path such as ``package.module.function``. Each module is imported once.

    :raises TableError: if a module cannot be imported, or has nothing of that name.
    """
    from dispute_provider._cases.tables import TableError

    first, *names = path.replace(":", ".").split(".")
    module = first
    try:
        found: Any = import_module(module)
        for name in names:
            module = f"{module}.{name}"
            found = getattr(found, name) if hasattr(found, name) else import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            problem = f"the module of {path} needs {error.name}, which is not installed on the workers"
            raise TableError(f"{problem}; install it") from None
        cure = "name it as package.module.function, importable on the workers, or write address or sql:…"
        raise TableError(f"there is no function {path}; {cure}") from None
    except Exception as error:  # importing a module may raise any
        problem = f"the module of {path} cannot be imported: {type(error).__name__}"
        raise TableError(f"{problem}; correct it") from None
    return found


def _place(error: Exception) -> str:
    """Return the line of a user's function in which an error was raised, or how the function is called."""
    called = traceback.extract_tb(error.__traceback__)[1:]
    if not called:
        return "when it is called with the API's name and a list of disputes; give it these two parameters"
    return f"in line {called[0].lineno} of {PurePath(called[0].filename).name}; correct it there"
