"""The judge. It reads what the sandbox wrote down and what runs and people said, and nothing of the provider.

``double_submits``: we submitted a stage twice.
``unapproved``: what was sent is not what a person approved, and nobody was told; or conceded or taken back
    unasked.
``lost``: a dispute without a named end, a colleague's work gone without a trace, an approval not carried out.
``duplicate_uploads``: a second copy of ours is left on a dispute.
``false_ends``: a named end that the journal contradicts.
``no_receipt``: we sent something, and there is no receipt of it.
``hangs``: an episode that does not come to its end.

Counted apart, because nothing prevents them: ``moov_window``, a worker frozen between its last check and
the write; ``stripe_window``, the same, where the dispute moves to its next stage or gets a new review
meanwhile, whose submission has another idempotency key; ``moov_no_common_ledger``, two deployments with
separate ledgers; ``stripe_no_common_ledger``, the same, where one stage's submission arrives at the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import Any

from tests.chaos.facts import (
    DOUBLE,
    MOOV_WINDOW,
    NO_COMMON_LEDGER,
    STRIPE_NO_COMMON_LEDGER,
    STRIPE_WINDOW,
    UNAPPROVED,
    Facts,
    Finding,
    Submission,
    difference,
    is_final,
    run_of,
    says_approved,
    sender_of,
)
from tests.chaos.judging.ends import Ends
from tests.chaos.judging.left import Left
from tests.chaos.judging.reasons import names_difference
from tests.chaos.transcript import Approval, Completion, Transcript

_READINGS = ("GetDisputesDispute", "getDispute")
# Seconds after which a request is not written any more under a claim that was created before.
_SENT_WITHIN = 60.0
# Seconds after which a reading of a dispute does not allow a final call any more; one for the way there.
_READ_WITHIN = 31.0
# Seconds by which the clock of a worker is behind, at most.
_CLOCK_SKEW = 60.0


def judge(transcript: Transcript) -> list[Finding]:
    """Everything that must not be."""
    facts = Facts(transcript)
    return [*_Judge(facts).findings(), *Left(facts).findings(), *Ends(facts).findings()]


class _Judge:
    """What was sent and changed at the APIs."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.transcript = facts.transcript

    def findings(self) -> Iterator[Finding]:
        yield from self._double()
        for submission in self.facts.ours:
            yield from self._approved(submission)
        for submission in self.facts.automatic:
            yield from self._by_itself(submission)
        for entry in self.facts.concessions:
            yield from self._given_up(entry)
        yield from self._edited()
        yield from self._changed_in_flight()
        yield from self._unseen()
        yield from self._taken_back()
        yield from self._claimed_twice()
        yield from self._too_late()
        yield from self._unread()
        yield from self._again()

    def _double(self) -> Iterator[Finding]:
        stages = Counter((submission.dispute, submission.stage) for submission in self.facts.ours)
        for (dispute, stage), count in stages.items():
            for _ in range(count - 1):
                yield Finding(
                    self._kind(dispute, DOUBLE, final=True), dispute, f"{stage} was submitted {count} times"
                )

    def _kind(self, dispute: str, kind: str, until: float = inf, *, final: bool = False) -> str:
        """What a double or unapproved submission counts as, where the ledger cannot prevent it at Moov.

        :param final: whether only a frozen submission explains it; otherwise a frozen upload does, too.
        """
        if self.transcript.disputes[dispute]["api"] != "moov":
            if final and self._was_late_under_another_key(dispute):
                return STRIPE_WINDOW
            is_late = final and self.transcript.two_ledgers and self._moved_in_flight(dispute)
            return STRIPE_NO_COMMON_LEDGER if is_late else kind
        if self.facts.was_frozen(dispute, until, final=final):
            return MOOV_WINDOW
        return NO_COMMON_LEDGER if self.transcript.two_ledgers else kind

    def _was_late_under_another_key(self, dispute: str) -> bool:
        """Return whether a frozen worker's submission arrived after another one with another key.

        Until the frozen worker's link has ended or the dispute has moved to its next stage, every submission
        has the same key, of which Stripe carries out one.
        """
        sent = [entry for entry in self.facts.requests.values() if entry["dispute"] == dispute]
        return any(
            "x-chaos-frozen" in late["headers"]
            and earlier["time"] < late["time"]
            and earlier["headers"].get("idempotency-key") != late["headers"].get("idempotency-key")
            and self._went_on(dispute, run_of(sender_of(late)), earlier["time"])
            for late in sent
            for earlier in sent
        )

    def _went_on(self, dispute: str, run: str, time: float) -> bool:
        """Return whether a dispute had moved to its next stage or a run's final call had ended by a time."""
        return self.facts.openings(dispute, time) > 0 or any(
            end.dispute == dispute and end.run in (run, "") and end.at <= time for end in self.transcript.ends
        )

    def _moved_in_flight(self, dispute: str) -> bool:
        """Whether a dispute went on to its next stage while a submission of ours was in flight."""
        return any(
            submission.dispute == dispute and submission.sent <= opening.at <= submission.time
            for submission in self.facts.ours
            for opening in self.transcript.openings.get(dispute, ())
        )

    def _approved(self, submission: Submission) -> Iterator[Finding]:
        given = self.facts.approvals(submission.run, submission.dispute)
        before = [approval for approval in given if approval.at <= submission.time]
        if not before:
            yield Finding(UNAPPROVED, submission.dispute, f"{submission.run}: nobody had approved it")
        elif not any(says_approved(submission, one) for one in before) and not self._was_noticed(submission):
            problem = f"not what was approved: {difference(submission, before[-1])}"
            kind = self._kind(submission.dispute, UNAPPROVED, submission.time)
            yield Finding(kind, submission.dispute, f"{submission.run}: {problem}")

    def _by_itself(self, submission: Submission) -> Iterator[Finding]:
        """What the API sends by itself is nothing of ours that nobody has approved."""
        if not any(self._is_approved(submission, one) for one in self.transcript.approvals):
            staged = [entry for entry in self.transcript.journal if _stages(entry, submission)]
            if staged:
                problem = f"the API sent what {sender_of(staged[-1])} had staged, and nobody had approved it"
                yield Finding(UNAPPROVED, submission.dispute, problem)

    @staticmethod
    def _is_approved(submission: Submission, approval: Approval) -> bool:
        same = approval.dispute == submission.dispute and approval.at <= submission.time
        return same and says_approved(submission, approval)

    def _edited(self) -> Iterator[Finding]:
        """Nothing is sent for a review that was handed an edited record."""
        for submission in self.facts.ours:
            if (submission.run or "", submission.dispute) in self.transcript.edited:
                problem = f"{submission.run}: its staged record was edited, and was believed"
                yield Finding(UNAPPROVED, submission.dispute, problem)

    def _changed_in_flight(self) -> Iterator[Finding]:
        """No other task of ours changes a dispute while a submission of ours is in flight."""
        if self.transcript.two_ledgers:
            return
        for submission in self.facts.ours:
            for entry in self.transcript.journal:
                sender = sender_of(entry)
                if (
                    entry["dispute"] == submission.dispute
                    and entry["changed"]
                    and submission.sent < entry["time"] < submission.time
                    and sender
                    and sender != submission.run
                ):
                    problem = f"{sender}: changed it while a submission of {submission.run} was in flight"
                    kind = self._kind(submission.dispute, UNAPPROVED, submission.time)
                    yield Finding(kind, submission.dispute, problem)

    def _unseen(self) -> Iterator[Finding]:
        """An approval that was given before another run's final call ended sends nothing.

        Deployments without a common ledger do not see one another's ends.
        """
        if self.transcript.two_ledgers:
            return
        first: dict[tuple[str, str], float] = {}
        for entry in self.transcript.journal:
            if is_final(entry) and sender_of(entry) and "x-chaos-frozen" not in entry["headers"]:
                first.setdefault((sender_of(entry), entry["dispute"]), entry["time"])
        for (sender, dispute), sent in first.items():
            given = self.facts.approvals(sender, dispute)
            for end in self.transcript.ends:
                if (
                    end.dispute == dispute
                    and end.run != run_of(sender)
                    and end.at < sent - _SENT_WITHIN
                    and given
                    and all(approval.at < end.at for approval in given)
                ):
                    problem = f"{sender}: sent, approved before a call of {end.run} ended {end.state}"
                    yield Finding(UNAPPROVED, dispute, problem)

    def _taken_back(self) -> Iterator[Finding]:
        """A submitting task changes what is staged only where a person has rejected it."""
        for entry in self.transcript.journal:
            if entry["operation"] != "PostDisputesDispute" or not entry["changed"] or is_final(entry):
                continue
            submitting = "/submit/" in entry["headers"].get("x-chaos-try", "")
            if submitting and (sender_of(entry), entry["dispute"]) not in self.transcript.rejections:
                problem = f"{sender_of(entry)}: changed what was staged, and nobody had rejected it"
                yield Finding(UNAPPROVED, entry["dispute"], problem)

    def _claimed_twice(self) -> Iterator[Finding]:
        """Where two cases of one task are for a dispute, neither is staged."""
        for entry in self.transcript.journal:
            claim = (run_of(sender_of(entry)), entry["dispute"])
            if entry["changed"] and claim in self.transcript.claimed_twice:
                yield Finding(UNAPPROVED, claim[1], f"{claim[0]}: changed, though two cases claim it")

    def _given_up(self, entry: dict[str, Any]) -> Iterator[Finding]:
        dispute, run, time = entry["dispute"], sender_of(entry), entry["time"]
        given = [
            one
            for one in self.transcript.concessions
            if (one.run, one.dispute) == (run, dispute)
            and one.at <= time
            and self.facts.openings(dispute, time) == int(one.shown.stage.split("#")[1])
        ]
        if not given:
            yield Finding(UNAPPROVED, dispute, f"{run}: conceded, and nobody had said so twice")

    def _was_noticed(self, submission: Submission) -> bool:
        """Whether a state names the difference, or says that a person must look.

        A task that is marked as success while it sends ends without a state.
        """
        return submission.run in self.transcript.marked or any(
            record["state"] in ("submitted-differs", "unknown")
            or (record["state"] == "already-submitted" and names_difference(record["reason"]))
            for completion in self.transcript.completions
            if completion.run == submission.run
            for record in completion.records
            if record["dispute"] == submission.dispute
        )

    def _too_late(self) -> Iterator[Finding]:
        """An approval is good until the due date: who reads after it does not send."""
        read_late: set[tuple[str, str]] = set()
        for entry in sorted(self.transcript.journal, key=lambda entry: entry["time"]):
            dispute, sender = entry["dispute"], entry["headers"].get("x-chaos-try", "")
            if dispute not in self.transcript.dues:
                continue
            if entry["time"] <= self.facts.due(dispute, entry["time"]) + _CLOCK_SKEW:
                continue
            if is_final(entry) and (dispute, sender) in read_late:
                yield Finding(UNAPPROVED, dispute, f"{sender}: sent after its due date")
            elif entry["method"] == "GET" and entry["status"] == 200 and not entry["fault"]:
                read_late.add((dispute, sender))

    def _unread(self) -> Iterator[Finding]:
        """A try changes only what it has read itself, and makes a final call soon after its reading."""
        read: dict[tuple[str, str], float] = {}
        for entry in sorted(self.transcript.journal, key=lambda entry: entry["time"]):
            dispute, sender = entry["dispute"], entry["headers"].get("x-chaos-try", "")
            if entry["operation"] in _READINGS and entry["status"] == 200:
                read[dispute, sender] = entry["time"]
            elif not sender or not dispute or "x-chaos-frozen" in entry["headers"]:
                continue
            elif entry["changed"] and (dispute, sender) not in read:
                yield Finding(UNAPPROVED, dispute, f"{sender}: changed it without having read it")
            elif is_final(entry) and entry["time"] > read.get((dispute, sender), 0.0) + _READ_WITHIN:
                yield Finding(UNAPPROVED, dispute, f"{sender}: submitted it on an old reading, or on none")

    def _again(self) -> Iterator[Finding]:
        """What ended unknown is not sent again without another approval; under a key that is no harm.

        A task that is cleared may send what the ledger shows to be unsent: its link has not ended.
        """
        for completion in self.transcript.completions:
            unknown = {
                record["dispute"]
                for record in completion.records
                if record["state"] == "unknown" and not self._never_sent(completion, record["dispute"])
            }
            for entry in self.transcript.journal:
                again = sender_of(entry) == completion.run and entry["time"] > completion.at
                has_key = self.transcript.disputes.get(entry["dispute"], {}).get("api") == "stripe"
                was_frozen = "x-chaos-frozen" in entry["headers"]
                if was_frozen and (has_key or not entry["changed"]):
                    # An earlier try, frozen after its check. The API carries out one request under its key;
                    # without keys, it has refused this one.
                    continue
                if has_key and not entry["changed"] and self._has_same_key(completion, entry):
                    continue
                if again and entry["dispute"] in unknown and is_final(entry):
                    problem = f"{completion.run}: it ended unknown, and was sent again"
                    kind = self._kind(entry["dispute"], UNAPPROVED, final=True) if was_frozen else UNAPPROVED
                    yield Finding(kind, entry["dispute"], problem)

    def _has_same_key(self, completion: Completion, entry: dict[str, Any]) -> bool:
        """Return whether a run had sent a submission under an entry's key before it ended."""
        return any(
            (sender_of(earlier), earlier["dispute"]) == (completion.run, entry["dispute"])
            and earlier["time"] <= completion.at
            and earlier["headers"].get("idempotency-key") == entry["headers"].get("idempotency-key")
            for earlier in self.transcript.journal
        )

    def _never_sent(self, completion: Completion, dispute: str) -> bool:
        """Return whether a run had sent nothing for a dispute by its end, and had not ended its link."""
        sent = any(
            is_final(entry)
            and (sender_of(entry), entry["dispute"]) == (completion.run, dispute)
            and entry["time"] <= completion.at
            for entry in self.transcript.journal
        )
        return not sent and not any(
            end.dispute == dispute and end.run in (run_of(completion.run), "") and end.at <= completion.at
            for end in self.transcript.ends
        )


def _stages(entry: dict[str, Any], submission: Submission) -> bool:
    """Whether a request of ours had put evidence on a dispute before it was sent."""
    return bool(
        entry["dispute"] == submission.dispute
        and entry["operation"] == "PostDisputesDispute"
        and entry["changed"]
        and entry["time"] <= submission.time
        and "evidence" in (entry["raw_body"] or "")
        and sender_of(entry)
    )
