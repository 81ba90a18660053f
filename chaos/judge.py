"""The judge. It reads what the sandbox wrote down and what runs and people said, and nothing of the provider.

``double_submits``: we submitted a stage twice.
``unapproved``: what we submitted is not what a person approved, and nobody was told; or conceded unasked.
``lost``: a dispute without a named end, or with one that is not true; a colleague's document deleted.
``duplicate_uploads``: a second copy of ours is left on a dispute.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chaos.transcript import Approval, Completion, Piece, Pieces, Transcript, item_of, pieces_of

DOUBLE, UNAPPROVED, LOST, DUPLICATE = "double_submits", "unapproved", "lost", "duplicate_uploads"
KINDS = (DOUBLE, UNAPPROVED, LOST, DUPLICATE)
NAMED_ENDS = {
    "held", "rejected", "submitted", "submitted-differs", "already-submitted", "conceded", "refused",
    "unknown",
}  # fmt: skip
_CONCEDING = ("PostDisputesDisputeClose", "acceptDispute")
# So many seconds after a worker was killed, what it had sent may still be carried out.
_LATEST = 180.0
_SAYS_SENT = {"submitted", "submitted-differs"}
_SAYS_NOT_SENT = {"staged", "held", "rejected", "refused", "conceded"}


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
    """

    dispute: str
    run: str | None
    sent: float
    time: float
    stage: str
    pieces: Pieces


def judge(transcript: Transcript) -> list[Finding]:
    """Everything that must not be."""
    return list(_Judge(transcript).findings())


