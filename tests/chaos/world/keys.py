"""The connections' keys, and their replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispute_provider import sandbox
from dispute_provider.sandbox._accounts import StripeKey
from tests.chaos.world.names import SECOND_STRIPE_KEY

if TYPE_CHECKING:
    from dispute_provider.sandbox._state import World
    from tests.chaos.world.site import Site


class Keys:
    """The keys of an episode's connections; at first, whatever earlier episodes have replaced, the usual."""

    def __init__(self, world: World, site: Site) -> None:
        self._world, self._connections = world, site.connections
        self._replaced = 0
        self._set("stripe_default", sandbox.STRIPE_KEY)
        self._set("stripe_second", SECOND_STRIPE_KEY)
        for name in ("moov_default", "moov_token", "moov_second"):
            self._set(name, sandbox.MOOV_SECRET_KEY)

    def replace(self) -> None:
        """Replace the keys of the first connections; Stripe's earlier one is good for a while longer."""
        self._replaced += 1
        self._set("stripe_default", f"{sandbox.STRIPE_KEY}_{self._replaced}")
        secret = f"{sandbox.MOOV_SECRET_KEY}_{self._replaced}"
        for name in ("moov_default", "moov_token", "moov_second"):
            self._set(name, secret)

    def _set(self, name: str, secret: str) -> None:
        connection = self._connections[name]
        connection.password = secret
        if connection.conn_type == "stripe":
            first = self._world.stripe_keys[sandbox.STRIPE_KEY]
            self._world.stripe_keys[secret] = StripeKey(first.account, livemode=False, writes=True)
        else:
            self._world.moov_keys[str(connection.login)] = secret
