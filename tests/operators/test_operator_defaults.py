"""Every operator takes inlets and a retry policy as any of Airflow's, and keeps its own beside them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from airflow.sdk import Asset, BaseOperator, RetryDecision, RetryPolicy

import dispute_provider

OWN = Asset(name="cases are ready", uri="x-shop://cases/ready")
OPERATORS = [
    each
    for name in dispute_provider.__all__
    if isinstance(each := getattr(dispute_provider, name), type) and issubclass(each, BaseOperator)
]


def required(operator: type[BaseOperator]) -> dict[str, Any]:
    """Return the arguments that an operator cannot do without."""
    named = inspect.getfullargspec(inspect.unwrap(operator.__init__))
    return dict.fromkeys({*named.kwonlyargs} - {*(named.kwonlydefaults or ())}, "any")


class Patient(RetryPolicy):
    """A DAG author's policy."""

    def evaluate(self, *given: Any, **more: Any) -> RetryDecision:
        return RetryDecision.default()


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_authors_inlets_are_added_to_the_operators_own(operator: type[BaseOperator]) -> None:
    own = operator(task_id="task", **required(operator))
    both = operator(task_id="task", inlets=[OWN], **required(operator))
    mapped = operator.partial(task_id="task", inlets=[OWN]).kwargs
    assert both.inlets == mapped["inlets"] == [OWN, *own.inlets]
    assert type(own.retry_policy) is type(both.retry_policy) is type(mapped["retry_policy"])


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_authors_retry_policy_is_used(operator: type[BaseOperator]) -> None:
    policy = Patient()
    assert operator(task_id="task", retry_policy=policy, **required(operator)).retry_policy is policy
    assert operator.partial(task_id="task", retry_policy=policy).kwargs["retry_policy"] is policy
