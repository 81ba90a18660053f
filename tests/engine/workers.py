"""The processes that a running task consists of, as the LocalExecutor of Airflow 3.3 makes them.

    scheduler                                      in a session of its own
    ├── airflow worker -- LocalExecutor: <idle>    one per slot, forked at start, in the scheduler's group
    └── airflow worker -- LocalExecutor: <ti id>   the same at work: it is the supervisor. It speaks with the
        │                                          API server, sends heartbeats and reports the end
        └── airflow worker -- <ti id>              the task, in a process group of its own: it knows Airflow
                                                   through a socket to its supervisor alone

A task that dies is reported by its supervisor, and retried. Where the supervisor dies, nobody reports: the
scheduler notices that heartbeats stay away. The task lives on, without anybody to speak with.
"""

from __future__ import annotations

import os
import signal
import time

import psutil  # type: ignore[import-untyped]  # it has no types of its own

_EXECUTOR = "airflow worker -- LocalExecutor:"


def task_of(task_instance: str) -> psutil.Process:
    """The process that runs a task instance.

    :raises LookupError: if there is none.
    """
    title = f"airflow worker -- {task_instance}"
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or []).strip() == title:
            return process
    raise LookupError(title)


def supervisor_of(task: psutil.Process) -> psutil.Process:
    """The executor's worker that watches over a task.

    :raises LookupError: if it is gone.
    """
    parent = task.parent()
    if parent is None or not " ".join(parent.cmdline()).startswith(_EXECUTOR):
        raise LookupError(f"the supervisor of process {task.pid}")
    return parent


def is_stopped(task_instance: str) -> bool:
    """Return whether the process that runs a task instance is stopped, as by SIGSTOP."""
    try:
        return bool(task_of(task_instance).status() == psutil.STATUS_STOPPED)
    except (LookupError, psutil.NoSuchProcess):
        return False


def is_gone(task_instance: str) -> bool:
    """Return whether no process runs a task instance any more."""
    try:
        task_of(task_instance)
    except LookupError:
        return True
    return False


def terminate_supervisor(task_instance: str) -> None:
    """SIGTERM the supervisor, as whoever ends a worker in order does; it hands that on to its task."""
    supervisor_of(task_of(task_instance)).terminate()


def kill_task(task_instance: str) -> None:
    """SIGKILL the task's own process."""
    task_of(task_instance).kill()


def kill_group(task_instance: str) -> None:
    """SIGKILL all that the worker consists of: the supervisor, and the task's process group with it."""
    task = task_of(task_instance)
    supervisor_of(task).kill()
    os.killpg(os.getpgid(task.pid), signal.SIGKILL)


def kill_supervisor(task_instance: str) -> None:
    """SIGKILL the supervisor alone; the task lives on."""
    task = task_of(task_instance)
    supervisor_of(task).kill()
    time.sleep(0.2)
    assert task.is_running(), "the task has ended with its supervisor: there is nothing to show"
