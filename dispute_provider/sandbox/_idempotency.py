"""Remember requests with an idempotency key, as Stripe does: repeats get the first answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dispute_provider.sandbox._forms import Upload
from dispute_provider.sandbox._wire import Response

Key = tuple[str, bool, str]
"""Account, live mode, Idempotency-Key."""
# Seconds. Stripe guarantees no more.
_KEPT = 24 * 3600.0


@dataclass(slots=True)
class Remembered:
    """A request under a key, and its answer."""

    fingerprint: str
    request_id: str
    since: float
    answer: Response | None = None
    """None until the first request is carried out."""


def fingerprint(method: str, path: str, parameters: Any) -> str:
    """Return a hash of the decoded parameters, since a multipart boundary differs with every attempt."""

    def plain(value: Any) -> Any:
        if isinstance(value, Upload):
            return [value.filename, hashlib.sha256(value.content).hexdigest()]
        raise TypeError(type(value))

    asked = json.dumps([method, path, parameters], sort_keys=True, default=plain)
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


class IdempotencyKeys:
    """The keys in use: taken before a request is carried out, then kept or released."""

    def __init__(self) -> None:
        self._known: dict[Key, Remembered] = {}

    def begin(self, key: Key, print_: str, request_id: str, now: float) -> Remembered | None:
        """Return the earlier request under a key; None if the key was free, and is now taken."""
        known = self._known.get(key)
        if known is None or now - known.since > _KEPT:
            self._known[key] = Remembered(print_, request_id, now)
            return None
        return known

    def keep(self, key: Key, answer: Response) -> None:
        self._known[key].answer = answer

    def release(self, key: Key) -> None:
        self._known.pop(key, None)
