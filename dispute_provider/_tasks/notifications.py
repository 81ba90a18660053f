"""Send notifications, and read the reviewers from the configuration."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseNotifier

from dispute_provider import _config as config
from dispute_provider._tasks.links import airflow_address

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)


class ConfiguredNotifier(BaseNotifier):
    """Notifier that forwards each notification to the notifiers of ``[dispute] notifiers``.

    The option lists the dotted paths of notifiers, or of callables without arguments that return one. Their
    templates have ``message``, a text, and ``link``, the address of the review or dispute:
    ``SlackNotifier(text="{{ message }} {{ link }}")``. A notifier that fails does not stop the others.

    :raises RuntimeError: from :meth:`notify`, if all notifiers fail.
    """

    def notify(self, context: Context) -> None:
        names = config.notifiers()
        notified = [name for name in names if self._notify_one(name, context)]
        if names and not notified:
            raise RuntimeError(f"all [dispute] notifiers failed: {', '.join(names)}")

    def _notify_one(self, name: str, context: Context) -> bool:
        try:
            # A notifier adds its own fields to the context.
            _load(name)({**context})
        except Exception as error:
            self.log.warning("notifier %s failed: %s", name, type(error).__name__)
            return False
        return True


def notify(notifiers: Sequence[BaseNotifier], context: Context, message: str, link: str) -> bool:
    """Send a message through every notifier, and log those that fail.

    :returns: whether a notifier succeeded, or there are none.
    """
    failed = 0
    for notifier in notifiers:
        try:
            # A notifier renders its templates in place, so each message needs a copy.
            copy.copy(notifier)({**context, "message": message, "link": link})
        except Exception as error:
            _log.warning("notifier %s failed: %s", type(notifier).__name__, type(error).__name__)
            failed += 1
    return not notifiers or failed < len(notifiers)


def _load(name: str) -> BaseNotifier:
    """Return a new notifier from a dotted path.

    :raises TypeError: if the path is not that of a notifier.
    """
    module, _, attribute = name.rpartition(".")
    found = getattr(import_module(module), attribute)
    notifier = copy.copy(found) if isinstance(found, BaseNotifier) else found()
    if not isinstance(notifier, BaseNotifier):
        raise TypeError(f"{name} is not a notifier and does not return one")
    return notifier


def reviewers() -> list[dict[str, str]] | None:
    """Return the users of ``[dispute] reviewers``, who may answer reviews: Airflow user ids, or ``id:name``.

    :returns: a dict with ``id`` and ``name`` for each user; None, all users with the permission, if the
        option is empty.
    """
    pairs = [name.partition(":") for name in config.reviewers()]
    return [{"id": user.strip(), "name": name.strip() or user.strip()} for user, _, name in pairs] or None


def address(*parts: str) -> str:
    """Return the address of an Airflow page; without ``[api] base_url`` only its path."""
    return "/".join([airflow_address(), *(quote(part, safe="") for part in parts)])


def form_address(context: Context) -> str:
    """Return the address of a review's form."""
    task = context["ti"]
    mapped = ["mapped", str(task.map_index)] if task.map_index is not None and task.map_index >= 0 else []
    run = context["dag_run"]
    return address("dags", run.dag_id, "runs", run.run_id, "tasks", task.task_id, *mapped, "required_actions")
