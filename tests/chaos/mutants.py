"""``python -m tests.chaos.mutants``: knock out each safeguard in turn; the judge must notice."""

from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from msgspec.structs import replace

from tests.chaos.site import configure

_site: Any = None


def _no_key() -> None:
    from dispute_provider.apis.stripe import StripeApi

    def submission(self: Any, approved: Any, record: Any) -> Any:
        evidence = {entry.name: entry.id or entry.text or entry.value for entry in approved.evidence}
        dispute = approved.dispute
        return (
            yield from self.call(
                "PostDisputesDispute", dispute.account, dispute=dispute.id, evidence=evidence, submit=True
            )
        )

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_stage_in_key() -> None:
    from dispute_provider.apis.stripe import StripeApi
    from dispute_provider.evidence.snapshot import sha256_of

    original = StripeApi.submission

    def submission(self: Any, approved: Any, record: Any) -> Any:
        dispute = replace(approved.dispute, stage="", submissions=0)
        digest = sha256_of(approved.manifest(record.documents)["evidence"])
        return (yield from original(self, replace(approved, dispute=dispute), replace(record, digest=digest)))

    StripeApi.submission = submission  # type: ignore[method-assign]


def _no_attempt_number() -> None:
    from dispute_provider.operators import review_evidence

    review_evidence.unknown_ends = lambda context, records: Counter()


def _no_reading_back() -> None:
    from dispute_provider.evidence.record import State
    from dispute_provider.exceptions import ConflictError
    from dispute_provider.workflow import final_call
    from dispute_provider.workflow import submit as protocol

    def do_not_look(read: Any, shows: Any, settle: float = 0.0, looks: Any = None) -> Any:
        yield from ()
        return None, None

    def believe(api: Any, record: Any, outcome: Any, what: str) -> Any:
        problem, request_id = outcome.sent.problem, outcome.sent.request_id
        state = State.SUBMITTED if problem is None else State.UNKNOWN
        state = State.REFUSED if isinstance(problem, ConflictError) else state
        return record.ended(state, f"as it was answered: {problem}", request_id)

    final_call.read_back, protocol.not_shown = do_not_look, believe


def _no_digest_check() -> None:
    from dispute_provider.workflow import submit as protocol

    original = protocol.refuse_submission

    def refuse(record: Any, found: Any) -> Any:
        return original(replace(record, digest=found.digest(record.documents)), found)

    protocol.refuse_submission = refuse


def _resent_after_504() -> None:
    from dispute_provider.exceptions import AmbiguousError
    from dispute_provider.transport import retries as attempts

    original = attempts.may_resend

    def may_resend(request: Any, error: BaseException) -> bool:
        again = isinstance(error, AmbiguousError) and error.status == 504
        return original(request, error) or again

    attempts.may_resend = may_resend


def _no_intent() -> None:
    from dispute_provider.state.submissions import Progress

    Progress.intend = lambda self, records: None  # type: ignore[method-assign]


def _no_ends() -> None:
    from dispute_provider.state.submissions import Progress

    Progress.ended = lambda self, record: None  # type: ignore[method-assign]


def _no_settling() -> None:
    from dispute_provider.state.submissions import Progress

    Progress.settling = lambda self, record: 0.0  # type: ignore[method-assign]


def _no_settling_of_others() -> None:
    from dispute_provider.state import submissions as progress

    original = progress.Progress.settling

    def settling(self: Any, record: Any) -> float:
        return original(self, record) if self.intended(record) else 0.0

    progress.Progress.settling = settling  # type: ignore[method-assign]


def _no_settling_of_other_sends() -> None:
    from dispute_provider.state import submissions as progress

    original = progress.Progress.settling

    def settling(self: Any, record: Any) -> float:
        return original(self, record) if self.intended(record) or self.alike(record) else 0.0

    progress.Progress.settling = settling  # type: ignore[method-assign]


def _stages_guessed() -> None:
    from dispute_provider.evidence.snapshot import Dispute
    from dispute_provider.workflow import submit as protocol

    original = protocol._is_ours

    def is_ours(record: Any, found: Any) -> bool:
        stage = record.stage or found.dispute.stage
        return original(record, replace(found, dispute=replace(found.dispute, stage=stage)))

    protocol._is_ours = is_ours
    Dispute.is_at = lambda self, stage, due: True  # type: ignore[method-assign]


