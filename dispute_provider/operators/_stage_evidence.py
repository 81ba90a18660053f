"""Stage the evidence of cases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.sdk import BaseAsyncOperator

from dispute_provider import _config as config
from dispute_provider._state.ledger_id import LEDGER
from dispute_provider._state.staging import UPLOADS, StagingMemory
from dispute_provider._tasks.batch import (
    Apis,
    Given,
    accept_upstream,
    each,
    resolve,
    retry_held,
    user_of_run,
)
from dispute_provider._tasks.connections import Connections
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import RecordWriter, Value
from dispute_provider._tasks.signing import STAGED, Signer, keyring_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# Documents drawn, and others prepared, at the same time. Each takes up to 1 GiB; a slow one delays no other.
_CHILDREN = min(4, max(2, os.cpu_count() or 0))
_Merge = Literal["keep", "overwrite", "fail"]
_Verdict = Literal["ready", "weak", "missing"]


class StageEvidenceOperator(BaseAsyncOperator):
    """Stage the evidence of cases at their disputes, without submitting it.

    A retry does not upload a document again. While the task writes to a dispute, it holds the dispute's claim
    in the ledger, so no other task stages or submits there. A case that fails does not stop the others.

    :param cases: a list, or a task that returns one. Each item is a case as a dict or as JSON, the path of a
        case file under ``[dispute] case_roots``, or a reference of :class:`CasesFromSqlOperator`; a
        ``.jsonl`` file has one case per line. Not templated.
    :param conn_id: Airflow connection to the API (templated).
    :param folder: folder of the documents of dict cases and of cases from tables, under the same roots
        (templated). Default: None; dict cases then cannot have documents, and those of cases from tables are
        in the first root. Ignored for case files, whose documents are next to them.
    :param merge: what to do if a field already has a foreign value that differs from the case: ``keep`` it
        (default), ``overwrite`` it, or ``fail``. Ignored for values from an earlier version of the case,
        which are always replaced.
    :param switch_to_manual: whether to switch a dispute to manual that the API would submit automatically at
        its due date. Default: False, which refuses such a dispute. See Stripe's Smart Disputes,
        https://docs.stripe.com/disputes/smart-disputes. Ignored for Moov.
    :param allow_unknown_submission_method: whether to stage a dispute if the API does not report how it will
        be submitted. Default: False, which refuses it. Set it only for an account without Smart Disputes
        whose connection has an ``api_version`` before ``intended_submission_method``. Ignored for Moov.
    :param require_verdict: the lowest verdict to stage: ``ready``, ``weak`` or ``missing``. Default: None, so
        the verdict is only shown to the reviewer.
    :param allow_undrawn: whether to stage a document if one of its pages cannot be rendered within the limits
        of time and memory, or its drawing lacks characters or annotations. The review then names the
        document, and no policy approves it. Default: False, which refuses the case.
    :raises ValueError: if ``merge`` or ``require_verdict`` has another value.
    :raises ConnectionConfigError: if the connection cannot be used.
    :raises TryAgainError: if disputes could not be reached and tries are left, so that Airflow retries.
    :returns: one record per case: ``staged``, ``already-submitted``, ``held``, ``refused`` or ``unknown``.
        More than 250 records are written to ``[dispute] evidence_store`` if there is one, and the XCom is a
        reference to them.
    """

    template_fields: Sequence[str] = ("conn_id", "folder")
    ui_color = "#d9ead3"
    passes_on: ClassVar[str | None] = None

    def __init__(
        self,
        *,
        cases: Given,
        conn_id: str,
        folder: str | None = None,
        merge: _Merge = "keep",
        switch_to_manual: bool = False,
        allow_unknown_submission_method: bool = False,
        require_verdict: _Verdict | None = None,
        allow_undrawn: bool = False,
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ("merge", merge, get_args(_Merge)),
            ("require_verdict", require_verdict, (*get_args(_Verdict), None)),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is not one of: {', '.join(map(str, known))}")
        super().__init__(**with_defaults(kwargs, UPLOADS, LEDGER))
        self.cases = accept_upstream(self, cases)
        self.conn_id = conn_id
        self.folder = folder
        self.merge = merge
        self.switch_to_manual = switch_to_manual
        self.allow_unknown_submission_method = allow_unknown_submission_method
        self.require_verdict = require_verdict
        self.allow_undrawn = allow_undrawn

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        return super().partial(**with_defaults(kwargs, UPLOADS, LEDGER))

    async def aexecute(self, context: Context) -> Value:
        from msgspec.structs import replace

        from dispute_provider._cases.case_batch import CaseBatch
        from dispute_provider._cases.templates import Templates
        from dispute_provider._documents import Renderer
        from dispute_provider._documents.letter_writer import LetterWriter
        from dispute_provider._evidence.completeness import Verdict
        from dispute_provider._evidence.merging import MergePolicy
        from dispute_provider._state.prepared import preparation
        from dispute_provider._tasks.case_sources import documents_folder
        from dispute_provider._tasks.stored_cases import read_items
        from dispute_provider._workflow.staging.draw import Drawer
        from dispute_provider._workflow.staging.fill_template import TemplateFiller
        from dispute_provider._workflow.staging.stage_case import CaseStager
        from dispute_provider._workflow.staging.write_evidence import Rules
        from dispute_provider.hooks._connections import api_with

        cases = list(read_items(resolve(self.cases, context), self.folder or documents_folder()))
        least = Verdict(self.require_verdict) if self.require_verdict else None
        rules = Rules(
            merge=MergePolicy(self.merge),
            switch_to_manual=self.switch_to_manual,
            allow_unknown_submission_method=self.allow_unknown_submission_method,
            require_verdict=least,
        )
        # Fail early: the review would refuse unsigned records.
        connections = Connections()
        keyring_of(self.conn_id, connections)
        api = api_with(connections.get(self.conn_id))
        ledgers = Ledgers(context, connections)
        memory = StagingMemory(context, api.name, notes_uploads=not api.submits_under_a_key)
        user = user_of_run(context)
        with RecordWriter(Signer(STAGED, connections), self.log) as writer:
            batch = CaseBatch(cases)
            await asyncio.to_thread(batch.find_duplicates)
            async with Apis(connections) as apis, BatchProgress(context, "staging", batch.count) as progress:
                with (
                    Renderer(children=_CHILDREN) as renderer,
                    LetterWriter() as letters,
                    preparation(_CHILDREN) as prepare,
                ):
                    opened = await apis.of(self.conn_id)
                    drawer = Drawer(renderer, allow_undrawn=self.allow_undrawn)
                    stager = CaseStager(
                        self.conn_id,
                        opened,
                        self.folder,
                        batch,
                        rules,
                        memory,
                        renderer,
                        drawer,
                        ledgers.of,
                        ledgers.task,
                        prepare,
                        TemplateFiller(Templates(config.case_roots()), letters),
                    )

                    async def stage(placed: tuple[int, Any]) -> Record:
                        record = await stager.stage(placed)
                        await self._remember(memory.end(record))
                        return record

                    def on_result(place: int, record: Record) -> None:
                        writer.add(replace(record, triggered_by=user), place)
                        progress.done(record)

                    await each(batch.cases(), stage, on_result)
            problem = await self._remember(memory.finish())
            retry_held(context, writer.tally, problem)
            return writer.value()

    async def _remember(self, write: Awaitable[None]) -> str | None:
        """Write to Airflow's state store; return the problem if that fails, so that no record is lost."""
        try:
            await write
        except Exception as error:  # the store may raise any error
            problem = f"staged evidence could not be recorded as ours ({type(error).__name__})"
            self.log.warning("%s: a later staging will treat it as foreign", problem)
            return problem
        return None
