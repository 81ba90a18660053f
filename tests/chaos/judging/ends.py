"""Check that every dispute leaves its run in a named state, and that the state is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.chaos.facts import (
    FALSE_END,
    LOST,
    UNAPPROVED,
    Facts,
    Finding,
    difference,
    is_final,
    run_of,
    says_approved,
    sender_of,
)
from tests.chaos.judging.reasons import (
    ANOTHER,
    EARLIER_TRY,
    EDITED_LEDGER,
    LOST_OPENING,
    OLDER_FORM,
    is_void,
    names_submission_before,
)
from tests.chaos.transcript import Approval, Completion
from tests.chaos.world.faults import ODD

NAMED_ENDS = {
    "held", "rejected", "submitted", "submitted-differs", "already-submitted", "conceded", "refused",
    "unknown",
}  # fmt: skip
# So many seconds after a worker was killed, what it had sent may still be carried out.
_LATEST = 180.0
# Seconds after a request has arrived until the sandbox carries it out, at most.
_LATENCY = 1.5
_SAYS_SENT = {"submitted", "submitted-differs"}
_SAYS_NOT_SENT = {"staged", "held", "rejected", "refused", "conceded"}


class Ends:
    """What the runs of an episode said at their end."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.transcript = facts.transcript

    def findings(self) -> Iterator[Finding]:
        yield from self._ended()
        for completion in self.transcript.completions:
            for record in completion.records:
                yield from self._true(completion, record)
                yield from self._without_cause(completion, record)
        yield from self._swept()

    def _ended(self) -> Iterator[Finding]:
        for reason in self.transcript.broken:
            yield Finding(LOST, "*", reason)
        last: dict[str, Completion] = {}
        for completion in self.transcript.completions:
            last[run_of(completion.run)] = completion
        for run, disputes in self.transcript.given.items():
            ended = Counter(r["dispute"] for r in last[run].records) if run in last else Counter[str]()
            for dispute, cases in Counter(disputes).items():
                # A review that was marked as success hands on no records.
                if ended[dispute] == cases or (ended[dispute] < cases and self.facts.was_marked(run)):
                    continue
                if not (ended[dispute] and self._was_edited(run)):
                    yield Finding(LOST, dispute, f"{run} ended with {ended[dispute]} states for {cases}")
        for completion in last.values():
            for record in completion.records:
                if record["state"] not in NAMED_ENDS or not record["reason"]:
                    yield Finding(
                        LOST, record["dispute"], f"{completion.run}: no named end: {record['state']}"
                    )

    def _was_edited(self, run: str) -> bool:
        """Whether records of a run were edited: then one may stand in the place of another."""
        return any(which == run and what == "tampered" for _, which, what in self.transcript.disturbed)

    def _may_be_unverified(self, completion: Completion) -> bool:
        """Return whether a record's signature may be invalid: it was edited, or its key was replaced."""
        return self._happened("keys replaced", completion) or self._was_edited(run_of(completion.run))

    def _happened(self, what: str, completion: Completion) -> bool:
        """Return whether a disruption happened before a completion."""
        return any(at <= completion.at and each == what for at, _, each in self.transcript.disturbed)

    def _true(self, completion: Completion, record: dict[str, Any]) -> Iterator[Finding]:
        """Whether what a state says is so."""
        dispute, state = record["dispute"], record["state"]
        of_it = [
            one for one in self.facts.submissions if one.dispute == dispute and one.time <= completion.at
        ]
        label = f"{completion.run}: {state} ({record['reason']})"
        if state in _SAYS_SENT:
            yield from self._was_sent(completion, record, label)
        if state == "already-submitted" and not of_it and not self._was_answered(dispute):
            yield Finding(FALSE_END, dispute, f"{label}, but nobody submitted it")
        own = [one for one in self.facts.ours if one.dispute == dispute and one.run == completion.run]
        # A record whose approval was withdrawn, or that is not the one that was sent, is already submitted by
        # another record of the same run.
        others = (
            self._others(completion, dispute)
            or self._says_other_sent(completion, record)
            or (is_void(record["reason"]) and self._twin_was_sent(completion, dispute))
        )
        if own and self._has_named_edited_ledger(completion, dispute):
            # No link shows the sender any more, and the reason asks for a check of the dispute.
            return
        if state == "already-submitted" and own and not others and EARLIER_TRY not in record["reason"]:
            yield Finding(FALSE_END, dispute, f"{label}, but nobody else did")
        if state == "conceded" and dispute not in {entry["dispute"] for entry in self.facts.concessions}:
            yield Finding(FALSE_END, dispute, f"{label}, but it was not")
        if state in _SAYS_NOT_SENT and not self._twin_was_sent(completion, dispute):
            # What is under way still may arrive later.
            if any(one.sent <= completion.at for one in own):
                yield Finding(FALSE_END, dispute, f"{label}, but this very run submitted it")
            elif (
                state == "refused"
                and not names_submission_before(record["reason"])
                and not self._was_edited(run_of(completion.run))
                and self._answered_by_run_before(completion, dispute)
            ):
                yield Finding(
                    FALSE_END, dispute, f"{label}, but this run had submitted it before it was cleared"
                )
        is_unclear = state == "unknown" and self._was_disturbed(completion, dispute)
        answered = state == "conceded" or is_unclear or self._twin_was_sent(completion, dispute)
        if not answered and self._conceded_by(completion, dispute):
            yield Finding(FALSE_END, dispute, f"{label}, but this very run conceded it")
        if record.get("unverified") and not self._may_be_unverified(completion):
            yield Finding(FALSE_END, dispute, f"{label}: cannot be checked, but was not edited")

    def _was_sent(self, completion: Completion, record: dict[str, Any], label: str) -> Iterator[Finding]:
        """Whether it was sent since it was approved, as it was approved, and by us."""
        dispute = record["dispute"]
        given = self.facts.approvals(completion.run, dispute)
        runs = {run_of(completion.run)}
        if record.get("unverified") or is_void(record["reason"]):
            # What an earlier part of the run has sent, of which no more is known than that.
            if self._was_edited(run_of(completion.run)):
                # Two deployments name their runs alike, so a stolen record may name the other's call.
                runs = {run_of(one.run) for one in self.transcript.approvals}
            given = [
                one for one in self.transcript.approvals if run_of(one.run) in runs and one.dispute == dispute
            ]
        of_it = [
            one for one in self.facts.submissions if one.dispute == dispute and one.time <= completion.at
        ]
        since = [one for one in of_it if any(one.time >= approval.shown.at for approval in given)]
        if not since:
            yield Finding(FALSE_END, dispute, f"{label}, but it was not submitted")
            return
        if record["state"] == "submitted" and not any(
            says_approved(one, approval) for one in since for approval in given
        ):
            yield Finding(UNAPPROVED, dispute, f"{label}, but {difference(since[-1], given[-1])}")
        ours = any(run_of(one.run or "") in runs for one in since)
        cannot_tell = self._has_asked(completion, dispute) or self._happened("forged", completion)
        if not ours and not (ANOTHER in record["reason"] and cannot_tell):
            yield Finding(FALSE_END, dispute, f"{label}, but another submitted it")

    def _has_asked(self, completion: Completion, dispute: str) -> bool:
        """Whether a run has asked for the submission, or may have: then nothing tells it from another's."""
        run = run_of(completion.run)
        was_killed = any(run_of(each) == run for each in self.transcript.killed_submitting)
        return was_killed or any(
            is_final(entry) and entry["dispute"] == dispute and run_of(sender_of(entry)) == run
            for entry in self.transcript.journal
        )

    def _twin_was_sent(self, completion: Completion, dispute: str) -> bool:
        """Whether another record of the same dispute says that it was answered, or may have been."""
        of_it = [record for record in completion.records if record["dispute"] == dispute]
        return len(of_it) > 1 and any(
            record["state"] in {*_SAYS_SENT, "already-submitted", "conceded", "unknown"} for record in of_it
        )

    def _says_other_sent(self, completion: Completion, record: dict[str, Any]) -> bool:
        """Whether a record of the same dispute with other evidence says that it was sent."""
        return any(
            each["dispute"] == record["dispute"]
            and each["state"] in _SAYS_SENT
            and each.get("digest") != record.get("digest")
            for each in completion.records
        )

    def _others(self, completion: Completion, dispute: str) -> bool:
        """Whether anybody but this part of the run answered the dispute, or may have."""
        others = any(
            one.dispute == dispute and one.run != completion.run and one.time <= completion.at
            for one in self.facts.submissions
        )
        return others or self._was_answered(dispute)

    def _conceded_by(self, completion: Completion, dispute: str) -> bool:
        return any(
            entry["dispute"] == dispute
            and sender_of(entry) == completion.run
            and entry["time"] <= completion.at
            for entry in self.facts.concessions
        ) and not self._was_reopened(completion, dispute)

    def _was_reopened(self, completion: Completion, dispute: str) -> bool:
        return any(
            opening.at >= completion.started - _LATEST
            for opening in self.transcript.openings.get(dispute, ())
        )

    def _was_answered(self, dispute: str) -> bool:
        """Whether it was under review without a submission that the sandbox knows of."""
        return any(what == "was answered" for _, which, what in self.transcript.disturbed if which == dispute)

    def _answered_by_run_before(self, completion: Completion, dispute: str) -> bool:
        run = run_of(completion.run)
        return any(
            one.dispute == dispute
            and run_of(one.run or "") == run
            and one.time < completion.started
            and not any(
                one.time <= at <= completion.at
                for at, which, _ in self.transcript.disturbed
                if which == dispute
            )
            and self.transcript.disputes[dispute]["outcome"] is None
            for one in self.facts.ours
        ) and not self._was_unreadable(completion, dispute)

    def _was_disturbed(self, completion: Completion, dispute: str) -> bool:
        """Return whether a part of a run was hindered while it made or read back a call."""
        run = run_of(completion.run)
        return self._was_unreadable(completion, dispute) or any(
            which in (run, dispute, "*") and completion.started <= at <= completion.at
            for at, which, _ in self.transcript.disturbed
        )

    def _was_unreadable(self, completion: Completion, dispute: str) -> bool:
        """Whether the part that was cleared could not look; or staging, which was cleared before it."""
        return any(
            entry["fault"] and entry["dispute"] in (dispute, None) and self._belongs_to(completion, entry)
            for entry in self.transcript.journal
        )

    def _belongs_to(self, completion: Completion, entry: dict[str, Any]) -> bool:
        sender = sender_of(entry)
        staged = "/stage" in entry["headers"].get("x-chaos-try", "")
        return sender == completion.run or bool(
            staged and sender and run_of(sender) == run_of(completion.run)
        )

    def _without_cause(self, completion: Completion, record: dict[str, Any]) -> Iterator[Finding]:
        """What was approved, and what nothing stood in the way of, is submitted."""
        dispute, state = record["dispute"], record["state"]
        given = self.facts.approvals(completion.run, dispute)
        if not given or state in _SAYS_SENT or state == "already-submitted":
            return
        approval = given[-1]
        if completion.at > self.facts.due(dispute, approval.at) - 3600 or self._has_excuse(
            completion, approval
        ):
            return
        yield Finding(
            LOST, dispute, f"{completion.run}: approved, nothing in the way, but {state} ({record['reason']})"
        )

    def _has_excuse(self, completion: Completion, approval: Approval) -> bool:
        """Whether anybody or anything else touched the dispute or the run meanwhile."""
        dispute, run = approval.dispute, run_of(completion.run)
        disputes = {dispute}
        if any(r["dispute"] == dispute and OLDER_FORM.quotes(r["reason"]) for r in completion.records):
            # An answer chooses from a form, which changes with any of its disputes.
            disputes |= {*self.transcript.given[run]}
        if self.transcript.two_ledgers and self._has_used_key(completion, dispute):
            return True
        if self._has_named_edited_ledger(completion, dispute) or self._was_overtaken(completion, approval):
            return True
        if self._has_named_lost_opening(completion, dispute):
            return True
        if any(
            approval.shown.at <= at <= completion.at and which in (*disputes, run, "*") and what != "forged"
            for at, which, what in self.transcript.disturbed
        ):
            return True
        return any(
            approval.shown.at - (_LATEST if entry["fault"] else _LATENCY) <= entry["time"] <= completion.at
            and (
                (_is_harm(entry) and entry["dispute"] in (*disputes, None))
                or (entry["dispute"] in disputes and entry["changed"] and _is_anothers(entry, run))
            )
            for entry in self.transcript.journal
        )

    def _has_named_lost_opening(self, completion: Completion, dispute: str) -> bool:
        """Return whether a run has named the opening of its review, which a purge has deleted.

        The review stores its opening before it reads the disputes, so the purge may precede the form.
        """
        return self._happened("purged", completion) and any(
            record["dispute"] == dispute and LOST_OPENING in record["reason"] for record in completion.records
        )

    def _has_named_edited_ledger(self, completion: Completion, dispute: str) -> bool:
        """Return whether a run has named an edited file of a dispute, which stays until it is restored."""
        return self._happened("forged", completion) and any(
            record["dispute"] == dispute and EDITED_LEDGER in record["reason"]
            for each in self.transcript.completions
            if run_of(each.run) == run_of(completion.run) and each.at <= completion.at
            for record in each.records
        )

    def _was_overtaken(self, completion: Completion, approval: Approval) -> bool:
        """Return whether another run's final call ended since the approval, so that it needs a new review.

        It need not have reached the API: its task may have been marked as success after the claim.
        """
        return any(
            end.dispute == approval.dispute
            and end.run != run_of(completion.run)
            and approval.at <= end.at <= completion.at
            for end in self.transcript.ends
        )

    def _has_used_key(self, completion: Completion, dispute: str) -> bool:
        """Return whether a deployment with another ledger had used the key of a run's submission before.

        Stripe refuses another body under it, and answers the same body without carrying it out again.
        """
        entries = [
            entry for entry in self.transcript.journal if entry["dispute"] == dispute and is_final(entry)
        ]
        used = {
            entry["headers"].get("idempotency-key")
            for entry in entries
            if (entry["submitted"] or entry["fault"] == "stored-500")
            and run_of(sender_of(entry)) != run_of(completion.run)
        }
        return any(
            sender_of(entry) == completion.run
            and not entry["changed"]
            and entry["headers"].get("idempotency-key") in used
            for entry in entries
        )

    def _swept(self) -> Iterator[Finding]:
        """A sweep names every open dispute, whatever is odd about another."""
        for sweep in self.transcript.sweeps:
            for dispute in sorted(sweep.open - sweep.named):
                yield Finding(LOST, dispute, "open, and the sweep does not name it")


def _is_anothers(entry: dict[str, Any], run: str) -> bool:
    """Return whether a request was another run's, or was frozen between its last check and its write."""
    return run_of(sender_of(entry)) != run or "x-chaos-frozen" in entry["headers"]


def _is_harm(entry: dict[str, Any]) -> bool:
    """Whether a fault of a request excuses anything; an answer with odd fields says all that is needed."""
    return entry["fault"] not in (None, "", ODD)
