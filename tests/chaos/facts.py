"""Read submissions, concessions, approvals and due dates from the transcript of an episode."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.chaos.transcript import Approval, Pieces, Transcript, pieces_of

DOUBLE, UNAPPROVED, LOST, DUPLICATE = "double_submits", "unapproved", "lost", "duplicate_uploads"
FALSE_END, NO_RECEIPT, HANG = "false_ends", "no_receipt", "hangs"
KINDS = (DOUBLE, UNAPPROVED, LOST, DUPLICATE, FALSE_END, NO_RECEIPT, HANG)
MOOV_WINDOW = "moov_window"
"""Its worker was frozen between the last check and the write, at Moov: counted, and no failure."""
NO_COMMON_LEDGER = "moov_no_common_ledger"
"""Two deployments without a common ledger have both submitted at Moov: counted, and no failure."""
STRIPE_WINDOW = "stripe_window"
"""The same at Stripe, where the dispute got another submission meanwhile, under another key."""
STRIPE_NO_COMMON_LEDGER = "stripe_no_common_ledger"
"""Two such deployments at Stripe, where a submission in flight answers the next stage: no failure either."""
COUNTED_APART = (MOOV_WINDOW, STRIPE_WINDOW, NO_COMMON_LEDGER, STRIPE_NO_COMMON_LEDGER)
_CONCEDING = ("PostDisputesDisputeClose", "acceptDispute")


@dataclass(frozen=True)
class Finding:
    kind: str
    dispute: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.dispute}: {self.text}"


@dataclass(frozen=True)
class Submission:
    """One that the sandbox accepted.

    :param run: ours (run and generation), None where a colleague made it.
    :param sent: when it was asked for.
    :param time: when it was carried out.
    :param automatic: the API made it by itself, at the due date.
    """

    dispute: str
    run: str | None
    sent: float
    time: float
    stage: str
    pieces: Pieces
    automatic: bool = False


class Facts:
    """The transcript of one episode, read once."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    @cached_property
    def requests(self) -> dict[str, dict[str, Any]]:
        """The requests that submitted, by their ids."""
        return {entry["request_id"]: entry for entry in self.transcript.journal if entry["submitted"]}

    @cached_property
    def submissions(self) -> list[Submission]:
        return [
            self._submission(dispute, described["api"], made, earlier)
            for dispute, described in self.transcript.disputes.items()
            for earlier, made in enumerate(described["submissions"])
        ]

    def _submission(self, dispute: str, api: str, made: dict[str, Any], earlier: int) -> Submission:
        request = self.requests.get(made["request"])
        # Two things can happen at one moment: the order tells what time does not.
        openings = sum(
            1 for opening in self.transcript.openings.get(dispute, ()) if opening.submissions <= earlier
        )
        return Submission(
            dispute,
            sender_of(request) if request else None,
            request["time"] if request else made["time"],
            made["time"],
            stage_key(made["stage"], openings),
            pieces_of(api, made["evidence"], self.transcript.files),
            automatic=made.get("method") == "smart_disputes",
        )

    @cached_property
    def ours(self) -> list[Submission]:
        return [submission for submission in self.submissions if submission.run]

    @cached_property
    def automatic(self) -> list[Submission]:
        """Those that the API made by itself."""
        return [submission for submission in self.submissions if submission.automatic]

    def approvals(self, run: str | None, dispute: str) -> list[Approval]:
        """What people said yes to: the last answer to each review of the run that asked about the dispute."""
        last = {
            one.review: one for one in self.transcript.approvals if (one.run, one.dispute) == (run, dispute)
        }
        return list(last.values())

    @cached_property
    def concessions(self) -> list[dict[str, Any]]:
        """The requests of ours that gave a dispute up."""
        return [
            entry
            for entry in self.transcript.journal
            if entry["operation"] in _CONCEDING and entry["changed"] and sender_of(entry)
        ]

    def was_frozen(self, dispute: str, until: float, *, final: bool) -> bool:
        """Whether a worker was frozen between check and write of a request that changed a dispute.

        :param final: whether only submissions count.
        """
        return any(
            entry["dispute"] == dispute
            and entry["changed"]
            and "x-chaos-frozen" in entry["headers"]
            and entry["time"] <= until
            and (is_final(entry) or not final)
            for entry in self.transcript.journal
        )

    def was_marked(self, run: str) -> bool:
        """Return whether a task of a run was marked as success by hand, in any generation."""
        return any(run_of(each) == run for each in self.transcript.marked)

    def openings(self, dispute: str, time: float) -> int:
        return sum(1 for opening in self.transcript.openings.get(dispute, ()) if opening.at <= time)

    def due(self, dispute: str, time: float) -> float:
        return next(
            due for due, since in reversed(self.transcript.dues[dispute]) if since <= time or since == 0
        )


def is_final(entry: dict[str, Any]) -> bool:
    """Whether a request of the journal asks for a submission."""
    if entry["operation"] == "PostDisputesDispute":
        return "submit=true" in (entry["raw_body"] or "")
    return bool(entry["operation"] == "submitDisputeEvidence")


def stage_key(name: str, openings: int) -> str:
    """A stage, and which of its kind: a dispute can be opened anew."""
    return f"{name}#{openings}"


def sender_of(entry: dict[str, Any]) -> str:
    """Run and generation: ``run/generation``, of what the journal holds as ``run/generation/task/try``."""
    return "/".join(entry["headers"].get("x-chaos-try", "").split("/")[:2])


def run_of(name: str) -> str:
    return name.split("/")[0]


def says_approved(submission: Submission, approval: Approval) -> bool:
    return (submission.pieces, submission.stage) == (approval.shown.pieces, approval.shown.stage)


def difference(submission: Submission, approval: Approval) -> str:
    sent, meant = Counter(submission.pieces), Counter(approval.shown.pieces)
    facts = [f"too much: {sorted(sent - meant)}" if sent - meant else ""]
    facts += [f"missing: {sorted(meant - sent)}" if meant - sent else ""]
    facts += [
        f"{submission.stage} for {approval.shown.stage}" if submission.stage != approval.shown.stage else ""
    ]
    return "; ".join(fact for fact in facts if fact)


def run_of_review(record: dict[str, Any]) -> str:
    """Return the run whose review was answered, from the review's name: ``task/map index/run-task-try``."""
    review = str((record.get("approval") or {}).get("review", ""))
    return review.rpartition("/")[2].split("-")[0]
