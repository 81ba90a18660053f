"""The one window that cannot be closed, forced open: a worker frozen between its last check and the write.

At Moov its request and its successor's are two submissions. At Stripe both have one key, and so they are one.
"""

from __future__ import annotations

from collections import Counter

from tests.chaos.episode import Episode, conclude
from tests.chaos.facts import DOUBLE, MOOV_WINDOW
from tests.chaos.site import Site
from tests.chaos.situation import APIS, Situation
from tests.chaos.worker import Freeze

_SEED = 2
# Longer than a claim is good for: the next try has sent it by then.
_WINDOW = Situation(first=Freeze("after check", 1, seconds=600.0, lost_after=60.0))


def force(site: Site) -> dict[str, int]:
    """Play one episode at each API; return how often a stage was submitted once more than it should be.

    :raises AssertionError: if the window is not what we say: two submissions at Moov, one at Stripe.
    """
    found = {api: _play(site, api) for api in APIS}
    assert found["moov"] == {MOOV_WINDOW: 1}, f"no window at Moov: {found}"
    assert not found["stripe"], f"a window at Stripe: {found}"
    return {MOOV_WINDOW: found["moov"][MOOV_WINDOW], DOUBLE: found["stripe"][DOUBLE]}


def _play(site: Site, api: str) -> Counter[str]:
    verdict = conclude(_SEED, lambda: Episode(_SEED, site, situation=_WINDOW, api=api))
    return Counter(finding.kind for finding in verdict.findings)
