"""The one window that cannot be closed, forced open: a worker frozen between its last check and the write.

At Moov its request and its successor's are two submissions. At Stripe both have the same key, and one is
carried out; unless the dispute moves to its next stage meanwhile, whose submission has another key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tests.chaos.episode import Episode, conclude
from tests.chaos.facts import DOUBLE, MOOV_WINDOW, STRIPE_WINDOW
from tests.chaos.situation import APIS, Situation
from tests.chaos.world.site import Site
from tests.chaos.world.worker import Freeze

_SEED = 2
# Longer than a claim is valid: the next try has sent it by then.
_WINDOW = Situation(first=Freeze("after check", 1, seconds=600.0, lost_after=60.0))
_NEXT_STAGE = replace(_WINDOW, is_inquiry=True)


def force(site: Site) -> dict[str, int]:
    """Play one episode at each API; return how often a stage was submitted once more than it should be.

    :raises AssertionError: if the window is not as documented: two submissions at Moov, one at Stripe, and
        two at Stripe if the dispute moves to its next stage.
    """
    found = {api: _play(site, api, _WINDOW) for api in APIS}
    assert found["moov"] == {MOOV_WINDOW: 1}, f"no window at Moov: {found}"
    assert not found["stripe"], f"a window at Stripe: {found}"
    next_stage = _play(site, "stripe", _NEXT_STAGE)
    assert next_stage == {STRIPE_WINDOW: 1}, f"no window between two stages at Stripe: {next_stage}"
    return {
        MOOV_WINDOW: found["moov"][MOOV_WINDOW],
        STRIPE_WINDOW: next_stage[STRIPE_WINDOW],
        DOUBLE: found["stripe"][DOUBLE],
    }


def _play(site: Site, api: str, situation: Situation) -> Counter[str]:
    verdict = conclude(_SEED, lambda: Episode(_SEED, site, situation=situation, api=api))
    return Counter(finding.kind for finding in verdict.findings)
