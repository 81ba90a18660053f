"""Serve the control endpoints under ``/_sandbox``: disputes, clock, faults, settings and journal."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from dispute_provider.sandbox import _setup as setup
from dispute_provider.sandbox._accounts import Account, StripeKey
from dispute_provider.sandbox._faults import Fault
from dispute_provider.sandbox._oddities import Oddity
from dispute_provider.sandbox._state import World
from dispute_provider.sandbox._stripe import charges as stripe_charges
from dispute_provider.sandbox._wire import Call, Response, json_response


class Control:
    """The control endpoints, and the state that a reset replaces."""

    def __init__(self) -> None:
        self.world = World()

    def answer(self, call: Call, client: str) -> Response:
        """Answer in JSON; an invalid request gets a 400 with the reason."""
        try:
            if not ipaddress.ip_address(client).is_loopback:
                problem = "the sandbox accepts control requests only from its own machine"
                return json_response(403, {"error": problem})
            return json_response(200, self._act(call, json.loads(call.body or b"{}")))
        except KeyError as error:
            return json_response(404, {"error": f"{error} does not exist"})
        except (ValueError, TypeError, AttributeError, re.error) as error:
            return json_response(400, {"error": str(error)})

    def _act(self, call: Call, given: Any) -> Any:
        world = self.world
        match call.method, call.segments[1:]:
            case "POST", ["reset"]:
                self.world = World()
                return {}
            case "POST", ["disputes"]:
                many = isinstance(given, list)
                return [setup.create(world, item) for item in given] if many else setup.create(world, given)
            case "GET", ["disputes"]:
                return [
                    setup.describe(world, setup.find(world, item)) for item in (*world.stripe, *world.moov)
                ]
            case "GET", ["disputes", identifier]:
                return setup.describe(world, setup.find(world, identifier))
            case "PATCH", ["disputes", identifier]:
                return setup.edit(world, identifier, given)
            case "POST", ["charges"]:
                return stripe_charges.create(world, given)
            case "POST", ["accounts"]:
                return _add_account(world, given)
            case "POST", ["clock"]:
                return _move_clock(world, given)
            case "GET", ["clock"]:
                return {"now": world.clock.now(), "frozen": world.clock.frozen}
            case "POST", ["faults"]:
                fault = Fault.from_json(given)
                world.faults.rules.append(fault)
                return fault.describe()
            case "GET", ["faults"]:
                return [fault.describe() for fault in world.faults.rules]
            case "DELETE", ["faults"]:
                world.faults.remove()
                return {}
            case "DELETE", ["faults", name]:
                world.faults.remove(name)
                return {}
            case "POST", ["oddities"]:
                oddity = Oddity.from_json(given)
                world.oddities.rules.append(oddity)
                return oddity.describe()
            case "GET", ["oddities"]:
                return [oddity.describe() for oddity in world.oddities.rules]
            case "DELETE", ["oddities"]:
                world.oddities.rules.clear()
                return {}
            case "POST", ["settings"]:
                world.settings.update(given)
                return world.settings.describe()
            case "GET", ["settings"]:
                return world.settings.describe()
            case "GET", ["journal"]:
                return world.journal.describe(int(call.query.removeprefix("since=") or 0))
            case "DELETE", ["journal"]:
                world.journal.clear()
                return {}
        raise KeyError(f"{call.method} {call.path}")


def _add_account(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """Add an account from the fields of :meth:`Sandbox.add_account`."""
    account = Account(given["id"], given["api"], given.get("livemode", False), given.get("origin"))
    world.accounts[account.api, account.id] = account
    for key, value in given.get("keys", {}).items():
        if account.api == "moov":
            world.moov_keys[key] = value
        else:
            owner = "" if key.startswith("sk_org_") else account.id
            world.stripe_keys[key] = StripeKey(owner, "_live_" in key, writes=value == "write")
    return {"api": account.api, "id": account.id}


def _move_clock(world: World, given: dict[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - {"advance", "set", "frozen"}
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; the clock takes advance, set and frozen")
    if "frozen" in given:
        world.clock.freeze(bool(given["frozen"]))
    if "set" in given:
        world.clock.set(float(given["set"]))
    if "advance" in given:
        world.clock.set(world.clock.now() + float(given["advance"]))
    world.tick()
    return {"now": world.clock.now(), "frozen": world.clock.frozen}
