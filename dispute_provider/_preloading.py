"""Import the provider in the scheduler, so that the tasks that it forks need not."""

from __future__ import annotations

from airflow.listeners import hookimpl
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker


@hookimpl
def on_starting(component: object) -> None:
    """Import what tasks need, unless in a task, which imports only what it needs itself.

    :param component: the job of a scheduler, a triggerer or a DAG processor, or a task's marker.
    """
    if not isinstance(component, TaskRunnerMarker):
        import dispute_provider.preload  # noqa: F401
