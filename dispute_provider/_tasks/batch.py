"""Shared steps of batch tasks: resolve lists, open APIs and process disputes concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from dispute_provider._cases.form import FormCase
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.record_lists import Tally
from dispute_provider._tasks.run_records import RunRecords

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api

Given = XComArg | BaseOperator | MappedOperator | FormCase | RunRecords | Sequence[Any]
Item = TypeVar("Item")
Result = TypeVar("Result")
# Items in progress at once: enough for 100 requests per second if an answer takes a second. The limiter sends
# no more requests than the rate, so the number in flight follows the API's latency up to this bound.
CONCURRENT = 128
# A retry must end before the due date, or the results of this try would be lost.
_SHORTEST_TRY = timedelta(minutes=10)


def accept_upstream(operator: BaseOperator, given: Given) -> Given:
    """Return a list from the DAG or from other tasks, after setting the operator downstream of those tasks.

    The list is not a template field, so customer text is neither rendered nor stored as a rendered field.

    :raises TypeError: if it is a function, such as a ``@task`` that was not called.
    :raises ValueError: if it is a template.
    """
    # A JSON object never begins like this.
    if isinstance(given, str) and given.lstrip().startswith(("{{", "{%")):
        raise ValueError(f"{given} is a template, which is not rendered here; pass the output of a task")
    given = [_output_of(each) for each in given] if isinstance(given, list | tuple) else _output_of(given)
    XComArg.apply_upstream_relationship(operator, given)
    return given


def _output_of(given: Any) -> Any:
    """Return the output of a task that was given itself, and anything else as it is."""
    if isinstance(given, BaseOperator | MappedOperator):
        return given.output
    if callable(given):
        name = getattr(given, "__name__", "") or getattr(getattr(given, "function", None), "__name__", "it")
        raise TypeError(f"{name} is a function, not what it returns; make it a @task, and call it: {name}()")
    return given


def resolve(given: Given, context: Context) -> list[Any]:
    """Return a list; the results of several tasks become one list. A reference to records is one item."""
    # The argument of a mapped task group resolves too; Airflow has no public type for it.
    value: Any = given.resolve(context) if hasattr(given, "resolve") else given
    flat: list[Any] = []
    for item in [value] if isinstance(value, str | Mapping) else value or ():
        if isinstance(item, XComArg):
            flat.extend(resolve(item, context))
        elif isinstance(item, list):
            flat.extend(item)
        else:
            flat.append(item)
    return flat


def user_of_run(context: Context) -> str | None:
    """Return the name of the Airflow user who triggered the run; None for a scheduled run.

    A run that another run triggers has that run's user.
    """
    # A test may run a task without a run, or in a run without a user.
    return getattr(context.get("dag_run"), "triggering_user_name", None) or None


def retry_held(context: Context, tally: Tally, problem: str | None = None) -> None:
    """Raise an error that makes Airflow retry, if disputes could not be reached and tries are left.

    :param problem: another problem that a retry may solve.
    :raises TryAgainError: if there is a reason to retry and the earliest due date allows it.
    """
    from dispute_provider.exceptions import TryAgainError

    if not (tally.unreached or problem) or context["ti"].try_number > context["ti"].max_tries:
        return
    latest = datetime.now(UTC) + timedelta(seconds=tally.wait) + _SHORTEST_TRY
    if tally.due is not None and tally.due < latest:
        return
    raise TryAgainError(
        problem or f"{tally.unreached} of {tally.count} disputes could not be reached", tally.wait or None
    )


class Apis:
    """The APIs of one task, one per connection, so that all its calls share the connection's rate limit.

    :param connections: those of the task; None, the default, for its own.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()
        self._open: dict[str, Api] = {}
        self._unusable: dict[str, Exception] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Apis:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._stack.aclose()

    async def of(self, conn_id: str) -> Api:
        """Return the API of a connection; the first call opens it.

        :raises ConnectionConfigError: if the connection cannot be used.
        """
        if api := self._open.get(conn_id):
            return api
        async with self._opening:
            if error := self._unusable.get(conn_id):
                raise error
            if conn_id not in self._open:
                from dispute_provider.hooks._connections import api_with

                try:
                    api = api_with(self._connections.get(conn_id))
                    self._open[conn_id] = await self._stack.enter_async_context(api)
                except Exception as error:
                    # The next dispute of this connection does not try it again.
                    self._unusable[conn_id] = error
                    raise
        return self._open[conn_id]


async def each(
    items: Iterable[Item],
    work: Callable[[Item], Awaitable[Result]],
    on_result: Callable[[int, Result], None],
) -> None:
    """Process items concurrently, at most :data:`CONCURRENT` at once; items are read as slots become free.

    The requests of earlier items are sent first; see :data:`~dispute_provider._transport.position.position`.

    :param on_result: called with the position of each item and its result.
    """
    from dispute_provider._transport.position import position

    numbered = enumerate(items)

    async def process_next(group: asyncio.TaskGroup) -> None:
        for place, item in numbered:
            position.set(place)
            # No more tasks than items: starting all takes longer than a single item's own steps.
            if place + 1 < CONCURRENT:
                group.create_task(process_next(group))
            on_result(place, await work(item))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(process_next(group))
    except BaseExceptionGroup as failed:
        # The type of the error decides whether Airflow retries.
        raise failed.exceptions[0] from None


async def all_of(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """Return the results of a small number of items, in their order."""
    results: dict[int, Result] = {}
    await each(items, work, results.__setitem__)
    return [results[place] for place in range(len(results))]
