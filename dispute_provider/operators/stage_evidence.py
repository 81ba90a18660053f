"""Staging: evidence is put on its dispute, and sent to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.sdk import BaseAsyncOperator
from msgspec.structs import replace

from dispute_provider.operators.batch import (
    Clients,
    Given,
    each,
    hook_of,
    resolve,
    retry_held,
    take,
    warn_without_lock,
)
from dispute_provider.operators.pace import Pace
from dispute_provider.operators.record_lists import Outlet, Value
from dispute_provider.operators.settings import settings
from dispute_provider.operators.staging_memory import UPLOADS, StagingMemory

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider.evidence.documents import Document
    from dispute_provider.evidence.record import Record
    from dispute_provider.hooks.transport import AsyncClient
    from dispute_provider.rendering import Renderer

_Merge = Literal["keep", "overwrite", "fail"]
_Verdict = Literal["ready", "weak", "missing"]


class StageEvidenceOperator(BaseAsyncOperator):
    """Put the evidence of cases on their disputes, without submitting it.

    Uploads under an idempotency key are made once, whoever repeats them. For an API without such keys (Moov)
    give this task the same pool of one slot as the submitting one.

    :param cases: a list, or a task that returns one: each a case as a dict, or the path of a case file under
        ``[dispute] case_roots``, or of a ``.jsonl`` file there that holds a case on each line.
    :param conn_id: Airflow connection of type ``stripe`` or ``moov`` (templated).
    :param folder: where the documents of dict cases stand, under the same roots (templated).
    :param merge: whose evidence stands where a colleague or the API has filled in a field otherwise than the
        case: ``keep`` theirs, ``overwrite`` it, or ``fail``. What an earlier version of the case has left
        behind is replaced whatever this says.
    :param switch_to_manual: whether a dispute that the API would answer by itself at its due date (Stripe's
        Smart Disputes) may be switched to manual; otherwise it is refused.
    :param require_verdict: the least verdict on the evidence that is staged: ``ready``, ``weak`` or
        ``missing``; without it the verdict is advice for the reviewer.
    :returns: one record per case: ``staged``, ``already-submitted``, ``held``, ``refused`` or ``unknown``; a
        reference to them where they are many.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        cases: Given,
        conn_id: str,
        folder: str | None = None,
        merge: _Merge = "keep",
        switch_to_manual: bool = False,
        require_verdict: _Verdict | None = None,
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ("merge", merge, get_args(_Merge)),
            ("require_verdict", require_verdict, (*get_args(_Verdict), None)),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is none of {', '.join(map(str, known))}")
        super().__init__(**settings(kwargs, UPLOADS))
        self.cases = take(self, cases)
        self.conn_id = conn_id
        self.folder = folder
        self.merge = merge
        self.switch_to_manual = switch_to_manual
        self.require_verdict = require_verdict

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**settings(kwargs, UPLOADS))

    async def aexecute(self, context: Context) -> Value:
        from dispute_provider.operators import case_lines
        from dispute_provider.rendering import Renderer

        cases = resolve(self.cases, context)
        seen: set[str] = set()
        warn_without_lock(self, self.conn_id)
        memory = StagingMemory(context, hook_of(self.conn_id).api.name)
        with Outlet(self.log) as outlet:
            total = await asyncio.to_thread(case_lines.count, cases)
            async with Clients() as clients, Pace(context, "staging", total) as pace:
                with Renderer() as renderer:

                    async def stage(case: Any) -> Record:
                        client = await clients.of(self.conn_id)
                        return await self._stage(client, case, seen, memory, renderer)

                    def hand_on(place: int, record: Record) -> None:
                        memory.end(record)
                        pace.done(record)
                        outlet.add(record, place)

                    await each(case_lines.expanded(cases), stage, hand_on)
            memory.save()
            retry_held(context, outlet.tally)
            return outlet.value()

    async def _stage(
        self,
        client: AsyncClient,
        given: Any,
        seen: set[str],
        memory: StagingMemory,
        renderer: Renderer,
    ) -> Record:
        from dispute_provider.evidence.case import Case
        from dispute_provider.evidence.completeness import Verdict
        from dispute_provider.evidence.merging import Policy
        from dispute_provider.evidence.record import Record, State
        from dispute_provider.exceptions import InvalidCaseError
        from dispute_provider.hooks.staging import Rules, stage
        from dispute_provider.operators import case_documents, case_files
        from dispute_provider.operators.case_lines import CaseLine
        from dispute_provider.operators.evidence_store import EvidenceStoreError

        provider = client.api.name
        record = Record(provider, self.conn_id, _named(given), State.REFUSED, "not looked at")
        try:
            if isinstance(given, CaseLine):
                case = given.case()
            elif isinstance(given, str):
                case_files.require_within_roots(given)
                case = await asyncio.to_thread(case_files.read_case, given)
            else:
                if self.folder:
                    case_files.require_within_roots(self.folder)
                case = Case.parse(given, folder=self.folder)
            record = replace(
                record,
                dispute=case.dispute,
                case=case.source,
                prepared_by=case.prepared_by,
                customer_contacted=case.customer_contacted,
            )
            if case.provider != provider:
                reason = f"the case is for {case.provider}, the connection is a {provider} one"
                return record.ended(State.REFUSED, reason)
            if case.dispute in seen:
                return record.ended(State.REFUSED, "another case of this batch is for the same dispute")
            seen.add(case.dispute)
            # A thread costs as much as a request: only what waits for files goes there.
            if case.files:
                read = await asyncio.to_thread(case_documents.read_documents, case, renderer)
            else:
                read = case_documents.read_documents(case, renderer)
            documents = read.found
            record = replace(record, case_digest=case.digest(documents), notes=read.notes)
            if documents:
                await asyncio.to_thread(_store, documents)
        except InvalidCaseError as error:
            return record.ended(State.REFUSED, str(error))
        except EvidenceStoreError as error:
            return replace(record.ended(State.HELD, f"not staged: {error}"), retry_after=0.0)
        remembered = memory.of(case.dispute)
        # An upload of a broken try may be under way still; it is not repeated before it has arrived.
        await asyncio.sleep(remembered.settling)
        least = Verdict(self.require_verdict) if self.require_verdict else None
        rules = Rules(Policy(self.merge), self.switch_to_manual, least)
        return await client.run_steps(stage(client.api, case, documents, record, remembered, rules))


def _named(given: Any) -> str:
    """What a case is called before it is read: its dispute, or where it stands."""
    from dispute_provider.operators.case_lines import CaseLine

    named = given.get("dispute") if isinstance(given, Mapping) else given
    return str(given.source if isinstance(given, CaseLine) else named)[:200]


def _store(documents: Mapping[str, Document]) -> None:
    """Keep what a reviewer is going to be shown: the worker's disk is not there any more by then."""
    from dispute_provider.operators import evidence_store

    for document in documents.values():
        evidence_store.put(document.content)
