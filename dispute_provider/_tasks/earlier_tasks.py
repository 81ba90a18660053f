"""Read the records of the earlier tasks in a chain of this package's operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.xcom_arg import XComArg

from dispute_provider._tasks.batch import Given, resolve
from dispute_provider._tasks.record_lists import records_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# The class attribute that names the parameter with the records that an operator passes on.
_PASSES_ON = "passes_on"


def tasks_without_records(given: Given, context: Context) -> list[str]:
    """Return the ids of the earlier tasks that ended without returning records.

    Such a task was marked as success by hand, or its result was removed.
    """
    missing: dict[str, None] = {}
    for step in [given, *_earlier(given)]:
        for operator, key in XComArg.iter_xcom_references(step):
            is_ours = hasattr(_class_of(operator), _PASSES_ON) and key == "return_value"
            if is_ours and not operator.is_mapped and operator.output.resolve(context) is None:
                missing[operator.task_id] = None
    return list(missing)


def earlier_records(given: Given, context: Context) -> Iterator[Iterator[Record]]:
    """Yield the records passed to each earlier task, nearest task first; they are read lazily."""
    for step in _earlier(given):
        yield records_of(resolve(step, context))


def _earlier(given: Given) -> Iterator[Any]:
    """Yield the parameters with the records of the earlier tasks, nearest task first."""
    for operator, _ in XComArg.iter_xcom_references(given):
        name = getattr(_class_of(operator), _PASSES_ON, None)
        step = _argument(operator, name) if name else None
        if step is not None:
            yield step
            yield from _earlier(step)


def _class_of(operator: Any) -> type:
    return operator.operator_class if operator.is_mapped else type(operator)


def _argument(operator: Any, name: str) -> Any:
    if not operator.is_mapped:
        return getattr(operator, name)
    expanded = operator.expand_input.value
    given = expanded.get(name) if isinstance(expanded, dict) else None
    return operator.partial_kwargs.get(name) if given is None else given
