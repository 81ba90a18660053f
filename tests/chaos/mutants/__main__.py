"""``python -m tests.chaos.mutants``: knock out each safeguard in turn; the judge must notice."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from functools import partial
from itertools import chain
from types import ModuleType
from typing import Any

from tests.chaos.mutants import ledger, review, staging, submission
from tests.chaos.world.site import configure

SAFEGUARDS = {
    **ledger.SAFEGUARDS,
    **staging.SAFEGUARDS,
    **review.SAFEGUARDS,
    **submission.SAFEGUARDS,
}
_site: Any = None
# How often its own situation is forced for each safeguard, then each other one, before episodes are drawn.
_OWN, _OTHERS = 20, 3

# What a safeguard that is knocked out wrongly makes of a task: no finding of the judge's.
_OURS = ("TypeError", "AttributeError", "KeyError", "NameError", "ImportError")


def _names() -> set[str]:
    """What our modules and their classes are made of."""
    modules = [module for name, module in sys.modules.items() if name.startswith("dispute_provider.")]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {
        f"{place.__name__}.{name}"
        for place in (*modules, *classes)
        for name, value in vars(place).items()
        if not isinstance(value, ModuleType)
    }


def _catch(name: str, seed: int, most: int) -> tuple[str, int, str | None]:
    """Knock a safeguard out, in a process of its own; after how many episodes the judge noticed, and what."""
    from tests.chaos.episode import play
    from tests.chaos.facts import COUNTED_APART
    from tests.chaos.situations import play_all, play_one

    known = _names()
    safeguard = SAFEGUARDS[name]
    safeguard.knock_out()
    if strange := _names() - known:
        raise AssertionError(f"{name}: knocks out what is not there (any more): {sorted(strange)}")
    own = play_one(safeguard.where, range(_OWN), _site)
    forced = chain(own, play_all(range(_OTHERS), _site))
    drawn = ((str(at), play(at, _site)) for at in range(seed, seed + most))
    for count, (what, verdict) in enumerate(chain(forced, drawn), 1):
        findings = [each for each in verdict.findings if each.kind not in COUNTED_APART]
        if any(error in finding.text for finding in findings for error in _OURS):
            raise AssertionError(f"{name}: knocked out in a way that does not work: {findings[0]}")
        if findings:
            return name, count, f"{what}: {findings[0]}"
    return name, most, None


def main() -> int:
    global _site
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--most", type=int, default=1000, help="drawn episodes per safeguard, at most, after the forced ones"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="safeguards whose name contains this")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(  # itself, once more: the order of a set is part of an episode
            sys.executable,
            [sys.executable, "-m", "tests.chaos.mutants", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    folder = configure()
    from tests.chaos.world.site import Site

    _site = Site(folder)
    gc.freeze()
    began = time.monotonic()
    names = [name for name in SAFEGUARDS if (options.only or "") in name]
    missed = 0
    fork = multiprocessing.get_context("fork")
    with fork.Pool(options.workers, maxtasksperchild=1) as pool:
        catch = partial(_catch, seed=options.seed, most=options.most)
        for name, count, finding in pool.imap_unordered(catch, names):
            missed += finding is None
            result = f"caught after {count:4} · {finding[:110]}" if finding else f"NOT CAUGHT in {count}"
            print(f"{name:56} {result}", flush=True)
    print(f"{len(names) - missed} of {len(names)} caught, in {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
