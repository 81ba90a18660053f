"""Measure a connection's rate at a server that refuses requests over it in any one second."""

from __future__ import annotations

import json
from urllib.request import urlopen

from bench import ours, server
from bench.bodies import new_disputes
from bench.timing import Table

# Our requests per staged dispute: the answer to the write is the reading after it.
_REQUESTS = 2


def hold(table: Table, rate: int, seconds: float) -> tuple[float, int]:
    """Stage at a rate for a while.

    :param rate: requests per second.
    :returns: the part of the rate that was reached, and the number of refused requests.
    """
    with server.running(rate=rate) as url:
        ours.stage(url, new_disputes(round(rate * seconds / _REQUESTS)), rate)()
        with urlopen(f"{url}/_bench") as answer:  # noqa: S310  # our own server
            counted = json.load(answer)
    reached = (counted["accepted"] - 1) / (counted["last"] - counted["first"])
    table.add(
        f"rate held for {seconds:.0f} s", f"{rate}/s", reached, "requests/s", refused=counted["refused"]
    )
    return round(reached / rate, 4), counted["refused"]