def _no_lock() -> None:
    from tests.chaos import run

    run.submission_lock = lambda scene, needed: contextlib.nullcontext()


def _no_staging_lock() -> None:
    from tests.chaos import run

    run.staging_lock = lambda scene, needed: contextlib.nullcontext()


def _no_look_at_what_went_out() -> None:
    from dispute_provider.workflow import submit as protocol

    protocol._differing = lambda record, before, after: []


def _no_signature() -> None:
    from dispute_provider.evidence import record

    record.is_signed = lambda secret, scope, record: True


def _nothing_taken_back() -> None:
    from dispute_provider.operators import submit_evidence

    submit_evidence.last_opening = lambda context, review: review


def _nothing_of_others_protected() -> None:
    from dispute_provider.apis import moov as moov_api
    from dispute_provider.workflow import stage as staging

    original = moov_api._copies
    moov_api._copies = lambda items, pieces, theirs: original(items, pieces, frozenset())
    staging.theirs = lambda before, memory: frozenset()


def _copies_left() -> None:
    from dispute_provider.apis import moov as moov_api

    moov_api._copies = lambda items, pieces, theirs: []


def _uploads_forgotten() -> None:
    from dispute_provider.state.staging import DisputeMemory, StagingMemory

    def of(self: Any, dispute: str) -> DisputeMemory:
        return DisputeMemory(self, dispute, None)

    StagingMemory.of = of  # type: ignore[method-assign]
    StagingMemory.marks = lambda self, dispute: frozenset()  # type: ignore[method-assign]


def _no_due_date() -> None:
    from dispute_provider.evidence.snapshot import Dispute

    Dispute.past_due = lambda self, now=None: False  # type: ignore[method-assign]


def _silence_is_consent() -> None:
    from dispute_provider.operators.review_evidence import ReviewEvidenceOperator
    from dispute_provider.workflow import review
    from tests.chaos.airflow import moment

    original = ReviewEvidenceOperator._decided

    def decided(self: Any, context: Any, name: str, event: Any, records: Any) -> Any:
        if "error" in event:
            single = len(records) == 1
            event = {
                "chosen_options": [
                    review.single_option(records[0]) if single else review.all_option(records)
                ],
                "params_input": {},
                "responded_at": moment(),
                "responded_by_user": {"id": "0", "name": "nobody"},
            }
        return original(self, context, name, event, records)

    ReviewEvidenceOperator._decided = decided  # type: ignore[method-assign]


def _anybody_approves() -> None:
    from dispute_provider.operators import review_evidence

    review_evidence._NOBODY = ""


def _no_digest_in_the_form() -> None:
    from dispute_provider.workflow import review

    review.SHOWN_DIGEST = 0


def _conceded_at_a_word() -> None:
    from dispute_provider.workflow import review

    review._unconfirmed = lambda records, conceded, confirmed: None


def _unknown_sent_again() -> None:
    from dispute_provider.workflow import submit as protocol

    original = protocol.submit

    def submit(api: Any, record: Any, *, may_send: bool = True, **options: Any) -> Any:
        return original(api, record, **options)

    protocol.submit = submit


def _sent_for_each_record() -> None:
    from dispute_provider.tasks import submitting
    from dispute_provider.tasks.same_dispute import SameDispute

    submitting.by_dispute = lambda records, rank: [SameDispute([record]) for record in records]


def _claims_unseen() -> None:
    from dispute_provider.cases.claims import Claims

    Claims.refusal = lambda self, case, place: None  # type: ignore[method-assign]


def _resent_after_429() -> None:
    from dispute_provider.exceptions import RateLimitedError
    from dispute_provider.transport import retries as attempts

    original = attempts.may_resend
    attempts.may_resend = lambda request, error: (
        (request.is_final and isinstance(error, RateLimitedError)) or original(request, error)
    )


def _denials_believed() -> None:
    from dispute_provider.workflow import final_call

    original = final_call.read_back

    def read_back(read: Any, shows: Any, settle: float = 0.0, looks: int | None = None) -> Any:
        if looks == final_call._LOOKS_AFTER_DENIAL:
            return None, None
        return (yield from original(read, shows, settle, looks))

    final_call.read_back = read_back


def _no_receipts() -> None:
    from dispute_provider.state.receipts import Receipts

    Receipts.write = lambda self, record: None  # type: ignore[method-assign]


