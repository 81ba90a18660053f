"""Send notifications, and name the reviewers."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseNotifier
from airflow.sdk.configuration import conf

from dispute_provider import _config as config

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)


class ConfiguredNotifier(BaseNotifier):
    """Passes each notification to the notifiers of ``[dispute] notifiers``, named by their dotted paths.

    A path leads to a notifier, or to what makes one.

    One that fails does not keep the others from being told. In their templates stand ``message``, a text, and
    ``link``, the address of what it is about: ``SlackNotifier(text="{{ message }} {{ link }}")``.

    :raises RuntimeError: from :meth:`notify`, if all of those that are named have failed.
    """

    def notify(self, context: Context) -> None:
        names = config.notifiers()
        notified = [name for name in names if self._notify_one(name, context)]
        if names and not notified:
            raise RuntimeError(f"none of [dispute] notifiers could be told: {', '.join(names)}")

    def _notify_one(self, name: str, context: Context) -> bool:
        try:
            # A notifier adds its own fields to what it is given.
            _load(name)({**context})
        except Exception as error:
            self.log.warning("the notifier %s has failed: %s", name, type(error).__name__)
            return False
        return True


def notify(notifiers: Sequence[BaseNotifier], context: Context, message: str, link: str) -> bool:
    """Send a message through every notifier; a notifier that fails is logged.

    :returns: whether one of them took it, or there are none.
    """
    failed = 0
    for notifier in notifiers:
        try:
            # It replaces its templates by what they render to: the next message needs a fresh one.
            copy.copy(notifier)({**context, "message": message, "link": link})
        except Exception as error:
            _log.warning("the notifier %s has failed: %s", type(notifier).__name__, type(error).__name__)
            failed += 1
    return not notifiers or failed < len(notifiers)


def _load(name: str) -> BaseNotifier:
    """The notifier that a dotted path leads to, as new.

    :raises TypeError: if it leads to something else.
    """
    module, _, attribute = name.rpartition(".")
    found = getattr(import_module(module), attribute)
    notifier = copy.copy(found) if isinstance(found, BaseNotifier) else found()
    if not isinstance(notifier, BaseNotifier):
        raise TypeError(f"{name} is no notifier, and makes none")
    return notifier


def reviewers() -> list[dict[str, str]] | None:
    """Who may answer reviews, by ``[dispute] reviewers``: ids as Airflow's login knows them, or ``id:name``.

    None, and with it everybody with the right to, where it is empty.
    """
    pairs = [name.partition(":") for name in config.reviewers()]
    return [{"id": user.strip(), "name": name.strip() or user.strip()} for user, _, name in pairs] or None


def address(*parts: str) -> str:
    """A page of this Airflow; without ``[api] base_url`` only its path."""
    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return "/".join([base, *(quote(part, safe="") for part in parts)])


def form_address(context: Context) -> str:
    """Return the page on which a review is answered."""
    task = context["ti"]
    mapped = ["mapped", str(task.map_index)] if task.map_index is not None and task.map_index >= 0 else []
    run = context["dag_run"]
    return address("dags", run.dag_id, "runs", run.run_id, "tasks", task.task_id, *mapped, "required_actions")
