"""Run a few hundred episodes of the chaos campaign; ``make chaos`` runs thousands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.chaos.facts import KINDS

EPISODES = 200


def test_no_episode_submits_twice_or_unapproved_or_loses_a_dispute():
    played = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--episodes", str(EPISODES), "--seed", "1", "--workers", "1"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr[-3000:]
    report = json.loads(played.stdout.splitlines()[-1])
    assert report["episodes"] == EPISODES
    assert report["faults"]
    assert report["crashes"]
    for wrong in KINDS:
        assert report[wrong] == 0, wrong
