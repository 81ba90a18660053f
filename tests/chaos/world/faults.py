"""Draw faults between the hooks and the APIs, anew for every request.

Each draw has a key: the dispute, the operation, and how often it was called before. So a change in the order
of requests to different disputes changes nothing of what happens to any of them.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from dispute_provider.sandbox._faults import Fault
from dispute_provider.sandbox._moov import api as moov
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe import api as stripe
from dispute_provider.sandbox._wire import Call, Response
from tests.chaos.world.calls import is_final, is_reading
from tests.chaos.world.clock import now
from tests.chaos.world.planned import Planned

TWICE = "carried out twice"
"""Fault of a proxy that repeats the request; the client gets the second answer."""
ODD = "odd fields"
"""Fault that leaves an answer its meaning: optional fields are null or of another type, others are added."""
STALE = "stale"
"""Fault of a reading: it shows the dispute as it was a while ago."""
HOLD = "x-chaos-hold"
"""Header by which a worker that is about to be killed has its request still at work when it dies."""
# A final call is spoilt so much more often than a reading: it is what this is about.
_FINAL = 4.0
_CHANGING = 1.8
# Of one dispute.
_MOST_FAULTS = 20
# The share of idempotency keys whose first answer is a 500, where such answers are played.
_STORED = 0.7
# What a gateway may answer, whether or not the API behind it has done the work.
_GATEWAY = [303, 307, 400, 401, 402, 403, 404, 408, 422, 425, 429, 451]
# Fields whose value changes nothing that is sent, compared or decided.
_OPTIONAL = {
    "stripe": [
        ["balance_transactions"], ["enhanced_eligibility_types"], ["is_charge_refundable"], ["livemode"],
        ["metadata"], ["network_reason_code"], ["payment_intent"], ["payment_method_details"], ["reason"],
        ["evidence_details", "enhanced_eligibility"], ["evidence_details", "has_evidence"],
        ["evidence_details", "past_due"],
    ],
    "moov": [
        ["networkReasonDescription"], ["networkReasonCode"], ["transfer"], ["createdOn"], ["updatedOn"],
        ["merchantAccountID"],
    ],
}  # fmt: skip


_BROKEN: dict[str, dict[str, Any]] = {
    "GetDisputes": {"id": "dp_broken", "object": "dispute", "status": "needs_response", "evidence": "lost"},
    "listDisputes": {"disputeID": "00000000-0000-4000-8000-000000000000", "status": "response-needed"},
}


def install() -> None:
    """Report to the faults what the APIs have done, and let a fault have it done twice."""
    for api in (stripe, moov):
        _watch(api)


def _watch(api: Any) -> None:
    original = api.answer

    async def answer(world: World, call: Call) -> Response:
        if call.fault == TWICE:
            # A proxy before the API has sent it on once more.
            await original(world, call)
            reply: Response = await _once_only(original, world, call)
        else:
            reply = await original(world, call)
        if isinstance(world.faults, RandomFaults):
            if call.fault == ODD:
                reply = world.faults.made_odd(call, reply)
            if call.fault == STALE:
                return world.faults.shown_before(call)
            world.faults.after_work(call, reply)
        return reply

    api.answer = answer


async def _once_only(answer: Any, world: World, call: Call) -> Response:
    """The answer to what a proxy repeats, from an API that takes one submission per stage."""
    permissive, world.settings.permissive = world.settings.permissive, False
    try:
        reply: Response = await answer(world, call)
        return reply
    finally:
        world.settings.permissive = permissive


@dataclass
class RandomFaults:
    """Stands in the place of the sandbox's fault rules.

    :param rate: the share of readings that are spoilt; of what changes a dispute, more.
    :param before_work: called when a request has arrived and is not looked at yet.
    :param after_work: called when an API has done what was asked, with what it is going to answer.
    :param shown_before: returns what was answered to an earlier reading that is the same.
    :param may_be_stale: whether there is one that is young enough.
    :param stale: the share of such readings that are answered so.
    :param stored_500s: whether the first request under most idempotency keys is answered with a 500.
    :param planned: faults that are not drawn.
    """

    seed: int
    rate: float
    before_work: Callable[[Call], None]
    after_work: Callable[[Call, Response], None]
    shown_before: Callable[[Call], Response]
    may_be_stale: Callable[[Call], bool]
    stale: float = 0.0
    stored_500s: bool = False
    planned: tuple[Planned, ...] = ()

    def __post_init__(self) -> None:
        self.rules: list[Fault] = []
        self.refused: list[float] = []
        self.dice = random.Random()
        self._subject = ""
        self._faults: Counter[str] = Counter()
        self._storm: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._keys: set[str] = set()
        self._carried_out: Counter[Planned] = Counter()
        self._spoilt: dict[Planned, str] = {}

    def draw(self, *key: str) -> random.Random:
        """Dice for the next event of a kind."""
        name = "/".join(key)
        self._calls[name] += 1
        return random.Random(f"{self.seed}/{name}/{self._calls[name]}")

    def take(self, call: Call) -> Fault | None:
        self.before_work(call)
        self._subject = call.dispute or call.header("idempotency-key") or call.api
        self.dice = self.draw(self._subject, call.operation)
        if hold := call.headers.get(HOLD):
            return self._fault("delay", "held while its worker is killed", seconds=float(hold))
        if planned := self._plan(call):
            return planned
        key = call.header("idempotency-key")
        if self.stored_500s and key and key not in self._keys:
            self._keys.add(key)
            if self.draw(key, "stored").random() < _STORED:
                return self._fault("stored-500")
        if self._faults[self._subject] >= _MOST_FAULTS:
            return None
        if self.stale and self.may_be_stale(call) and self.dice.random() < self.stale:
            return self._fault("delay", STALE)
        if self._storm[self._subject] > 0:
            self._storm[self._subject] -= 1
            return self._too_many(call, "storm")
        dice = self.dice
        if call.operation.startswith("upload") and dice.random() < self.rate:
            return self._fault("delay", TWICE)
        factor = _FINAL if is_final(call) else 1.0 if is_reading(call) else _CHANGING
        if dice.random() >= self.rate * factor:
            return None
        if dice.random() < 0.05:
            self._storm[self._subject] = dice.randint(2, 9)
        makers = _READING if is_reading(call) else _SUBMITTING if is_final(call) else _WRITING
        return dice.choice(makers)(self, call)

    def _plan(self, call: Call) -> Fault | None:
        """Return the fault that is planned for a request."""
        sender = call.headers.get("x-chaos-try", "")
        for each in self.planned:
            run = self._spoilt.get(each, sender.split("/")[0])
            is_meant = (
                call.operation.startswith(each.operation) and re.search(each.sender, sender) is not None
            )
            is_meant &= not each.by_one or sender.startswith(f"{run}/")
            if (
                is_meant
                and (each.fault().name != STALE or self.may_be_stale(call))
                and (each.times is None or self._carried_out[each] < each.times)
            ):
                self._carried_out[each] += 1
                self._spoilt.setdefault(each, run)
                self._faults[self._subject] += 1
                return each.fault()
        return None

    def obstacle(self) -> str | None:
        """What keeps a connection from being made."""
        dice = self.draw("connection")
        if len(self.refused) >= _MOST_FAULTS or dice.random() >= self.rate:
            return None
        self.refused.append(now())
        return dice.choice(["refused", "timeout"])

    def made_odd(self, call: Call, reply: Response) -> Response:
        """Return an answer with odd optional fields, an unknown one and, in a list, a broken dispute."""
        data = (
            json.loads(reply.body)
            if reply.status == 200 and reply.content_type == "application/json"
            else None
        )
        items = data.get("data", [data]) if isinstance(data, dict) else data
        if not items or not all(isinstance(item, dict) for item in items):
            return reply
        dice = self.draw(call.dispute or "", call.operation, ODD)
        for item in items:
            item["added_later"] = {"a": [1, None]}
            for *parents, name in dice.sample(_OPTIONAL[call.api], 2):
                holder = item
                for parent in parents:
                    holder = holder.get(parent) or {}
                if name in holder:
                    holder[name] = dice.choice([None, {"odd": [1]}])
        if broken := _BROKEN.get(call.operation):
            items.insert(dice.randrange(len(items) + 1), broken)
        return Response(reply.status, json.dumps(data).encode(), reply.headers, reply.content_type)

    def _fault(self, effect: str, name: str = "", **fields: Any) -> Fault:
        self._faults[self._subject] += 1
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

    def _gateway(self, call: Call, *, after: bool = True) -> Fault:
        """What a gateway answers in the API's place, by default after the API has done the work."""
        status = self.dice.choice(_GATEWAY)
        headers = {"Location": "http://elsewhere.example"} if status in (303, 307) else {}
        if status == 429:
            headers = self.dice.choice([{}, {"Retry-After": "3"}, {"Retry-After": "90"}])
        return self._status(call, status, after=after, **headers)

    def _says_nothing(self, call: Call) -> Fault:
        """A success without a body; the API may not have been asked at all."""
        status, after = self.dice.choice([202, 204]), self.dice.random() < 0.7
        when = "after" if after else "before"
        return self._fault("status", f"{status} {when}", status=status, after=after)


