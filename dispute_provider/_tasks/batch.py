"""Take lists from other tasks, open their APIs, and work on many disputes side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from dispute_provider._cases.form import FormCase
from dispute_provider._tasks.record_lists import Tally

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api

Given = XComArg | FormCase | Sequence[Any]
Item = TypeVar("Item")
Result = TypeVar("Result")
CONCURRENT = 32
# A retry must end before the due date, or it would lose what this try has to say.
_SHORTEST_TRY = timedelta(minutes=10)


def accept_upstream(operator: BaseOperator, given: Given) -> Given:
    """Accept a list that stands in the DAG or that another task makes.

    It is no template field: what customers wrote is never rendered, and never stored as a rendered field.
    """
    XComArg.apply_upstream_relationship(operator, given)
    return given


def resolve(given: Given, context: Context) -> list[Any]:
    """The list itself; what several tasks returned becomes one list. A reference to records is one item."""
    # What a mapped task group is given resolves as well; Airflow has no public type for it.
    value = given.resolve(context) if hasattr(given, "resolve") else given
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
    """Return the name of the Airflow user who triggered the run; None for a scheduled one.

    A run that another one triggers has the user of that one.
    """
    # A test may run a task without a run, or with one that names nobody.
    return getattr(context.get("dag_run"), "triggering_user_name", None) or None


def retry_held(context: Context, tally: Tally, problem: str | None = None) -> None:
    """Have Airflow try again, without holding a slot, what could not be reached; unless it is the last try.

    :param problem: what else the next try may mend.
    :raises TryAgainError: if something is held, tries are left, and its due date is not too near.
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
    """The APIs of one task: one for each connection, whose rate then holds for all that the task sends."""

    def __init__(self) -> None:
        self._open: dict[str, Api] = {}
        self._unusable: dict[str, Exception] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Apis:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._stack.aclose()

    async def of(self, conn_id: str) -> Api:
        """The API of a connection, opened when it is first asked for.

        :raises ConnectionConfigError: if the connection must not be used as it stands.
        """
        if api := self._open.get(conn_id):
            return api
        async with self._opening:
            if error := self._unusable.get(conn_id):
                raise error
            if conn_id not in self._open:
                from dispute_provider.hooks._connections import api_of

                try:
                    self._open[conn_id] = await self._stack.enter_async_context(api_of(conn_id))
                except Exception as error:
                    # The next dispute of this connection need not try it again.
                    self._unusable[conn_id] = error
                    raise
        return self._open[conn_id]


async def each(
    items: Iterable[Item],
    work: Callable[[Item], Awaitable[Result]],
    hand_on: Callable[[int, Result], None],
) -> None:
    """Work on items side by side, at most :data:`CONCURRENT` at once; one is drawn when there is room for it.

    :param hand_on: takes each result as it ends, after the place of its item.
    """
    numbered = enumerate(items)

    async def one_after_the_other() -> None:
        for place, item in numbered:
            hand_on(place, await work(item))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENT):
                group.create_task(one_after_the_other())
    except BaseExceptionGroup as failed:
        # What a task fails with decides whether it is tried again.
        raise failed.exceptions[0] from None


async def all_of(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The results of items that are few, in their order."""
    results: dict[int, Result] = {}
    await each(items, work, results.__setitem__)
    return [results[place] for place in range(len(results))]
