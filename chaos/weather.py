"""The weather: what goes wrong between the hooks and the APIs, drawn anew for every request."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from chaos.clock import now
from dispute_provider.sandbox import moov, stripe
from dispute_provider.sandbox.faults import Fault
from dispute_provider.sandbox.state import World
from dispute_provider.sandbox.wire import Answer, Call

TWICE = "carried out twice"
HOLD = "x-chaos-hold"
"""Header by which a worker that is about to be killed has its request still at work when it dies."""
CLIMATES = {"calm": 0.0, "breezy": 0.015, "rough": 0.06, "stormy": 0.16}
# A final call is spoilt so much more often than a reading: it is what this is about.
_FINAL = 4.0
_CHANGING = 1.8
_MOST_FAULTS = 30


def is_final(call: Call) -> bool:
    """Whether it asks for a submission."""
    if call.operation == "submitDisputeEvidence":
        return True
    return call.operation == "PostDisputesDispute" and b"submit=true" in call.body


def install() -> None:
    """Have the weather told what the APIs have done, and let it have things done twice."""
    for api in (stripe, moov):
        _watch(api)


def _watch(api: Any) -> None:
    original = api.answer

    async def answer(world: World, call: Call) -> Answer:
        if call.fault == TWICE:
            # A proxy before the API has sent it on once more.
            await original(world, call)
        reply: Answer = await original(world, call)
        if isinstance(world.faults, Weather):
            world.faults.after_work(call)
        return reply

    api.answer = answer


def is_reading(call: Call) -> bool:
    return call.method == "GET" or call.operation == "createAccessToken"


@dataclass
class Weather:
    """Stands in the place of the sandbox's fault rules.

    :param before_final: called when a submission has arrived and is not looked at yet.
    :param after_work: called when an API has done what was asked, and has not answered yet.
    """

    dice: random.Random
    climate: float
    before_final: Callable[[Call], None]
    after_work: Callable[[Call], None]

    def __post_init__(self) -> None:
        self.rules: list[Fault] = []
        self.faults = 0
        self.refused: list[float] = []
        self._storm: dict[str, int] = {}

    def take(self, call: Call) -> Fault | None:
        if is_final(call):
            self.before_final(call)
        if hold := call.headers.get(HOLD):
            return self._fault("delay", "held while its worker is killed", seconds=float(hold))
        if self.faults >= _MOST_FAULTS:
            return None
        if self._storm.get(call.api, 0) > 0:
            self._storm[call.api] -= 1
            return self._too_many(call, "storm")
        dice = self.dice
        if call.operation.startswith("upload") and dice.random() < self.climate:
            return self._fault("delay", TWICE)
        factor = _FINAL if is_final(call) else 1.0 if is_reading(call) else _CHANGING
        if dice.random() >= self.climate * factor:
            return None
        if dice.random() < 0.05:
            self._storm[call.api] = dice.randint(2, 9)
        return dice.choice(_READING if is_reading(call) else _WRITING)(self, call)

    def obstacle(self) -> str | None:
        """What keeps a connection from being made."""
        if self.faults >= _MOST_FAULTS or self.dice.random() >= self.climate:
            return None
        self.faults += 1
        self.refused.append(now())
        return self.dice.choice(["refused", "timeout"])

    def _fault(self, effect: str, name: str = "", **fields: Any) -> Fault:
        self.faults += 1
        return Fault(effect, name=name or effect, **fields)

    def _status(self, call: Call, status: int, *, after: bool = False, **headers: str) -> Fault:
        body = self.dice.choice([None, _complaint(call, status), "<html>an error of a proxy</html>"])
        when = "after" if after else "before"
        return self._fault(
            "status", f"{status} {when}", status=status, after=after, body=body, headers=headers
        )

    def _too_many(self, call: Call, name: str = "429") -> Fault:
        at = datetime.fromtimestamp(now() + self.dice.choice([2, 40]), UTC)
        retry_after = self.dice.choice(["1", "7", "90", format_datetime(at, usegmt=True), "soon", None])
        headers = {"Retry-After": retry_after} if retry_after else {}
        if call.api == "stripe":
            headers["Stripe-Rate-Limited-Reason"] = "endpoint-rate"
        return self._fault("status", name, status=429, headers=headers, body=_complaint(call, 429))

    def _lock_timeout(self, call: Call) -> Fault:
        if call.api == "moov":
            return self._too_many(call)
        body = _complaint(call, 429, code="lock_timeout")
        headers = {"Stripe-Should-Retry": "true"}
        return self._fault("status", "lock timeout", status=429, headers=headers, body=body)

    def _conflict(self, call: Call, *, after: bool = False) -> Fault:
        dice = self.dice
        headers = {"Stripe-Should-Retry": dice.choice(["true", "false"])} if dice.random() < 0.3 else {}
        code = dice.choice(["idempotency_key_in_use", "lock_timeout", None])
        body = dice.choice([_complaint(call, 409, code=code), None])
        when = "after" if after else "before"
        return self._fault("status", f"409 {when}", status=409, after=after, headers=headers, body=body)

    def _server_error(self, call: Call, *, after: bool = False) -> Fault:
        dice = self.dice
        headers = {"Stripe-Should-Retry": dice.choice(["true", "false"])} if dice.random() < 0.2 else {}
        return self._status(call, dice.choice([500, 502, 503, 504]), after=after, **headers)

    def _refusal(self, call: Call) -> Fault:
        return self._status(call, self.dice.choice([400, 401, 402, 403, 404, 408, 422]))


Maker = Callable[[Weather, Call], Fault]


def _complaint(call: Call, status: int, code: str | None = None) -> dict[str, Any]:
    if call.api == "moov":
        return {"error": f"no {status}"}
    error = {"type": "api_error" if status >= 500 else "invalid_request_error", "message": f"No {status}"}
    return {"error": {**error, **({"code": code} if code else {})}}


def _drawn(
    effect: str, seconds: tuple[float, float] | None = None, *, after: bool = False, name: str = ""
) -> Maker:
    def make(weather: Weather, call: Call) -> Fault:
        held = {"seconds": round(weather.dice.uniform(*seconds), 3)} if seconds else {}
        return weather._fault(effect, name, after=after, **held)

    return make


def _redirect(weather: Weather, call: Call) -> Fault:
    return weather._fault("redirect", to="http://elsewhere.example")


_ANY: list[Maker] = [
    *[_drawn("drop-before")] * 3,
    _drawn("reset"),
    *[Weather._too_many] * 3,
    *[Weather._lock_timeout] * 2,
    *[Weather._server_error] * 4,
    _drawn("delay-after", (5, 60), name="slow"),
    _drawn("truncate"),
    _drawn("wrong-json"),
    _drawn("wrong-type"),
]
_READING: list[Maker] = [
    *_ANY * 2,
    Weather._refusal,
    _redirect,
    Weather._conflict,
    _drawn("delay", (85, 150), name="slow beyond the limit"),
]
_WRITING: list[Maker] = [
    *_ANY,
    *[_drawn("drop-after")] * 4,
    *[_drawn("reset", after=True, name="reset after")] * 3,
    *[_drawn("delay-after", (85, 150), name="slow beyond the limit")] * 3,
    *[_drawn("delay", (85, 150), name="carried out after the limit")] * 2,
    *[_drawn("delay", (5, 60), name="slow")] * 2,
    *[lambda weather, call: weather._server_error(call, after=True)] * 4,
    *[lambda weather, call: weather._conflict(call, after=True)] * 2,
    *[Weather._conflict] * 2,
    *[_drawn("stored-500")] * 5,
    *[Weather._refusal] * 2,
    _redirect,
]
