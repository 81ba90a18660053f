"""List the open disputes of all swept connections, from what the last sweep of each connection returned.

Each sweep leaves its own list, which no other task overwrites. What happened after the sweep comes from the
reviews: those that are open, and those that were answered.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from dispute_provider import _config as config
from dispute_provider._contracts import contract
from dispute_provider._evidence.deadlines import URGENT
from dispute_provider._evidence.record import Record, State
from dispute_provider._explain.labels import label
from dispute_provider._explain.money import format_amount
from dispute_provider._tasks.signing import Signer
from dispute_provider._ui.access import may_answer_in
from dispute_provider._ui.kept import Kept
from dispute_provider._ui.records import Place, key_of, records_in
from dispute_provider._ui.reviews import Opening, staged_records, waiting
from dispute_provider._ui.runs import OF_ITS_TASK, Run, Step, steps_of_run
from dispute_provider._workflow.listing import LISTING, NEW_CASE, NO_CASE_FOUND
from dispute_provider._workflow.reviewing.subjects import reason_of

PAGE = 50
# The most open disputes of a connection.
MOST_OPEN = 20_000
_OPERATOR = "FindCasesOperator"
# The sweeps that are searched for the last list of each connection.
_MOST_SWEEPS = 200

NO_CASE, STAGING, TO_REVIEW, HELD = "no-case", "staging", "to-review", "held"
NOT_SENT, SENT, REJECTED, ATTENTION = "not-sent", "sent", "rejected", "attention"
# What each state asks of a person, in their words.
GROUPS = {
    NO_CASE: "No case",
    STAGING: "Being staged",
    TO_REVIEW: "Waiting for review",
    HELD: "Held",
    NOT_SENT: "Approved, not sent",
    SENT: "Sent",
    REJECTED: "Rejected",
    ATTENTION: "Needs a person",
}
# Reasons that say no more than the state.
_SAID = frozenset({NO_CASE_FOUND, "rejected by the reviewer", ""})
_GROUP_OF = {
    State.STAGED: TO_REVIEW,
    State.HELD: HELD,
    State.APPROVED: NOT_SENT,
    State.SUBMITTED: SENT,
    State.CONCEDED: SENT,
    State.ALREADY_SUBMITTED: SENT,
    State.REJECTED: REJECTED,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An open dispute in the inbox, with what each page of the inbox takes from all disputes.

    :param review: the desk's key of its open review; None if none is open.
    :param run: DAG id and run id of the run that handled it last; None if no run did.
    :param name: the dispute's connection and id.
    :param due: when it is due; None if it has no due date.
    :param words: what a search finds it by, in lower case.
    """

    record: Record
    group: str
    review: str | None
    run: tuple[str, str] | None
    name: tuple[str, str] = field(repr=False)
    due: datetime | None = field(repr=False)
    words: str = field(repr=False)

    @classmethod
    def of(
        cls, record: Record, group: str, review: str | None = None, run: tuple[str, str] | None = None
    ) -> Entry:
        """Return the entry of a record."""
        name = record.connection, record.dispute
        return cls(record, group, review, run, name, record.due_at, _text_of(record))


@dataclass(frozen=True, slots=True)
class Listing:
    """What the last sweep of a connection found.

    :param at: when the sweep listed the disputes.
    """

    connection: str
    at: datetime
    dag_id: str
    run_id: str
    entries: Sequence[Entry] = field(repr=False)


_entries_of_lists: Kept[Entry] = Kept(2 * MOST_OPEN)
_entries_of_reviews: Kept[Entry] = Kept(MOST_OPEN)