class _Judge:
    def __init__(self, transcript: Transcript) -> None:
        self.told = transcript

    def findings(self) -> Iterator[Finding]:
        yield from self._double()
        for submission in self.ours:
            yield from self._approved(submission)
        for entry in self.concessions:
            yield from self._given_up(entry)
        yield from self._too_late()
        yield from self._again()
        yield from self._ended()
        for completion in self.told.completions:
            for record in completion.records:
                yield from self._true(completion, record)
                yield from self._without_cause(completion, record)
        yield from self._uploads()

    @cached_property
    def _requests(self) -> dict[str, dict[str, Any]]:
        """The requests that submitted, by their ids."""
        return {entry["request_id"]: entry for entry in self.told.journal if entry["submitted"]}

    @cached_property
    def submissions(self) -> list[Submission]:
        return [
            self._submission(dispute, described["api"], made, earlier)
            for dispute, described in self.told.disputes.items()
            for earlier, made in enumerate(described["submissions"])
        ]

    def _submission(self, dispute: str, api: str, made: dict[str, Any], earlier: int) -> Submission:
        request = self._requests.get(made["request"])
        # Two things can happen at one moment: the order tells what time does not.
        openings = sum(1 for opening in self.told.openings.get(dispute, ()) if opening.submissions <= earlier)
        return Submission(
            dispute,
            _sender(request) if request else None,
            request["time"] if request else made["time"],
            made["time"],
            stage_key(made["stage"], openings),
            pieces_of(api, made["evidence"], self.told.files),
        )

    @cached_property
    def ours(self) -> list[Submission]:
        return [submission for submission in self.submissions if submission.run]

    def approval(self, run: str | None, dispute: str) -> Approval | None:
        given = [one for one in self.told.approvals if one.run == run and one.dispute == dispute]
        return given[-1] if given else None

    def _double(self) -> Iterator[Finding]:
        stages = Counter((submission.dispute, submission.stage) for submission in self.ours)
        for (dispute, stage), count in stages.items():
            for _ in range(count - 1):
                yield Finding(DOUBLE, dispute, f"{stage} was submitted {count} times")

    def _approved(self, submission: Submission) -> Iterator[Finding]:
        approval = self.approval(submission.run, submission.dispute)
        if approval is None or approval.at > submission.time:
            yield Finding(UNAPPROVED, submission.dispute, f"{submission.run}: nobody had approved it")
        elif not _says_approved(submission, approval) and not self._was_noticed(submission):
            problem = f"not what was approved: {_difference(submission, approval)}"
            yield Finding(UNAPPROVED, submission.dispute, f"{submission.run}: {problem}")

    @cached_property
    def concessions(self) -> list[dict[str, Any]]:
        """The requests of ours that gave a dispute up."""
        return [
            entry
            for entry in self.told.journal
            if entry["operation"] in _CONCEDING and entry["changed"] and _sender(entry)
        ]

    def _openings(self, dispute: str, time: float) -> int:
        return sum(1 for opening in self.told.openings.get(dispute, ()) if opening.at <= time)

    def _given_up(self, entry: dict[str, Any]) -> Iterator[Finding]:
        dispute, run, time = entry["dispute"], _sender(entry), entry["time"]
        given = [
            one
            for one in self.told.concessions
            if (one.run, one.dispute) == (run, dispute)
            and one.at <= time
            and self._openings(dispute, time) == int(one.shown.stage.split("#")[1])
        ]
        if not given:
            yield Finding(UNAPPROVED, dispute, f"{run}: conceded, and nobody had said so twice")

    def _was_noticed(self, submission: Submission) -> bool:
        """Whether a state names the difference, or says that a person must look."""
        return any(
            record["state"] in ("submitted-differs", "unknown")
            or (record["state"] == "already-submitted" and _names_difference(record["reason"]))
            for completion in self.told.completions
            if completion.run == submission.run
            for record in completion.records
            if record["dispute"] == submission.dispute
        )

    def _too_late(self) -> Iterator[Finding]:
        """An approval is good until the due date: who reads after it does not send."""
        read_late: set[tuple[str, str]] = set()
        for entry in sorted(self.told.journal, key=lambda entry: entry["time"]):
            dispute, sender = entry["dispute"], entry["headers"].get("x-chaos-try", "")
            if dispute not in self.told.dues or entry["time"] <= self._due(dispute, entry["time"]):
                continue
            if is_final(entry) and (dispute, sender) in read_late:
                yield Finding(UNAPPROVED, dispute, f"{sender}: sent after its due date")
            elif entry["method"] == "GET" and entry["status"] == 200 and not entry["fault"]:
                read_late.add((dispute, sender))

    def _again(self) -> Iterator[Finding]:
        """What ended unknown is not sent again without another approval."""
        for completion in self.told.completions:
            unknown = {record["dispute"] for record in completion.records if record["state"] == "unknown"}
            for entry in self.told.journal:
                again = _sender(entry) == completion.run and entry["time"] > completion.at
                if again and entry["dispute"] in unknown and is_final(entry):
                    problem = f"{completion.run}: it ended unknown, and was sent again"
                    yield Finding(UNAPPROVED, entry["dispute"], problem)

    def _due(self, dispute: str, time: float) -> float:
        return next(due for due, since in reversed(self.told.dues[dispute]) if since <= time or since == 0)

    def _ended(self) -> Iterator[Finding]:
        for reason in self.told.broken:
            yield Finding(LOST, "*", reason)
        last: dict[str, Completion] = {}
        for completion in self.told.completions:
            last[_run(completion.run)] = completion
        for run, disputes in self.told.given.items():
            ended = Counter(r["dispute"] for r in last[run].records) if run in last else Counter[str]()
            for dispute in disputes:
                if ended[dispute] != 1:
                    yield Finding(LOST, dispute, f"{run} ended with {ended[dispute]} states for it")
        for completion in last.values():
            for record in completion.records:
                if record["state"] not in NAMED_ENDS or not record["reason"]:
                    yield Finding(
                        LOST, record["dispute"], f"{completion.run}: no named end: {record['state']}"
                    )

    def _true(self, completion: Completion, record: dict[str, Any]) -> Iterator[Finding]:
        """Whether what a state says is so."""
        dispute, state = record["dispute"], record["state"]
        approval = self.approval(completion.run, dispute)
        of_it = [one for one in self.submissions if one.dispute == dispute and one.time <= completion.at]
        told = f"{completion.run}: {state} ({record['reason']})"
        if state in _SAYS_SENT:
            since = [one for one in of_it if approval and one.time >= approval.shown.at]
            if approval is None or not since:
                yield Finding(LOST, dispute, f"{told}, but it was not submitted")
            elif state == "submitted" and not any(_says_approved(one, approval) for one in since):
                yield Finding(UNAPPROVED, dispute, f"{told}, but {_difference(since[-1], approval)}")
        if state == "already-submitted" and not of_it and not self._was_answered(dispute):
            yield Finding(LOST, dispute, f"{told}, but nobody submitted it")
        if state == "conceded" and dispute not in {entry["dispute"] for entry in self.concessions}:
            yield Finding(LOST, dispute, f"{told}, but it was not")
        if state in _SAYS_NOT_SENT:
            own = [one for one in self.ours if one.dispute == dispute and one.run == completion.run]
            # What is under way still may arrive later.
            if any(one.sent <= completion.at for one in own):
                yield Finding(LOST, dispute, f"{told}, but this very run submitted it")
            elif state == "refused" and self._answered_by_run_before(completion, dispute):
                yield Finding(LOST, dispute, f"{told}, but this run had submitted it before it was cleared")

    def _was_answered(self, dispute: str) -> bool:
        """Whether it was under review without a submission that the sandbox knows of."""
        return any(what == "was answered" for _, which, what in self.told.disturbed if which == dispute)

    def _answered_by_run_before(self, completion: Completion, dispute: str) -> bool:
        run = _run(completion.run)
        return any(
            one.dispute == dispute
            and _run(one.run or "") == run
            and one.time < completion.started
            and not any(
                one.time <= at <= completion.at for at, which, _ in self.told.disturbed if which == dispute
            )
            and self.told.disputes[dispute]["outcome"] is None
            for one in self.ours
        ) and not self._was_unreadable(completion, dispute)

    def _was_unreadable(self, completion: Completion, dispute: str) -> bool:
        """Whether the part that was cleared could not look; or staging, which was cleared before it."""
        return any(
            entry["fault"] and entry["dispute"] in (dispute, None) and self._belongs_to(completion, entry)
            for entry in self.told.journal
        )

    def _belongs_to(self, completion: Completion, entry: dict[str, Any]) -> bool:
        sender = _sender(entry)
        staged = "/stage" in entry["headers"].get("x-chaos-try", "")
        return sender == completion.run or bool(staged and sender and _run(sender) == _run(completion.run))

    def _without_cause(self, completion: Completion, record: dict[str, Any]) -> Iterator[Finding]:
        """What was approved, and what nothing stood in the way of, is submitted."""
        dispute, state = record["dispute"], record["state"]
        approval = self.approval(completion.run, dispute)
        if approval is None or state in _SAYS_SENT or state == "already-submitted":
            return
        if completion.at > self._due(dispute, approval.at) - 3600 or self._has_excuse(completion, approval):
            return
        yield Finding(
            LOST, dispute, f"{completion.run}: approved, nothing in the way, but {state} ({record['reason']})"
        )

    def _has_excuse(self, completion: Completion, approval: Approval) -> bool:
        """Whether anybody or anything else touched the dispute or the run meanwhile."""
        dispute, run = approval.dispute, _run(completion.run)
        if any(
            approval.shown.at <= at <= completion.at and which in (dispute, run, "*")
            for at, which, _ in self.told.disturbed
        ):
            return True
        return any(
            approval.shown.at - (_LATEST if entry["fault"] else 0.0) <= entry["time"] <= completion.at
            and (
                (entry["fault"] and entry["dispute"] in (dispute, None))
                or (entry["dispute"] == dispute and entry["changed"] and _run(_sender(entry)) != run)
            )
            for entry in self.told.journal
        )

    def _uploads(self) -> Iterator[Finding]:
        deleted: dict[str, set[str]] = defaultdict(set)
        for entry in self.told.journal:
            if entry["operation"] == "deleteDisputeEvidenceFile" and entry["changed"]:
                deleted[entry["dispute"]].add(entry["path"].rsplit("/", 1)[1])
        for dispute, items in deleted.items():
            for item in items & self.told.foreign:
                yield Finding(LOST, dispute, f"a colleague's {item} was deleted")
        for dispute, described in self.told.disputes.items():
            if described["api"] != "moov":
                continue
            if dispute not in self.told.unstaged:
                yield from self._copies(dispute, described["evidence"], "left")
            for made in described["submissions"]:
                if made["request"] in self._requests:
                    yield from self._copies(dispute, made["evidence"], "submitted")

    def _copies(self, dispute: str, items: list[dict[str, Any]], what: str) -> Iterator[Finding]:
        ours: Counter[Piece] = Counter(
            (item["evidenceType"], item_of(item))
            for item in items
            if item["evidenceID"] not in self.told.foreign
        )
        for piece, count in ours.items():
            for _ in range(count - max(1, self.told.wanted[dispute][piece])):
                yield Finding(DUPLICATE, dispute, f"{what}: {count} times {piece[0]} {piece[1][:40]!r}")


