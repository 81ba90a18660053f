"""Convert reviews, and how their runs went on, to the JSON that the desk displays. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispute_provider._contracts import contract
from dispute_provider._evidence.record import State
from dispute_provider._explain.money import decimals
from dispute_provider._ui import describe
from dispute_provider._ui.records import key_of
from dispute_provider._ui.reviews import Form, Opening, OpenReviews, Review
from dispute_provider._ui.runs import Step
from dispute_provider._workflow.reviewing.entries import entries
from dispute_provider._workflow.reviewing.form_input import HOLD_REASONS
from dispute_provider._workflow.reviewing.review import NONE_OPTION


def desk(user: Any, found: OpenReviews, *, every_page: bool) -> dict[str, Any]:
    """Return the open reviews of a user.

    :param every_page: whether *Submit* needs every page to have been on screen.
    """
    return {
        "user": {"id": str(user.get_id()), "name": user.get_name()},
        "reviews": [_review(review) for review in found.reviews],
        "left_out": len(found.openings) - len(found.reviews),
        "openings": openings(found.openings),
        "hold_reasons": HOLD_REASONS,
        "every_page": every_page,
        "none": NONE_OPTION,
    }


def openings(found: Iterable[Opening]) -> list[dict[str, Any]]:
    """Return by what the desk notices that a review was opened, answered or cleared."""
    return [{"id": each.id, "try_number": each.try_number} for each in found]


def _review(review: Review) -> dict[str, Any]:
    form = review.form
    disputes = [
        {
            **described,
            "api": contract.load(record.provider).title,
            "amount": record.amount,
            "currency": record.currency,
            "decimals": decimals(record.currency) if record.currency else None,
            "url": record.url,
            "undrawn": record.undrawn,
            "entries": entries(record, form.options, batch=form.multiple),
        }
        for record, described in zip(review.task.records, describe.task(review.task)["disputes"], strict=True)
        if record.state == State.STAGED and not record.unverified
    ]
    return {
        **{name: value for name, value in describe.task(review.task).items() if name != "disputes"},
        **form_state(form),
        "may_answer": review.may_answer,
        "multiple": form.multiple,
        "params": form.params,
        "disputes": disputes,
        "unverified": [
            {"dispute": record.dispute, "reason": record.reason}
            for record in review.task.records
            if record.unverified
        ],
    }


def form_state(form: Form) -> dict[str, Any]:
    """Return what the desk compares before it sends an answer."""
    return {
        "id": form.id,
        "try_number": form.try_number,
        "state": form.state,
        "ready_in": form.ready_in,
        "answered_by": form.answered_by,
    }


def progress(steps: Iterable[Step], tasks: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the way of each dispute of a run: its states, one after the other, with their reasons."""
    ways: dict[tuple[str, str], dict[str, Any]] = {}
    for step in steps:
        record = step.record
        way = ways.setdefault((record.connection, record.dispute), {"steps": []})
        before = way["steps"][-1] if way["steps"] else None
        way |= {
            "key": key_of(record),
            "dispute": record.dispute,
            "money": record.money,
            "url": record.url,
            "api": contract.load(record.provider).title,
            "state": record.state,
            "reason": record.reason,
            "request_id": record.request_id,
            "digest": record.digest,
            "action": record.approval.action if record.approval else None,
        }
        if before is None or before["state"] != record.state:
            way["steps"].append(
                {
                    "state": record.state,
                    "reason": record.reason,
                    "task": step.task_id,
                    "map_index": step.map_index,
                    "at": step.at.isoformat() if step.at else None,
                }
            )
    return {"tasks": dict(tasks), "disputes": list(ways.values())}