def listings(user: Any) -> list[Listing]:
    """Return the last list of each connection, of the sweeps whose reviews a user may answer."""
    last = (
        select(XComModel.dag_id, XComModel.run_id, XComModel.value, XComModel.timestamp)
        .join(TaskInstance, OF_ITS_TASK)
        .where(XComModel.key == LISTING, TaskInstance.operator == _OPERATOR)
        .order_by(XComModel.timestamp.desc())
        .limit(_MOST_SWEEPS)
    )
    found: dict[str, Listing] = {}
    allowed: dict[str, bool] = {}
    with create_session(scoped=False) as session:
        for row in session.execute(last):
            value = json.loads(row.value) if isinstance(row.value, str) else row.value
            connection = value.get("connection") if isinstance(value, Mapping) else None
            if not isinstance(connection, str) or connection in found:
                continue
            if row.dag_id not in allowed:
                allowed[row.dag_id] = may_answer_in(user, row.dag_id)
            if allowed[row.dag_id]:
                entries = _entries(value, f"{row.dag_id}/{row.run_id}")
                found[connection] = Listing(connection, row.timestamp, row.dag_id, row.run_id, entries)
    return list(found.values())


def listed(user: Any, connection: str, dispute: str) -> Record | None:
    """Return the verified record of an open dispute in a user's lists; None if there is none."""
    records = (
        entry.record for each in listings(user) if each.connection == connection for entry in each.entries
    )
    return next((each for each in records if each.dispute == dispute and not each.unverified), None)


def _entries(value: Mapping[str, Any], scope: str) -> Sequence[Entry]:
    """Return the verified entries of a list; lists that were read before are remembered."""
    name = hashlib.sha256(json.dumps([scope, value], sort_keys=True).encode()).hexdigest()
    return _entries_of_lists.get(name, lambda: _read_entries(value, scope))


def _read_entries(value: Mapping[str, Any], scope: str) -> list[Entry]:
    without = value.get("without_case")
    ids = set(without) if isinstance(without, list) else set()
    verified = Signer(scope).verified(records_in(value.get("records"), MOST_OPEN), "run the sweep again")
    return [Entry.of(record, NO_CASE if record.dispute in ids else group_of(record)) for record in verified]


def waiting_entries(user: Any) -> list[Entry]:
    """Return the disputes of the open reviews that a user may answer."""
    # The disputes of a review stay the same while it waits.
    return [
        entry
        for opening, place in waiting(user)
        for entry in _entries_of_reviews.get(opening, partial(_read_review, opening, place))
    ]


def _read_review(opening: Opening, place: Place) -> list[Entry]:
    run = place.dag_id, place.run_id
    return [
        Entry.of(record, TO_REVIEW, f"{opening.id}:{key_of(record)}", run) for record in staged_records(place)
    ]


def refused_by(listing: Listing) -> tuple[datetime, tuple[str, str], list[Step]]:
    """Return what a sweep did not stage of its list, as :func:`merged` takes it."""
    steps = steps_of_run(listing.dag_id, listing.run_id)
    return (
        listing.at,
        (listing.dag_id, listing.run_id),
        [step for step in steps if step.record.state != State.STAGED],
    )


