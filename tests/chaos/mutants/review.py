"""Safeguards of the review and of what it decided. Each function knocks one out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace


def _no_digest_check() -> None:
    from dispute_provider._workflow import refusals
    from dispute_provider._workflow.sending import ends, submit

    original = refusals.refuse_submission

    def refuse(record: Any, found: Any) -> Any:
        return original(replace(record, digest=found.digest(record.documents)), found)

    submit.refuse_submission = ends.refuse_submission = refuse


def _no_signature() -> None:
    from dispute_provider._signatures import Check, Keyring

    Keyring.check = lambda self, scope, content, signature: Check.GOOD  # type: ignore[method-assign]


def _nothing_taken_back() -> None:
    from dispute_provider.operators import _submit_evidence as submit_evidence

    submit_evidence.last_opening = lambda context, review: review


def _silence_is_consent() -> None:
    from dispute_provider._workflow.reviewing import decide as deciding
    from dispute_provider._workflow.reviewing import review
    from tests.chaos.airflow import moment

    original = deciding.decide

    def decide(records: Any, event: Any, *more: Any) -> Any:
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
        return original(records, event, *more)

    deciding.decide = decide  # type: ignore[assignment]


def _anybody_approves() -> None:
    from dispute_provider._workflow.reviewing import decide as deciding

    deciding.ANONYMOUS = ""


def _no_digest_in_the_form() -> None:
    from dispute_provider._workflow.reviewing import review

    review.short_digest = lambda digest: ""


def _conceded_at_a_word() -> None:
    from dispute_provider._workflow.reviewing import review

    review._unconfirmed = lambda records, conceded, confirmed: None


def _rejections_unsigned() -> None:
    from dispute_provider._signatures import Check
    from dispute_provider._tasks.signing import Signer

    original = Signer._check
    Signer._check = lambda self, record: (  # type: ignore[method-assign]
        Check.GOOD if record.state == "rejected" else original(self, record)
    )


SAFEGUARDS: dict[str, Callable[[], None]] = {
    "the digest is not compared before sending": _no_digest_check,
    "the approval's signature is not checked": _no_signature,
    "an answer to a review that was cleared still counts": _nothing_taken_back,
    "the form's options do not name the digest": _no_digest_in_the_form,
    "a concession needs no second word": _conceded_at_a_word,
    "an answer without a login approves": _anybody_approves,
    "a timeout is taken for a yes": _silence_is_consent,
    "a rejection's signature is not checked": _rejections_unsigned,
}
