"""``python -m tests.chaos``: play episodes, judge them, and list the seeds of those that went wrong."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.chaos.world.site import configure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first episode; the others follow")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replay", type=int, metavar="SEED", help="play one episode and tell all of it")
    parser.add_argument(
        "--traces", type=Path, metavar="FILE", help="write what each dispute's requests come to"
    )
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set is part of an episode.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.chaos", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )  # itself, once more
    from tests.chaos.campaign import Campaign, replay

    site = configure()
    if options.replay is not None:
        return replay(options.replay, site)
    return Campaign(site, options.workers).run(options.seed, options.episodes, options.traces)


if __name__ == "__main__":
    sys.exit(main())