def is_final(entry: dict[str, Any]) -> bool:
    """Whether a request of the journal asks for a submission."""
    if entry["operation"] == "PostDisputesDispute":
        return "submit=true" in (entry["raw_body"] or "")
    return bool(entry["operation"] == "submitDisputeEvidence")


def stage_key(name: str, openings: int) -> str:
    """A stage, and which of its kind: a dispute can be opened anew."""
    return f"{name}#{openings}"


def _sender(entry: dict[str, Any]) -> str:
    """Run and generation: ``run/generation``, of what the journal holds as ``run/generation/task/try``."""
    return "/".join(entry["headers"].get("x-chaos-try", "").split("/")[:2])


def _run(name: str) -> str:
    return name.split("/")[0]


def _says_approved(submission: Submission, approval: Approval) -> bool:
    return (submission.pieces, submission.stage) == (approval.shown.pieces, approval.shown.stage)


def _names_difference(reason: str) -> bool:
    return "other evidence" in reason or "another stage" in reason


def _difference(submission: Submission, approval: Approval) -> str:
    sent, meant = Counter(submission.pieces), Counter(approval.shown.pieces)
    facts = [f"too much: {sorted(sent - meant)}" if sent - meant else ""]
    facts += [f"missing: {sorted(meant - sent)}" if meant - sent else ""]
    facts += [
        f"{submission.stage} for {approval.shown.stage}" if submission.stage != approval.shown.stage else ""
    ]
    return "; ".join(fact for fact in facts if fact)
