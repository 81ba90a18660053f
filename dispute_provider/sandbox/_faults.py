"""Inject faults into chosen requests."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any

from dispute_provider.sandbox._wire import Call, Response, json_bytes

BEFORE = {"status", "drop-before", "reset", "redirect"}
"""Effects in place of carrying out the request, unless the rule has ``after``."""
AROUND = {"delay", "stored-500"}
AFTER = {"drop-after", "delay-after", "truncate", "wrong-json", "wrong-type", "repeat"}
EFFECTS = BEFORE | AROUND | AFTER
HANG_UP = {"drop-before", "drop-after", "reset", "truncate"}
"""Effects that end the connection."""
_OWN = {"_random", "_removed", "matched", "spoilt"}
"""Fields that a rule's creator cannot set."""


@dataclass(slots=True)
class Fault:
    """One rule: the requests that it matches, and its effect on them; see :meth:`Sandbox.fault`."""

    effect: str
    name: str = ""
    api: str | None = None
    method: str | None = None
    path: str | None = None
    operation: str | None = None
    dispute: str | None = None
    account: str | None = None
    nth: int = 1
    """The first matching request that is affected, from 1."""
    times: int | None = 1
    """How many requests are affected; None for all."""
    probability: float | None = None
    seed: int = 0
    after: bool = False
    """Whether the request is carried out first (for status, reset and redirect)."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """A string is sent verbatim, any other value as JSON; None for an empty body."""
    seconds: float = 0
    to: str = ""
    """The target of a redirect: scheme and host."""
    copies: int = 1
    """How many more times a repeat carries out the request, as a proxy would; the last answer is sent."""
    matched: int = 0
    spoilt: int = 0
    _random: random.Random = field(default_factory=random.Random, repr=False)
    _removed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Fault:
        """Read a rule; the fields that match requests may be nested under ``match``.

        :raises ValueError: for an unknown effect or field.
        """
        flat = {**given.get("match", {}), **{key: value for key, value in given.items() if key != "match"}}
        unknown = flat.keys() - ({item.name for item in fields(cls)} - _OWN)
        if unknown:
            raise ValueError(f"unknown fault field {', '.join(sorted(unknown))}")
        if flat.get("effect") not in EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(sorted(EFFECTS))}")
        if flat["effect"] == "redirect" and not flat.get("to"):
            raise ValueError("a redirect needs 'to': scheme and host")
        if flat.get("probability") is not None:
            flat.setdefault("times", None)
        re.compile(flat.get("path") or "")
        fault = cls(**flat)
        fault.name = fault.name or fault.effect
        fault._random.seed(fault.seed)
        return fault

    def hits(self, call: Call) -> bool:
        """Return whether the rule affects a request, and count the request if it matches."""
        if (
            (self.api and self.api != call.api)
            or (self.method and self.method.upper() != call.method)
            or (self.operation and self.operation != call.operation)
            or (self.dispute and self.dispute != call.dispute)
            or (self.account and self.account != call.account)
            or (self.path and not re.search(self.path, call.path))
        ):
            return False
        self.matched += 1
        if self.matched < self.nth or (self.times is not None and self.spoilt >= self.times):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.spoilt += 1
        return True

    async def delay_answer(self) -> None:
        """Delay an answer for the rule's seconds, or until the rule is removed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._removed.wait(), self.seconds)

    @property
    def before(self) -> bool:
        return self.effect in BEFORE and not self.after

    @property
    def hangs_up(self) -> bool:
        return self.effect in HANG_UP

    def spoil(self, call: Call, answer: Response | None) -> Response:
        """Return the answer to send in place of the real one."""
        if self.effect == "status":
            kind = "text/plain" if isinstance(self.body, str) else "application/json"
            return Response(
                self.status, self._body(), dict(self.headers), kind if self.body is not None else None
            )
        if self.effect == "redirect":
            status = self.status if 300 <= self.status < 400 else 307
            query = f"?{call.query}" if call.query else ""
            return Response(status, b"", {**self.headers, "Location": f"{self.to}{call.path}{query}"})
        if answer is None:
            return Response(500)
        if self.effect == "wrong-json":
            body = b'["not","what","was","asked","for"]' if self.body is None else self._body()
            return Response(answer.status, body, answer.headers, "application/json")
        if self.effect == "wrong-type":
            page = b"<html><body>A proxy's error page.</body></html>" if self.body is None else self._body()
            return Response(answer.status, page, answer.headers, "text/html")
        return answer

    def _body(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json_bytes(self.body)

    def describe(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name[0] != "_"}


class Faults:
    """The current rules; the first that affects a request applies."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def take(self, call: Call) -> Fault | None:
        return next((rule for rule in self.rules if rule.hits(call)), None) if self.rules else None

    def remove(self, name: str | None = None) -> None:
        """Remove the rules with a name, or all; answers that they delay are sent at once.

        :raises KeyError: if no rule has that name.
        """
        removed = [rule for rule in self.rules if name in (None, rule.name)]
        if name is not None and not removed:
            raise KeyError(name)
        self.rules = [rule for rule in self.rules if rule not in removed]
        for rule in removed:
            rule._removed.set()
