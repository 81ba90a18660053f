"""Rare situations, each forced in a small episode, so that a safeguard that is knocked out shows soon."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from dispute_provider.sandbox._faults import Fault
from tests.chaos.disruptions import Disruptions
from tests.chaos.episode import Episode, Verdict, conclude
from tests.chaos.situation import Situation
from tests.chaos.world.faults import ODD, STALE, TWICE
from tests.chaos.world.planned import Planned
from tests.chaos.world.site import Site
from tests.chaos.world.worker import Crash, Freeze

_MOOV, _STRIPE = ("moov",), ("stripe",)
_SUBMITTED_BY = "/submit/"


def _status(status: int, **fields: Any) -> partial[Fault]:
    return partial(
        Fault, "status", name=f"{status} planned", status=status, body="<html>planned</html>", **fields
    )


def _submission(fault: partial[Fault], times: int | None = 1, *, by_one: bool = False) -> tuple[Planned, ...]:
    """A fault of the calls that submit."""
    return tuple(
        Planned(operation, _SUBMITTED_BY, fault, times, by_one)
        for operation in ("PostDisputesDispute", "submitDisputeEvidence")
    )


def _reading(fault: partial[Fault], sender: str) -> tuple[Planned, ...]:
    """A fault of the calls that read the dispute."""
    return tuple(Planned(operation, sender, fault) for operation in ("GetDisputesDispute", "getDispute"))


_uploads_twice = Planned("upload", "/stage", partial(Fault, "delay", name=TWICE))
_in_flight = Crash("during final", held=150.0)

SITUATIONS = {
    # Several runs
    "two runs at once": Situation(runs=3, replies=()),
    "the holder dies, others take over": Situation(runs=4, first=Crash("after ledger")),
    "the holder dies while its request is in flight": Situation(runs=2, first=Crash("during final")),
    "the holder dies after its request": Situation(first=Crash("after final")),
    "the holder waits for an answer": Situation(
        runs=2, planned=_submission(partial(Fault, "delay", seconds=150.0))
    ),
    "two deployments": Situation(Disruptions(deployments=2), runs=4),
    "two deployments without a common ledger submit at once": Situation(
        Disruptions(deployments=2, two_ledgers=True), apis=_STRIPE, runs=2
    ),
    "two connections": Situation(Disruptions(connections=0.5), runs=4),
    "another run stages while a request is in flight": Situation(first=_in_flight, follows=True),
    "another run submits while a staging is in flight": Situation(
        second_after=7195.0,
        planned=(
            *_submission(partial(Fault, "delay", seconds=30.0), by_one=True),
            Planned("upload", "run1/1/stage", partial(Fault, "delay", seconds=15.0)),
            Planned("PostDisputesDispute", "run1/1/stage", partial(Fault, "delay", seconds=15.0)),
        ),
    ),
    "an end is unknown while its request is in flight": Situation(
        first=_in_flight, follows=True, planned=_reading(_status(403), "run1/1/submit/2")
    ),
    "an end is unknown and another run is approved": Situation(
        runs=2, planned=_submission(_status(500), None, by_one=True)
    ),
    "an end is unknown and the task is cleared": Situation(
        planned=_submission(_status(500), None), clears=True
    ),
    # Frozen workers
    "frozen after the last reading": Situation(first=Freeze("after answer", 0, seconds=60.0)),
    "frozen before the check": Situation(
        runs=2, first=Freeze("before check", 1, seconds=600.0, lost_after=60.0)
    ),
    "frozen after the check, another takes over": Situation(
        apis=_STRIPE, runs=2, first=Freeze("after check", 1, seconds=600.0)
    ),
    "frozen for seconds, and lost": Situation(first=Freeze("before thread", 0, seconds=15.0, lost_after=5.0)),
    # Stores and clocks
    "the ledger fails": Situation(Disruptions(breaks={"ledger": 0.1}), runs=3),
    "no claim is answered": Situation(Disruptions(breaks={"claims": 1.0}), runs=3),
    "the ledger cannot be listed after the holder has died": Situation(
        Disruptions(breaks={"listings": 0.4}), first=Crash("after final")
    ),
    "clocks are wrong": Situation(Disruptions(skew=60.0), runs=2, first=Crash("during final")),
    "some submitters have another ledger": Situation(Disruptions(strays=0.5, strays_at="submit"), runs=3),
    "releases are forged": Situation(Disruptions(forgeries=1.0), runs=3, first=Crash("during final")),
    "a release is forged, and the inquiry becomes a chargeback": Situation(
        Disruptions(forgeries=1.0), first=Crash("after final"), is_inquiry=True
    ),
    # Records and reviews
    "records are edited": Situation(tampering=1.0, runs=2, replies=()),
    "staged records are edited": Situation(tampering=1.0, edits="staged"),
    "held records are edited": Situation(tampering=1.0, edits="claim", replies=("hold",)),
    "rejections are forged": Situation(apis=_STRIPE, tampering=1.0, edits="reject", replies=("hold",)),
    "nobody answers": Situation(replies=("late",)),
    "an answer has no login": Situation(replies=("without login",)),
    "an answer names another digest": Situation(replies=("other digest",)),
    "a concession is not confirmed": Situation(replies=("concede once",)),
    "keys are replaced after the holder has died": Situation(first=Crash("after final"), rotates=True),
    "reviews are asked again": Situation(tampering=1.0, asks_again=True, runs=2, replies=()),
    "an approval that was taken back is used": Situation(
        tampering=1.0, edits="steal", asks_again=True, replies=("approve", "hold")
    ),
    # Colleagues, issuers and due dates
    "a colleague touches the dispute between two tasks": Situation(disturbance=0.5),
    "a colleague touches the dispute just before the submission": Situation(gap=1.0),
    "another run answers the chargeback before the inquiry's task is tried again": Situation(
        first=Crash("after final"), is_inquiry=True, retry_delay=300.0
    ),
    "a dispute is opened again": Situation(reopens=True),
    "an inquiry is answered and becomes a chargeback": Situation(is_inquiry=True, reopens=True),
    "a form is answered after the evidence has changed": Situation(
        first=Crash("before return"), first_task="review", disturbance=0.5
    ),
    "another run is approved on an old reading": Situation(
        Disruptions(stale=1e-9),
        apis=_MOOV,
        second_after=7197.0,
        second_has_same_case=True,
        planned=tuple(
            Planned(operation, "run1/1/(review|submit)", partial(Fault, "delay", name=STALE))
            for operation in ("getDispute", "listDisputeEvidence")
        ),
        replies=("approve at once",),
    ),
    "the due date passes between two tries": Situation(
        first=Crash("before final"), due_in=30_000.0, retry_delay=30_000.0
    ),
    # Staging
    "two cases of one task": Situation(twins="batch"),
    "two cases of two tasks": Situation(twins="chunk"),
    "uploads are carried out twice": Situation(apis=_MOOV, planned=(_uploads_twice,)),
    "second copies cannot be deleted at first": Situation(
        apis=_MOOV, planned=(_uploads_twice, Planned("deleteDispute", "/stage.*/1$", _status(429)))
    ),
    "a colleague's texts are replaced, unanswered": Situation(
        apis=_STRIPE,
        has_texts=True,
        planned=(Planned("PostDisputesDispute", "/stage", partial(Fault, "drop-after"), times=1),),
    ),
    "a colleague has uploaded the case's text twice": Situation(apis=_MOOV, has_texts=True),
    "Stripe submits by itself": Situation(apis=_STRIPE, is_automatic=True, replies=("hold",)),
    # Answers
    "answers have odd fields": Situation(planned=_reading(partial(Fault, "delay", name=ODD), _SUBMITTED_BY)),
    "a submission is answered 504 after it was carried out": Situation(
        planned=_submission(_status(504, after=True))
    ),
    "a submission is answered 429 after it was carried out": Situation(
        planned=_submission(_status(429, after=True))
    ),
    "a submission is answered 409 after it was carried out": Situation(
        planned=_submission(_status(409, after=True))
    ),
    "a submission is answered 400 after it was carried out": Situation(
        planned=_submission(_status(400, after=True))
    ),
    "an inquiry becomes a chargeback while its answer is in flight": Situation(
        first=_in_flight, is_inquiry=True
    ),
}


def play(name: str, api: str, seed: int, site: Site) -> Verdict:
    """Play a situation once."""
    situation = SITUATIONS[name].varied(seed)
    return conclude(seed, lambda: Episode(seed, site, situation=situation, api=api))


def play_all(seeds: range, site: Site) -> Iterator[tuple[str, Verdict]]:
    """Play each situation at its APIs, one seed after the other; yield its name, and what came of it."""
    for seed in seeds:
        for name in SITUATIONS:
            yield from play_one(name, range(seed, seed + 1), site)


def play_one(name: str, seeds: range, site: Site) -> Iterator[tuple[str, Verdict]]:
    """Play one situation at its APIs, one seed after the other; yield its name, and what came of it."""
    for seed in seeds:
        for api in SITUATIONS[name].apis:
            yield f"{name}, {api}, {seed}", play(name, api, seed, site)
