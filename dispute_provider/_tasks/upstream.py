"""Find what the tasks before a task have handed on, in a chain of this package's operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.xcom_arg import XComArg

from dispute_provider._tasks.batch import Given, resolve
from dispute_provider._tasks.record_lists import records_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# The attribute of an operator's class that names the parameter with the records that it passes on.
_PASSES_ON = "passes_on"


def without_result(given: Given, context: Context) -> list[str]:
    """Return the ids of the tasks that have ended without the records that their operators always return.

    Those were marked as success by hand, or their results were removed.
    """
    missing: dict[str, None] = {}
    for step in [given, *_earlier(given)]:
        for operator, key in XComArg.iter_xcom_references(step):
            is_ours = hasattr(_class_of(operator), _PASSES_ON) and key == "return_value"
            if is_ours and not operator.is_mapped and operator.output.resolve(context) is None:
                missing[operator.task_id] = None
    return list(missing)


def handed_on(given: Given, context: Context) -> Iterator[Iterator[Record]]:
    """Yield what was handed to each task before, the nearest first; records are read as they are drawn."""
    for step in _earlier(given):
        yield records_of(resolve(step, context))


def _earlier(given: Given) -> Iterator[Any]:
    """Yield the parameters with the records that the tasks behind a parameter pass on, the nearest first."""
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
