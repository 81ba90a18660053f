"""Import the provider in the scheduler, so that the tasks that it forks need not."""

from __future__ import annotations

from airflow.configuration import conf
from airflow.listeners import hookimpl
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker


@hookimpl
def on_starting(component: object) -> None:
    """Import what tasks need, if this may be a scheduler that forks tasks: one with the LocalExecutor.

    :param component: the job of a scheduler, a triggerer or a DAG processor, or the marker of a task.
    """
    if not isinstance(component, TaskRunnerMarker) and "LocalExecutor" in conf.get("core", "executor"):
        import dispute_provider.preload  # noqa: F401
