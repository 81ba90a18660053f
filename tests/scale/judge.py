"""Check every dispute against the sandbox's journal, and measure rates. Pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.scale.sandbox import Request

_IRREVERSIBLE = {"PostDisputesDisputeClose", "acceptDispute"}
_TEXTS = {"PostDisputesDispute", "uploadDisputeEvidenceText"}
_SUBMITTED = {"stripe": "under_review", "moov": "under-review"}
_EVIDENCE = {
    "stripe": [
        "access_activity_log",
        "customer_email_address",
        "customer_name",
        "customer_purchase_ip",
        "receipt",
    ],
    "moov": ["customer-communication", "proof-of-delivery"],
}
_TOO_MANY = 429
_FILES = {"PostFiles", "GetFilesFile", "GetFilesFileContents"}


def mistakes(
    disputes: Mapping[str, str], requests: Iterable[Request], held: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return the differences from what was expected; empty if there are none.

    :param disputes: the API of each dispute that must be submitted, by its id.
    :param requests: every request that the sandbox received.
    :param held: each dispute as the sandbox holds it.
    """
    found: list[str] = []
    sent: Counter[str] = Counter()
    for request in requests:
        dispute = request.dispute or ""
        sent[dispute] += request.submits
        if request.operation in _IRREVERSIBLE:
            found.append(f"{dispute}: {request.operation} was called; none may be conceded")
        if request.operation in _TEXTS and not request.submits and dispute not in json.dumps(request.body):
            found.append(f"{dispute}: received the evidence of another dispute")
    del sent[""]
    states = {each["id"]: each for each in held}
    for dispute, api in disputes.items():
        if (count := sent.pop(dispute, 0)) != 1:
            found.append(f"{dispute}: submitted {count} times")
        found += _differences(dispute, api, states.get(dispute))
    return found + [f"{other}: submitted, but not part of this run" for other, count in sent.items() if count]


def _differences(dispute: str, api: str, held: Mapping[str, Any] | None) -> list[str]:
    if held is None:
        return [f"{dispute}: unknown to the sandbox"]
    evidence = held["evidence"]
    names = sorted(evidence if api == "stripe" else (item["evidenceType"] for item in evidence))
    found = []
    if held["status"] != _SUBMITTED[api]:
        found.append(f"{dispute}: its status is {held['status']}")
    if names != _EVIDENCE[api]:
        found.append(f"{dispute}: its evidence is {', '.join(names) or 'nothing'}")
    return found


@dataclass(frozen=True, slots=True)
class Rate:
    """The requests that an API received, without those for Stripe's files, which have their own limit.

    :param busiest: the most requests within any second.
    :param over: the number of seconds with more requests than the limit.
    :param mean: requests per second, over the seconds with any.
    :param refused: the number of 429 answers.
    """

    requests: int
    busiest: int
    over: int
    mean: float
    refused: int


def rate(requests: Iterable[Request], api: str, limit: float) -> Rate:
    """Return the rate that one API received.

    :param limit: requests per second.
    """
    of_api = [request for request in requests if request.api == api and request.operation not in _FILES]
    times = sorted(request.time for request in of_api)
    busiest = start = 0
    for end, time in enumerate(times):
        while times[start] <= time - 1.0:
            start += 1
        busiest = max(busiest, end - start + 1)
    seconds = Counter(map(int, times))
    over = sum(count > limit for count in seconds.values())
    refused = sum(request.status == _TOO_MANY for request in of_api)
    return Rate(len(times), busiest, over, len(times) / len(seconds) if seconds else 0.0, refused)


@dataclass(slots=True)
class Share:
    """Requests of one worker to one API."""

    requests: int = 0
    before: int = 0
    after: int = 0


def shares(requests: Sequence[Request], killed_at: float) -> dict[tuple[str, str], Share]:
    """Return requests, and submissions before and after the kill, by worker and API."""
    found: dict[tuple[str, str], Share] = defaultdict(Share)
    for request in requests:
        share = found[request.worker, request.api]
        share.requests += 1
        share.before += request.submits and request.time < killed_at
        share.after += request.submits and request.time >= killed_at
    return dict(sorted(found.items()))
