"""List what an answer to a review contains for each choice. Pure.

A page that answers a review uses these entries, so that only this package composes and interprets them.
"""

from __future__ import annotations

from collections.abc import Collection

from dispute_provider._evidence.record import CONCEDE, EDIT, HOLD, REJECT, SUBMIT, Record
from dispute_provider._workflow.reviewing import review


def entries(record: Record, options: Collection[str], *, batch: bool) -> dict[str, str]:
    """Return the choices for a dispute: the option, or the entry of a field's list, by choice.

    The only dispute of a review has an option for each choice. In a batch, ``submit`` is an option and the
    others are entries of the fields of their names.

    :param options: the options of the review's form. Submissions and concessions that the form does not offer
        are left out: the evidence has changed since the form was made.
    :param batch: whether the form is about several disputes.
    """
    return _of_batch(record, options) if batch else _single(record, options)


def _single(record: Record, options: Collection[str]) -> dict[str, str]:
    offered = {
        SUBMIT: review.single_option(record),
        HOLD: review.HOLD_OPTION,
        EDIT: review.EDIT_OPTION,
        REJECT: review.REJECT_OPTION,
        CONCEDE: review.concede_option(record),
    }
    return {choice: option for choice, option in offered.items() if option in options}


def _of_batch(record: Record, options: Collection[str]) -> dict[str, str]:
    submit = review.submit_option(record)
    if submit not in options:
        return {HOLD: record.dispute}
    listed = dict.fromkeys((HOLD, EDIT, REJECT), record.dispute)
    concede = {CONCEDE: review.concede_option(record)} if review.can_be_conceded(record) else {}
    return {SUBMIT: submit, **listed, **concede}
