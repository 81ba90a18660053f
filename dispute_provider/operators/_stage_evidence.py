"""Stage the evidence of cases without submitting it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.sdk import BaseAsyncOperator

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
from dispute_provider._tasks.ledgers import Ledgers
from dispute_provider._tasks.operator_defaults import with_defaults
from dispute_provider._tasks.progress import BatchProgress
from dispute_provider._tasks.record_lists import RecordWriter, Value
from dispute_provider._tasks.signing import STAGED, Signer, keyring_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dispute_provider._evidence.record import Record

# Documents that are read or drawn at once: a slow one holds up no other case, and each takes 1 GiB at most.
_RENDERERS = 2
_Merge = Literal["keep", "overwrite", "fail"]
_Verdict = Literal["ready", "weak", "missing"]


class StageEvidenceOperator(BaseAsyncOperator):
    """Put the evidence of cases on their disputes, without submitting it.

    Uploads under an idempotency key are made once, whoever repeats them. While it writes to a dispute, it has
    a claim on it in the ledger, and no other task stages or submits there.

    :param cases: a list, or a task that returns one: each a case as a dict, or the path of a case file under
        ``[dispute] case_roots``, or of a ``.jsonl`` file there that holds a case on each line.
    :param conn_id: Airflow connection of type ``stripe`` or ``moov`` (templated).
    :param folder: where the documents of dict cases stand, under the same roots (templated).
    :param merge: whose evidence stands where a colleague or the API has filled in a field otherwise than the
        case: ``keep`` theirs, ``overwrite`` it, or ``fail``. What an earlier version of the case has left
        behind is replaced whatever this says.
    :param switch_to_manual: whether a dispute that the API would answer by itself at its due date (Stripe's
        Smart Disputes) may be switched to manual; otherwise it is refused.
    :param allow_unknown_submission_method: whether to stage where the API does not say if it would answer by
        itself; otherwise it is refused. For a connection whose ``api_version`` is older than
        ``intended_submission_method``, of an account that you know to have no Smart Disputes.
    :param require_verdict: the least verdict on the evidence that is staged: ``ready``, ``weak`` or
        ``missing``; without it the verdict is advice for the reviewer.
    :param allow_undrawn: whether a document of which a page cannot be drawn in time and memory is staged all
        the same; the review names it, and no policy approves it. Otherwise it is refused, with file, page and
        reason.
    :returns: one record per case: ``staged``, ``already-submitted``, ``held``, ``refused`` or ``unknown``; a
        reference to them where they are many.
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
                raise ValueError(f"{name}={value!r} is none of {', '.join(map(str, known))}")
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
        from dispute_provider._documents import Renderer
        from dispute_provider._evidence.completeness import Verdict
        from dispute_provider._evidence.merging import MergePolicy
        from dispute_provider._workflow.staging.draw import Drawer
        from dispute_provider._workflow.staging.stage_case import CaseStager
        from dispute_provider._workflow.staging.write_evidence import Rules
        from dispute_provider.hooks._connections import api_of

        cases = resolve(self.cases, context)
        least = Verdict(self.require_verdict) if self.require_verdict else None
        rules = Rules(
            merge=MergePolicy(self.merge),
            switch_to_manual=self.switch_to_manual,
            allow_unknown_submission_method=self.allow_unknown_submission_method,
            require_verdict=least,
        )
        # What could not be signed would be refused by the review.
        keyring_of(self.conn_id)
        api = api_of(self.conn_id)
        ledgers = Ledgers(context)
        memory = StagingMemory(context, api.name)
        user = user_of_run(context)
        with RecordWriter(Signer(STAGED), self.log) as writer:
            batch = CaseBatch(cases)
            await asyncio.to_thread(batch.find_duplicates)
            async with Apis() as apis, BatchProgress(context, "staging", batch.count) as progress:
                with Renderer(children=_RENDERERS) as renderer:
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
                    )

                    def hand_on(place: int, record: Record) -> None:
                        writer.add(replace(record, triggered_by=user), place)
                        progress.done(record)
                        self._remember(lambda: memory.end(record))

                    await each(batch.cases(), stager.stage, hand_on)
            problem = self._remember(memory.finish)
            retry_held(context, writer.tally, problem)
            return writer.value()

    def _remember(self, write: Callable[[], None]) -> str | None:
        """Write to Airflow's store; return what went wrong, for no record may be lost for it."""
        try:
            write()
        except Exception as error:  # whatever the store raises
            problem = f"what was staged could not be recorded as ours ({type(error).__name__})"
            self.log.warning("%s: a later staging will take it for somebody else's", problem)
            return problem
        return None