Maker = Callable[[RandomFaults, Call], Fault]


def _complaint(call: Call, status: int, code: str | None = None) -> dict[str, Any]:
    if call.api == "moov":
        return {"error": f"no {status}"}
    error = {"type": "api_error" if status >= 500 else "invalid_request_error", "message": f"No {status}"}
    return {"error": {**error, **({"code": code} if code else {})}}


def _drawn(
    effect: str, seconds: tuple[float, float] | None = None, *, after: bool = False, name: str = ""
) -> Maker:
    def make(faults: RandomFaults, call: Call) -> Fault:
        held = {"seconds": round(faults.dice.uniform(*seconds), 3)} if seconds else {}
        return faults._fault(effect, name, after=after, **held)

    return make


def _redirect(faults: RandomFaults, call: Call) -> Fault:
    return faults._fault("redirect", to="http://elsewhere.example")


_ANY: list[Maker] = [
    *[_drawn("drop-before")] * 3,
    _drawn("reset"),
    *[RandomFaults._too_many] * 3,
    *[RandomFaults._lock_timeout] * 2,
    *[RandomFaults._server_error] * 4,
    _drawn("delay-after", (5, 60), name="slow"),
    _drawn("truncate"),
    _drawn("wrong-json"),
    _drawn("wrong-type"),
]
_READING: list[Maker] = [
    *_ANY * 2,
    *[_drawn("delay", name=ODD)] * 4,
    RandomFaults._refusal,
    _redirect,
    RandomFaults._conflict,
    _drawn("delay", (85, 150), name="slow beyond the limit"),
]
_WRITING: list[Maker] = [
    *_ANY,
    *[_drawn("drop-after")] * 4,
    *[_drawn("reset", after=True, name="reset after")] * 3,
    *[_drawn("delay-after", (85, 150), name="slow beyond the limit")] * 3,
    *[_drawn("delay", (85, 150), name="carried out after the limit")] * 2,
    *[_drawn("delay", (5, 60), name="slow")] * 2,
    *[lambda faults, call: faults._server_error(call, after=True)] * 4,
    *[lambda faults, call: faults._conflict(call, after=True)] * 2,
    *[RandomFaults._conflict] * 2,
    *[_drawn("stored-500")] * 5,
    *[RandomFaults._refusal] * 2,
    _redirect,
    *[RandomFaults._gateway] * 6,
    RandomFaults._says_nothing,
    *[_drawn("delay", name=ODD)] * 2,
]
_SUBMITTING: list[Maker] = [*_WRITING, *[_drawn("delay", name=TWICE)] * 4]