def being_staged(
    user: Any, swept: Sequence[Listing], runs: Iterable[Run]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the run (DAG id, run id) that is staging a dispute, by connection and id of the dispute.

    :param runs: the runs that have not ended.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for run in runs:
        name = run.dag_id, run.run_id
        for each in swept:
            if (each.dag_id, each.run_id) == name:
                new = (entry.name for entry in each.entries if entry.record.reason == NEW_CASE)
                found |= dict.fromkeys(new, name)
        if run.connection and run.dispute and may_answer_in(user, run.dag_id):
            found[run.connection, run.dispute] = name
    return found


def group_of(record: Record) -> str:
    """Return what a record's state asks of a person."""
    return ATTENTION if record.unverified else _GROUP_OF.get(record.state, ATTENTION)


def merged(
    swept: Iterable[Listing],
    in_review: Iterable[Entry],
    ended: Iterable[tuple[datetime, tuple[str, str], Sequence[Step]]],
    staging: Mapping[tuple[str, str], tuple[str, str]],
) -> list[Entry]:
    """Return each open dispute once, in its latest state.

    :param in_review: the disputes of the open reviews; they are listed even if no sweep found them.
    :param ended: when reviews were answered, their runs (DAG id, run id), and what became of their disputes;
        also what the sweeps themselves refused.
    :param staging: the runs that are staging a dispute, by its connection and id.
    """
    entries: dict[tuple[str, str], Entry] = {}
    since: dict[tuple[str, str], datetime] = {}
    for listing in swept:
        found = {entry.name: entry for entry in listing.entries}
        entries |= found
        since |= dict.fromkeys(found, listing.at)
    for at, run, steps in sorted(ended, key=lambda each: each[0]):
        for record in {(s.record.connection, s.record.dispute): s.record for s in steps}.values():
            name = record.connection, record.dispute
            if name in entries and at >= since[name]:
                entries[name], since[name] = Entry.of(record, group_of(record), run=run), at
    for name, run in staging.items():
        if name in entries and entries[name].group in (NO_CASE, TO_REVIEW):
            entries[name] = replace(entries[name], group=STAGING, run=run)
    entries |= {entry.name: entry for entry in in_review}
    return list(entries.values())


def inbox(
    entries: list[Entry],
    swept: list[Listing],
    runs: Iterable[Run],
    *,
    group: str,
    text: str,
    sort: str,
    offset: int,
    may_trigger: Callable[[str], bool],
) -> dict[str, Any]:
    """Return one page of the inbox, with the totals of all that matches.

    :param runs: the runs that have not ended.
    :param group: one of :data:`GROUPS`; empty for all.
    :param text: part of an id, an amount, a reason or a connection; empty for all.
    :param sort: ``due`` (soonest first) or ``amount`` (largest first).
    :param may_trigger: whether the user may start runs of a DAG.
    """
    now = datetime.now(UTC)
    soon = now + URGENT
    words = text.lower().strip()
    matching = [entry for entry in entries if not words or words in entry.words]
    counts = Counter(entry.group for entry in matching)
    shown = [entry for entry in matching if not group or entry.group == group]
    if sort == "amount":
        shown.sort(key=lambda entry: (-(entry.record.amount or 0), entry.record.dispute))
    else:
        shown.sort(key=lambda entry: (entry.record.due is None, entry.record.due or "", entry.record.dispute))
    sums: Counter[str] = Counter()
    for entry in shown:
        if entry.record.amount is not None and entry.record.currency:
            sums[entry.record.currency] += entry.record.amount
    return {
        "disputes": [_row(entry, may_trigger) for entry in shown[offset : offset + PAGE]],
        "total": len(shown),
        "urgent": sum(entry.due is not None and now <= entry.due < soon for entry in shown),
        "page": PAGE,
        "totals": [format_amount(amount, currency) for currency, amount in sorted(sums.items())],
        "groups": [{"name": name, "label": GROUPS[name], "count": counts[name]} for name in GROUPS],
        "all": len(matching),
        "sweeps": [
            {"connection": each.connection, "at": each.at.isoformat(), "dag_id": each.dag_id}
            for each in sorted(swept, key=lambda each: each.at)
        ],
        "sweeping": sorted({each.dag_id for each in swept} & {run.dag_id for run in runs}),
    }


def _text_of(record: Record) -> str:
    facts = (record.dispute, record.money, reason_of(record), record.network_code)
    return " ".join(filter(None, [*facts, record.connection, record.provider])).lower()


def _row(entry: Entry, may_trigger: Callable[[str], bool]) -> dict[str, Any]:
    record = entry.record
    return {
        "dispute": record.dispute,
        "connection": record.connection,
        "api": contract.load(record.provider).title if not record.unverified else record.provider,
        "money": record.money,
        "due": record.due,
        "dispute_reason": reason_of(record),
        "network_code": record.network_code,
        "stage": label(record.stage, record.provider) if record.stage else None,
        "verdict": record.verdict,
        "group": entry.group,
        "state": GROUPS[entry.group],
        "reason": None if entry.group in (STAGING, TO_REVIEW) or record.reason in _SAID else record.reason,
        "url": record.url,
        "review": entry.review,
        "run": list(entry.run) if entry.run else None,
        "case_dag": _case_dag(entry, may_trigger),
    }


def _case_dag(entry: Entry, may_trigger: Callable[[str], bool]) -> str | None:
    """Return the DAG that takes the case of a dispute without one, if the user may start it."""
    record = entry.record
    if entry.group != NO_CASE or record.reason != NO_CASE_FOUND:
        return None
    dag_id = config.case_dag(record.connection, record.provider)
    return dag_id if dag_id and may_trigger(dag_id) else None
