"""Define the connections to the sandbox for Airflow's REST API."""

from __future__ import annotations

import json
from typing import Any

from demo.cases import SHOP
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_PUBLIC_KEY, MOOV_SECRET_KEY, STRIPE_KEY


def connections(sandbox: str) -> list[dict[str, Any]]:
    """Return a connection to each API, and one to a connected account.

    :param sandbox: its address.
    """
    stripe = {"conn_type": "stripe", "password": STRIPE_KEY}
    moov = {"conn_type": "moov", "login": MOOV_PUBLIC_KEY, "password": MOOV_SECRET_KEY}
    made = [
        {"connection_id": "stripe_default", **stripe},
        {"connection_id": "stripe_shop", **stripe, "extra": json.dumps({"account": SHOP})},
        {
            "connection_id": "moov_default",
            **moov,
            "extra": json.dumps({"account": MOOV_ACCOUNT, "auth": "oauth2"}),
        },
    ]
    # Without port 0, the Test button of Airflow 3.3.2 is refused (apache/airflow#73298).
    return [{**connection, "host": sandbox, "port": 0} for connection in made]
