"""Find and kill the processes of a running task, as the LocalExecutor of Airflow 3.3 starts them.

    scheduler                                      in a session of its own
    ├── airflow worker -- LocalExecutor: <idle>    one per slot, forked at start, in the scheduler's group
    └── airflow worker -- LocalExecutor: <ti id>   a slot with a task: the supervisor. It calls the API
        │                                          server, sends heartbeats and reports the end
        └── airflow worker -- <ti id>              the task, in its own process group; it reaches Airflow
                                                   only through a socket to its supervisor

If the task dies, its supervisor reports it and Airflow retries it. If the supervisor dies, the scheduler
notices the missing heartbeats; the task keeps running, without a connection to Airflow.
"""

from __future__ import annotations

import os
import signal
import time

import psutil  # type: ignore[import-untyped]  # it has no types of its own

_EXECUTOR = "airflow worker -- LocalExecutor:"


def task_of(task_instance: str) -> psutil.Process:
    """Return the process that runs a task instance.

    :raises LookupError: if there is none.
    """
    title = f"airflow worker -- {task_instance}"
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or []).strip() == title:
            return process
    raise LookupError(title)


def supervisor_of(task: psutil.Process) -> psutil.Process:
    """Return the executor's worker that supervises a task.

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
    """Return whether the process of a task instance has ended."""
    try:
        task_of(task_instance)
    except LookupError:
        return True
    return False


def terminate_supervisor(task_instance: str) -> None:
    """Send SIGTERM to the supervisor, as a worker's orderly shutdown does; it forwards it to its task."""
    supervisor_of(task_of(task_instance)).terminate()


def kill_task(task_instance: str) -> None:
    """Send SIGKILL to the task's process."""
    task_of(task_instance).kill()


def kill_group(task_instance: str) -> None:
    """Send SIGKILL to the whole worker: the supervisor and the task's process group."""
    task = task_of(task_instance)
    supervisor_of(task).kill()
    os.killpg(os.getpgid(task.pid), signal.SIGKILL)


def kill_supervisor(task_instance: str) -> None:
    """Send SIGKILL to the supervisor only, and wait until it has ended; the task keeps running."""
    task = task_of(task_instance)
    supervisor = supervisor_of(task)
    supervisor.kill()
    while not _has_ended(supervisor):
        time.sleep(0.05)
    assert task.is_running(), "the task ended with its supervisor, so this kill tests nothing"


def _has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended; its parent may not have noticed yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
