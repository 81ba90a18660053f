"""Deliver the notifications of the tests."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseNotifier

delivered: list[str] = []


class Channel(BaseNotifier):
    """A channel that keeps its messages."""

    template_fields = ("text",)

    def __init__(self, text: str = "{{ message }} -> {{ link }}") -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        delivered.append(self.text)


class Broken(BaseNotifier):
    """Its server is down."""

    def notify(self, context: Any) -> None:
        raise ConnectionError("the server is down")


team = Channel()
nothing = "this is no notifier"