def _rejections_unsigned() -> None:
    from dispute_provider.tasks.signing import Signer

    original = Signer.is_signed
    Signer.is_signed = lambda self, record: (  # type: ignore[method-assign]
        record.state == "rejected" or original(self, record)
    )


def _replacements_forgotten() -> None:
    from dispute_provider.state.staging import StagingMemory

    StagingMemory.note = lambda self, dispute, replacement: None  # type: ignore[method-assign]


def _unknown_method_is_manual() -> None:
    from dispute_provider.workflow import stage as staging

    staging._automatic = lambda dispute, rules: None


def _oddities_fatal() -> None:
    from dispute_provider.contracts import reading
    from dispute_provider.exceptions import Violation

    original = reading.read

    def read(schema: Any, data: Any, *, is_json: bool) -> Any:
        found = original(schema, data, is_json=is_json)
        if found.warnings:
            return reading.Reading(None, [Violation("", "is odd", "")])
        return found

    reading.read = read


SAFEGUARDS: dict[str, Callable[[], None]] = {
    "Stripe's submission has no idempotency key": _no_key,
    "the key does not tell stages apart": _no_stage_in_key,
    "the key does not count unknown ends": _no_attempt_number,
    "the answer is believed, nothing is read back": _no_reading_back,
    "the digest is not compared before sending": _no_digest_check,
    "a submission is sent again after a 504": _resent_after_504,
    "the intent to send is not stored": _no_intent,
    "how a try ended is not stored": _no_ends,
    "what is under way is not waited for": _no_settling,
    "what other runs have under way is not waited for": _no_settling_of_others,
    "other sends under way at the dispute are not waited for": _no_settling_of_other_sends,
    "which stage was answered is guessed": _stages_guessed,
    "no lock between runs that submit": _no_lock,
    "no lock between runs that stage": _no_staging_lock,
    "what went out is not compared": _no_look_at_what_went_out,
    "the approval's signature is not checked": _no_signature,
    "an answer to a review that was cleared still counts": _nothing_taken_back,
    "the form's options do not name the digest": _no_digest_in_the_form,
    "a concession needs no second word": _conceded_at_a_word,
    "an answer without a login approves": _anybody_approves,
    "a timeout is taken for a yes": _silence_is_consent,
    "what ended unknown is sent again": _unknown_sent_again,
    "the due date is not checked": _no_due_date,
    "other people's uploads are not protected": _nothing_of_others_protected,
    "copies of an upload are left": _copies_left,
    "uploads of broken tries are forgotten": _uploads_forgotten,
    "records of one dispute are sent one by one": _sent_for_each_record,
    "two cases of one task for a dispute are staged": _claims_unseen,
    "a final call is sent again after a 429, unread": _resent_after_429,
    "an answer that denies the submission is believed": _denials_believed,
    "what was sent has no receipt": _no_receipts,
    "a rejection's signature is not checked": _rejections_unsigned,
    "what is replaced is not noted before the write": _replacements_forgotten,
    "an unknown submission method is taken for manual": _unknown_method_is_manual,
    "an odd field makes an answer unreadable": _oddities_fatal,
}


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

    known = _names()
    SAFEGUARDS[name]()
    if strange := _names() - known:
        raise AssertionError(f"{name}: knocks out what is not there (any more): {sorted(strange)}")
    for count in range(1, most + 1):
        findings = [each for each in play(seed + count - 1, _site).findings if each.kind not in COUNTED_APART]
        if any(error in finding.text for finding in findings for error in _OURS):
            raise AssertionError(f"{name}: knocked out in a way that does not work: {findings[0]}")
        if findings:
            return name, count, f"{seed + count - 1}: {findings[0]}"
    return name, most, None


def main() -> int:
    global _site
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=3000, help="episodes per safeguard, at most")
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
    from tests.chaos.site import Site

    _site = Site(folder)
    gc.freeze()
    began = time.monotonic()
    names = [name for name in SAFEGUARDS if (options.only or "") in name]
    missed = 0
    fork = multiprocessing.get_context("fork")
    with fork.Pool(options.workers, maxtasksperchild=1) as pool:
        waiting = [pool.apply_async(_catch, (name, options.seed, options.most)) for name in names]
        for result in waiting:
            name, count, finding = result.get()
            missed += finding is None
            told = f"caught after {count:4} · {finding[:110]}" if finding else f"NOT CAUGHT in {count}"
            print(f"{name:56} {told}", flush=True)
    print(f"{len(names) - missed} of {len(names)} caught, in {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
