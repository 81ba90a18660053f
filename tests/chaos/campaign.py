"""Many episodes, on several processes."""

from __future__ import annotations

import gc
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.trace import trace

_TOLD = 60
_EVERY = 15.0


def replay(seed: int, folder: Path) -> int:
    """Play one episode and tell all of it."""
    from tests.chaos.episode import play
    from tests.chaos.world.site import Site

    verdict = play(seed, Site(folder))
    transcript = verdict.transcript
    lines = [(at, f"{which}: {what}") for at, which, what in transcript.disturbed]
    lines += [
        (one.at, f"{one.run}: approved {one.dispute} {one.shown.stage} {one.shown.pieces}")
        for one in transcript.approvals
    ]
    for entry in transcript.journal:
        sender = entry["headers"].get("x-chaos-try", "?")
        facts = f"{entry['operation']} {entry['dispute']} {entry['status']}"
        marks = [entry["fault"], "SUBMITTED" if entry["submitted"] else None]
        lines.append((entry["time"], f"  {sender}: {facts} {' '.join(mark for mark in marks if mark)}"))
    for completion in transcript.completions:
        for record in completion.records:
            end = f"{completion.run} ended: {record['dispute']} {record['state']}: {record['reason']}"
            lines.append((completion.at, end))
    start = min((at for at, _ in lines), default=0.0)
    for at, line in sorted(lines, key=lambda line: line[0]):
        print(f"{at - start:12.3f} {line}")
    for finding in verdict.findings:
        print(finding)
    return 1 if verdict.findings else 0


_site: Any = None
_tracing = False


def _play(seed: int) -> dict[str, Any]:
    from tests.chaos.episode import play

    verdict = play(seed, _site)
    return {
        "seed": seed,
        "findings": [(finding.kind, str(finding)) for finding in verdict.findings],
        "requests": verdict.requests,
        "faults": verdict.faults,
        "crashes": verdict.crashes,
        "gap": verdict.gap_edits > 0,
        "states": verdict.states,
        "disruptions": verdict.disruptions,
        "is_listed": verdict.is_listed,
        "drawn": verdict.transcript.drawn,
        "trace": trace(verdict.transcript.journal) if _tracing else {},
    }


class Campaign:
    """The whole of it.

    :param folder: where the documents of the cases stand.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        global _site
        from tests.chaos.world.site import Site

        _site = Site(folder)
        self._workers = workers

    def run(self, seed: int, episodes: int, traces: Path | None = None) -> int:
        """Play, print what went wrong and, last, one line of JSON; returns the exit code.

        ``listed`` is the share of the episodes that draw from the list that a third of them must draw from,
        see :attr:`~tests.chaos.disruptions.Disruptions.is_listed`.

        :param traces: a file for the digests of each dispute's requests, a line for each episode.
        """
        from tests.chaos.facts import COUNTED_APART, KINDS
        from tests.chaos.window import force

        forced = force(_site)
        global _tracing
        _tracing = traces is not None
        totals: Counter[str] = Counter()
        states: Counter[str] = Counter()
        disruptions: Counter[str] = Counter()
        drawn: Counter[str] = Counter()
        listed = 0
        failing: list[int] = []
        traced: dict[int, dict[str, str]] = {}
        began = spoken = time.monotonic()
        for count, played in enumerate(self._play_all(range(seed, seed + episodes)), 1):
            totals.update({name: played[name] for name in ("requests", "faults", "crashes", "gap")})
            totals.update(kind for kind, _ in played["findings"])
            states.update(played["states"])
            disruptions.update(played["disruptions"])
            listed += played["is_listed"]
            drawn.update(played["drawn"])
            traced[played["seed"]] = played["trace"]
            if wrong := [text for kind, text in played["findings"] if kind not in COUNTED_APART]:
                failing.append(played["seed"])
                if len(failing) <= _TOLD:
                    print(f"python -m tests.chaos --replay {played['seed']}")
                    print(*(f"    {text[:300]}" for text in wrong), sep="\n", flush=True)
            if time.monotonic() - spoken > _EVERY:
                spoken = time.monotonic()
                print(f"{count:,} of {episodes:,} episodes, {len(failing)} failing", flush=True)
        share = totals["gap"] / episodes
        print(
            f"{time.monotonic() - began:.0f} s; {len(failing)} episodes failed; "
            f"in {share:.0%} somebody touched a dispute between the last reading and the send"
        )
        summary = {
            "episodes": episodes,
            **{name: totals[name] for name in ("requests", "faults", "crashes", *KINDS, *COUNTED_APART)},
            "forced": forced,
            "states": dict(sorted(states.items())),
            "listed": round(listed / episodes, 3),
            "disruptions": dict(sorted(disruptions.items())),
            "drawn": dict(sorted(drawn.items())),
        }
        if traces:
            lines = [json.dumps([at, traced[at]], sort_keys=True) for at in sorted(traced)]
            traces.write_text("\n".join(lines) + "\n")
        print(json.dumps(summary))
        return 1 if failing else 0

    def _play_all(self, seeds: range) -> Iterator[dict[str, Any]]:
        gc.collect()
        gc.freeze()
        if self._workers == 1:
            yield from map(_play, seeds)
            return
        with multiprocessing.get_context("fork").Pool(self._workers) as pool:
            yield from pool.imap_unordered(_play, seeds, chunksize=8)
