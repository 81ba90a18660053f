"""The operator that finds the cases to stage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator

from dispute_provider import _config as config
from dispute_provider._state import evidence_store
from dispute_provider._state.known_cases import load_known, save_known
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.stores import run_key
from dispute_provider._state.sweep_store import (
    ANSWERED,
    ENDED,
    LAST_REVIEWS,
    REVIEWED,
    answers_to,
    load,
)
from dispute_provider._tasks.batch import Apis, all_of
from dispute_provider._tasks.case_sources import ADDRESS, cases_from
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.past_reviews import ended_runs, settle_unknown
from dispute_provider._tasks.record_lists import Value, return_value
from dispute_provider._tasks.signing import Signer
from dispute_provider.exceptions import DisputeError
from dispute_provider.operators.remind import due_soon

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._apis.api import Api
    from dispute_provider._apis.listing import Listing
    from dispute_provider._cases.known_cases import KnownCases
    from dispute_provider._cases.open_disputes import Candidate, OpenCases
    from dispute_provider._cases.preparing import Preparation
    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import Dispute
    from dispute_provider._state.sweep import LastReview, ReviewAnswer

LARGEST_SWEEP = 100
# The most ignored files that a sweep names in its log.
_IGNORED_SHOWN = 50


class FindCasesOperator(BaseAsyncOperator):
    """Find the cases to stage: open disputes that are new, have changed or are due for another review.

    The sources of ``[dispute] case_sources`` are asked in their order; the first that has a case for a
    dispute is used.

    A dispute is reviewed again if its case, evidence or stage changed, if its review got no answer, and if it
    is still open at one of the hours of ``[dispute] ask_again`` before its due date. The log lists disputes
    without a case, or at a stage that their case has no evidence for, soonest deadline first.

    The operator also pushes these XComs: ``open``, the ids of all open disputes; and lists of records:
    ``without_case``; ``unreadable``; ``due_soon``, the disputes to send reminders about;
    ``due_without_case``, those of ``due_soon`` without a case; ``no_longer_open``, closed disputes whose
    submission ended *unknown*; ``listing``, all open disputes in the states that the sweep knows, for the
    desk.

    :param conn_id: Airflow connection (templated).
    :param folder: folder of the cases (templated), which is then the only source. Default: None, all of
        ``[dispute] case_roots`` and the other sources.
    :raises ConnectionConfigError: if the connection cannot be used.
    :raises ApiError: if the open disputes cannot be listed.
    :returns: paths of case files, and references to the cases of other sources, soonest deadline first: at
        most :data:`LARGEST_SWEEP`, and those that cannot be read. Cases that earlier sweeps could not stage
        keep at most half of these places from others.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d0e0e3"

    def __init__(self, *, conn_id: str, folder: str | None = None, **kwargs: Any) -> None:
        super().__init__(**with_defaults(kwargs, ANSWERED, ENDED, REVIEWED, LEDGER))
        self.conn_id = conn_id
        self.folder = folder

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, ANSWERED, ENDED, REVIEWED, LEDGER))

    async def aexecute(self, context: Context) -> list[Any]:
        from dispute_provider._cases.known_cases import KnownCases
        from dispute_provider._cases.turns import choose
        from dispute_provider._evidence.record import State, record_of
        from dispute_provider._state.prepared import preparation
        from dispute_provider._workflow.listing import (
            LISTING,
            listed,
            of_one_charge,
            unreadable_disputes,
            without_case,
        )

        # Without a store, files are still found, and lists of records go through XCom.
        evidence_store.check(context)
        now = datetime.now(UTC)
        connections = Connections()
        signer = Signer(run_key(context), connections)
        async with Apis(connections) as apis:
            api = await apis.of(self.conn_id)
            listing = await api.list_open()
            open_disputes = {dispute.id: dispute for dispute in listing.disputes}
            memory = load(context, LAST_REVIEWS, connection=self.conn_id)
            # APIs list some disputes for weeks after their due date. Staging would refuse each in each sweep.
            in_time = {
                each: dispute
                for each, dispute in open_disputes.items()
                if each in memory or not dispute.past_due(now)
            }
            readings = KnownCases(load_known(context, self.conn_id))
            with preparation() as prepare:
                cases, unusable = await asyncio.to_thread(self._cases, api.name, in_time, readings, prepare)
            new, held, reviewed = await self._compare(context, api, listing, cases.found, memory, now)
            chosen = choose(new, readings, LARGEST_SWEEP, now)
            save_known(context, self.conn_id, readings.stored, readings.used)
            # An unreadable dispute may be open, so its last review is kept.
            still_open = {each.dispute for each in listing.unreadable if each.dispute}.union(open_disputes)
            settled, unsettled = await settle_unknown(context, api, self.conn_id, memory, still_open)

        without = without_case(open_disputes.values(), cases, self.conn_id)
        unreadable = [*unreadable_disputes(listing.unreadable, api.name, self.conn_id), *unusable]
        self._log_summary(len(open_disputes), cases, new, held, without, unreadable)
        for charge, ids in of_one_charge(open_disputes.values()).items():
            self.log.info("%s are for one charge, %s; each needs its own answer", " and ".join(ids), charge)
        known = {record.dispute: record for record in [*without, *held]}
        soon = [
            known.get(dispute.id) or record_of(dispute, self.conn_id, State.HELD, "")
            for dispute in due_soon(open_disputes.values(), now)
        ]
        context["ti"].xcom_push(key="open", value=sorted(still_open | unsettled))
        self._push(context, signer, "without_case", without, self.log)
        self._push(context, signer, "unreadable", [*unreadable, *held], self.log)
        self._push(context, signer, "due_soon", soon)
        self._push(context, signer, "due_without_case", [record for record in soon if record in without])
        self._push(context, signer, "no_longer_open", settled, self.log)
        open_records = listed(open_disputes.values(), self.conn_id, known, *reviewed)
        overview = {
            "connection": self.conn_id,
            "records": self._value(signer, [*open_records, *unreadable]),
            "without_case": [record.dispute for record in without],
        }
        context["ti"].xcom_push(key=LISTING, value=overview)
        return [*cases.refused, *(candidate.item for candidate in chosen)]

    def _cases(
        self,
        provider: str,
        open_disputes: Mapping[str, Dispute],
        known: KnownCases,
        preparation: Preparation,
    ) -> tuple[OpenCases, list[Record]]:
        """Return the cases of the first source that has one for each dispute, and a record of each source
        that cannot be used.
        """
        from dispute_provider._cases.open_disputes import OpenCases, read_cases, read_given
        from dispute_provider._evidence.record import Record, State

        found, unusable = OpenCases(), []
        for source in [ADDRESS] if self.folder else config.case_sources():
            left = found.without_case(open_disputes)
            if source == ADDRESS:
                found = found.and_then(read_cases(provider, left, self.folder, known, preparation))
                continue
            if not left:
                break
            try:
                given = cases_from(source, provider, list(left.values()))
            except Exception as error:  # one source must not stop the others
                problem = str(error) if isinstance(error, DisputeError) else type(error).__name__
                reason = f"the source of cases {source} cannot be used: {problem}"
                unusable.append(Record(provider, self.conn_id, source, State.HELD, reason))
            else:
                found = found.and_then(read_given(provider, left, given, known, preparation))
        return found, unusable

    async def _compare(
        self,
        context: Context,
        api: Api,
        listing: Listing,
        found: list[Candidate],
        memory: Mapping[str, Any],
        now: datetime,
    ) -> tuple[list[Candidate], list[Record], tuple[dict[str, LastReview], dict[str, ReviewAnswer]]]:
        """Return the candidates to stage, records of those that cannot be read, and the earlier reviews."""
        from dispute_provider._evidence.record import State, record_of
        from dispute_provider._state.sweep import LastReview

        ids = [candidate.dispute.id for candidate in found]
        last_reviews = {each: before for each in ids if (before := LastReview.find(memory, each))}
        # Read before the answers: a run that ends in between has stored its answers by then.
        ended = ended_runs(context, {each.review for each in last_reviews.values()})
        answers = answers_to(context, self.conn_id, last_reviews)
        hours = config.ask_again()
        new = [candidate for candidate in found if candidate.dispute.id not in last_reviews]
        held: list[Record] = []

        async def compare(candidate: Candidate) -> None:
            dispute = candidate.dispute
            try:
                snapshot = listing.snapshots.get(dispute.id)
                snapshot = snapshot or await api.read_listed(dispute, candidate.case.account)
            except Exception as error:  # one dispute must not stop the others
                problem = str(error) if isinstance(error, DisputeError) else type(error).__name__
                reason = f"it cannot be compared with its last review: {problem}"
                held.append(record_of(dispute, self.conn_id, State.HELD, reason))
                return
            before = last_reviews[dispute.id]
            settled = before.is_settled(
                answers.get(dispute.id),
                candidate.case_digest,
                snapshot,
                now,
                hours,
                before.review in ended,
            )
            if not settled and not dispute.past_due(now):
                new.append(candidate)

        await all_of([candidate for candidate in found if candidate.dispute.id in last_reviews], compare)
        return new, held, (last_reviews, answers)

    def _log_summary(
        self,
        open_disputes: int,
        cases: OpenCases,
        new: list[Candidate],
        held: list[Record],
        without: list[Record],
        unreadable: list[Record],
    ) -> None:
        """Log one line with the counts of this sweep, then the files that are not read as cases."""
        from dispute_provider._evidence.documents import shown

        self.log.info(
            "connection=%s open=%d new_or_changed=%d left_alone=%d without_case=%d broken_cases=%d "
            "ignored_files=%d unreadable=%d",
            self.conn_id,
            open_disputes,
            len(new),
            len(cases.found) - len(new) - len(held),
            len(without),
            len(cases.refused),
            len(cases.ignored),
            len(unreadable) + len(held),
        )
        for each in cases.ignored[:_IGNORED_SHOWN]:
            self.log.info("%s is not read as a case: %s", shown(each.path), each.reason)
        if len(new) > LARGEST_SWEEP:
            self.log.info("%d cases wait for the next sweep", len(new) - LARGEST_SWEEP)

    def _push(
        self, context: Context, signer: Signer, key: str, records: list[Record], log: Any = None
    ) -> None:
        """Push records as an XCom."""
        context["ti"].xcom_push(key=key, value=self._value(signer, records, log))

    def _value(self, signer: Signer, records: list[Record], log: Any = None) -> Value:
        """Return records as the value of an XCom, as a list if the evidence store cannot be written."""
        from dispute_provider._state.evidence_store import EvidenceStoreError

        try:
            return return_value(records, signer, log)
        except EvidenceStoreError as error:
            self.log.warning("%d records go through XCom: %s", len(records), error)
            return [signer.sealed(record).to_dict() for record in records]
