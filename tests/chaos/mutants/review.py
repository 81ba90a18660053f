"""Safeguards of the review and of what it decided. Each function knocks one out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tests.chaos.mutants.safeguard import Safeguard


def _no_digest_check() -> None:
    from dispute_provider._workflow import refusals
    from dispute_provider._workflow.sending import ends, submit

    original = refusals.refuse_submission

    def refuse(record: Any, found: Any) -> Any:
        return original(replace(record, digest=found.digest(record.documents)), found)

    submit.refuse_submission = ends.refuse_submission = refuse


def _unchecked(*states: str) -> Callable[[], None]:
    """Return what has the signatures of records in some states pass."""

    def knock_out() -> None:
        from dispute_provider._signatures import Check
        from dispute_provider._tasks.signing import Signer

        original = Signer._check
        Signer._check = lambda self, record: (  # type: ignore[method-assign]
            Check.GOOD if record.state in states else original(self, record)
        )

    return knock_out


def _nothing_taken_back() -> None:
    from dispute_provider._tasks import review_openings

    review_openings.last_opening = lambda context, review: review


def _silence_is_consent() -> None:
    from dispute_provider._workflow.reviewing import decide as deciding
    from dispute_provider._workflow.reviewing import review
    from tests.chaos.world.airflow import moment

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


SAFEGUARDS: dict[str, Safeguard] = {
    "the digest is not compared before sending": Safeguard(
        _no_digest_check, "a colleague touches the dispute between two tasks"
    ),
    "a staged record's signature is not checked": Safeguard(
        _unchecked("staged"), "staged records are edited"
    ),
    "an approval's signature is not checked": Safeguard(_unchecked("approved"), "records are edited"),
    "a held record's signature is not checked": Safeguard(
        _unchecked("held", "submitted"), "held records are edited"
    ),
    "an answer to a review that was cleared still counts": Safeguard(
        _nothing_taken_back, "an approval that was taken back is used"
    ),
    "the form's options do not name the digest": Safeguard(
        _no_digest_in_the_form, "a form is answered after the evidence has changed"
    ),
    "a concession needs no second word": Safeguard(_conceded_at_a_word, "a concession is not confirmed"),
    "an answer without a login approves": Safeguard(_anybody_approves, "an answer has no login"),
    "a timeout is taken for a yes": Safeguard(_silence_is_consent, "nobody answers"),
    "a rejection's signature is not checked": Safeguard(_unchecked("rejected"), "rejections are forged"),
}
