"""Two deployments on one ledger, or two connections to one account, submit the same disputes at once."""

from __future__ import annotations

from collections import Counter

import pytest

from dispute_provider._evidence.record import Record, State
from tests.harness.lab import Lab, Run

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")
# Of each API. A task reads up to 32 at once, so the sandbox can hold all of them at the same time.
DISPUTES = 25


def _batch(lab: Lab, api: str, paths: list[str]) -> Run:
    conf = {"conn_id": f"{api}_default", "cases": paths}
    return lab.run("contest_batch", conf, api)


def test_two_deployments_submit_the_same_disputes_once(lab: Lab, deployment: Lab) -> None:
    disputes = {api: [lab.dispute(api) for _ in range(DISPUTES)] for api in APIS}
    runs: list[Run] = []
    for site in (lab, deployment):
        own = [_batch(site, api, [str(lab.case(each)) for each in disputes[api]]) for api in APIS]
        # The second deployment finds everything staged.
        site.wait_for_reviews(*own)
        runs += own

    # Both read that each dispute is open before either may send.
    every = [(api, dispute) for api in APIS for dispute in disputes[api]]
    rules = [lab.hold("reading's answer", api, dispute, times=2) for api, dispute in every]
    for run in runs:
        run.approve()
    lab.until("both to have read all of them", lambda: sum(map(lab.held, rules)) == 2 * len(every))
    assert not any(lab.submissions(dispute) for _, dispute in every)
    for rule in rules:
        lab.release(rule)

    assert [run.wait_for_end() for run in runs] == ["success"] * len(runs)
    sent = {dispute: lab.submissions(dispute) for _, dispute in every}
    print(f"\n{len(every)} disputes, by number of submissions: {dict(Counter(map(len, sent.values())))}")
    assert {dispute: len(requests) for dispute, requests in sent.items()} == {
        dispute: 1 for _, dispute in every
    }
    ends = _ends(runs)
    print("by submitter:", dict(Counter(_submitter(runs, dispute) for dispute in sent)))
    for dispute, (request,) in sent.items():
        assert Counter(end.state for end in ends[dispute]) == {
            State.SUBMITTED: 1,
            State.ALREADY_SUBMITTED: 1,
        }
        (ours,) = (end for end in ends[dispute] if end.state == State.SUBMITTED)
        assert ours.request_id == request["request_id"]


def _ends(runs: list[Run]) -> dict[str, list[Record]]:
    """Return the final records of runs, by dispute."""
    ends: dict[str, list[Record]] = {}
    for run in runs:
        for record in run.records:
            ends.setdefault(record.dispute, []).append(record)
    return ends


def _submitter(runs: list[Run], dispute: str) -> str:
    """Return the address of the deployment that submitted a dispute."""
    return next(
        run.lab.airflow.url
        for run in runs
        for record in run.records
        if (record.dispute, record.state) == (dispute, State.SUBMITTED)
    )


@pytest.mark.parametrize("api", APIS)
def test_two_connections_to_one_account_submit_once(api: str, lab: Lab) -> None:
    dispute = lab.dispute(api)
    runs = []
    for name in ("default", "other"):
        runs.append(lab.contest(api, dispute, conn_id=f"{api}_{name}"))
        lab.wait_for_reviews(runs[-1])

    rule = lab.hold("reading's answer", api, dispute, times=2)
    for run in runs:
        run.approve()
    lab.until("both to be between reading and sending", lambda: lab.held(rule) == 2)
    assert lab.submissions(dispute) == []
    lab.release(rule)

    assert [run.wait_for_end() for run in runs] == ["success"] * 2
    for run in runs:
        print(f"\n{api:6} | {run.record.connection} | {run.record.state} | {run.record.reason}")
    assert len(lab.submissions(dispute)) == 1
    assert Counter(run.record.state for run in runs) == {State.SUBMITTED: 1, State.ALREADY_SUBMITTED: 1}
