"""Each cell of the table *How a final call is decided*, driven through the submit operator."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from contesting import TEXT, Contest
from support import Connect, pass_time

from dispute_provider._ledger.chain import ChainStatus
from dispute_provider._ledger.stores import FolderStore
from dispute_provider._workflow.sending.decisions import Reading, Step, next_step
from dispute_provider.sandbox import Sandbox

LAPSED = 300.0
# The status of a chain after a wait in which it was not changed.
LATER = {
    ChainStatus.OWN_IN_FLIGHT: ChainStatus.OWN_EXPIRED,
    ChainStatus.CLAIMED: ChainStatus.EXPIRED,
    ChainStatus.SETTLING: ChainStatus.UNSEEN,
}
ENDS: dict[Step, tuple[str, str]] = {
    Step.SEND: ("submitted", "confirmed by "),
    Step.EARLIER_TRY: ("submitted", "an earlier try of this task, or someone else, sent it"),
    Step.ANSWERED: ("already-submitted", "it was answered after it was approved"),
    Step.ENDED_BEFORE: ("refused", "as it ended before"),
    Step.SUPERSEDED: ("refused", "another final call for this dispute ended unknown since it was approved"),
    Step.REFUSED: ("refused", "the evidence has changed since it was approved"),
    Step.DAMAGED: ("held", "the ledger's files for this dispute were edited or cannot be read"),
}


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch, impatient: None) -> list[float]:
    return pass_time(monkeypatch)


@pytest.mark.parametrize(("status", "reading"), product(ChainStatus, Reading))
@pytest.mark.parametrize("kind", ["stripe", "moov"])
def test_a_cell(
    kind: str,
    status: ChainStatus,
    reading: Reading,
    sandbox: Sandbox,
    connect: Connect,
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(kind)
    step = next_step(reading, status, has_key=kind == "stripe")
    dispute = sandbox.create_dispute(api=kind, amount=100)["id"]
    ours, another = Contest(kind, dispute), Contest(kind, dispute)
    approved, others = ours.approve(), another.approve()
    stand(status, ours, approved, another, others, waited, monkeypatch)
    if reading is Reading.ANSWERED:
        sandbox.edit_dispute(dispute, submit=True)
    if reading is Reading.REFUSED:
        sandbox.edit_dispute(dispute, evidence={TEXT[kind]: "A colleague's."})

    before = sum(waited)
    end = ours.submit(approved, 2)

    assert (sum(waited) - before > 204) == (step is Step.WAIT)
    if step is Step.WAIT:
        step = next_step(reading, LATER[status], has_key=kind == "stripe")
    state, words = ENDS[step]
    assert end["state"] == state, end["reason"]
    assert words in end["reason"]
    was_sent = step is Step.SEND or reading is Reading.ANSWERED
    assert len(sandbox.dispute(dispute)["submissions"]) == was_sent
    assert len(sandbox.journal(submitted=True)) == (step is Step.SEND)


def stand(
    status: ChainStatus,
    ours: Contest,
    approved: dict[str, Any],
    another: Contest,
    others: dict[str, Any],
    waited: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Have a dispute's chain stand like that to our task."""
    match status:
        case ChainStatus.OWN_IN_FLIGHT | ChainStatus.OWN_EXPIRED:
            ours.break_off(approved)
        case ChainStatus.CLAIMED | ChainStatus.EXPIRED:
            another.break_off(others)
        case ChainStatus.SETTLING:
            another.end(others, "unknown", "no reading shows it", is_settled=False)
        case ChainStatus.ENDED:
            ours.end(approved, "refused", "as it ended before")
        case ChainStatus.UNSEEN:
            another.end(others, "unknown", "no reading shows it")
        case ChainStatus.DAMAGED:
            another.break_off(others)
            read = FolderStore.read
            monkeypatch.setattr(
                FolderStore,
                "read",
                lambda self, paths: {
                    path: content if path == "ledger.json" else b"edited"
                    for path, content in read(self, paths).items()
                },
            )
    if status in (ChainStatus.OWN_EXPIRED, ChainStatus.EXPIRED):
        waited.append(LAPSED)
