"""Stage one case of a batch: read it, inspect its documents, and write its evidence to the dispute."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider import _config as config
from dispute_provider._cases import documents as case_documents
from dispute_provider._cases import files as case_files
from dispute_provider._cases.case_batch import CaseBatch
from dispute_provider._cases.files import CaseFile
from dispute_provider._cases.lines import CaseLine
from dispute_provider._cases.preparing import Preparation
from dispute_provider._evidence import placeholders
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_errors import name_of
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.limits import Limits, MeasuredDocument
from dispute_provider._evidence.record import Record, State
from dispute_provider._explain.labels import label
from dispute_provider._state import evidence_store
from dispute_provider._state.staging import StagingMemory
from dispute_provider._workflow.failures import failed
from dispute_provider._workflow.staging.first_reading import FirstReading, read_first, staying
from dispute_provider.exceptions import ApiError, InvalidCaseError, TryAgainError

if TYPE_CHECKING:
    from dispute_provider._apis.api import Api
    from dispute_provider._documents import Renderer
    from dispute_provider._ledger.ledger import DisputeLedger
    from dispute_provider._workflow.staging.draw import Drawer
    from dispute_provider._workflow.staging.fill_template import TemplateFiller
    from dispute_provider._workflow.staging.write_evidence import Rules

# Cases whose documents are in memory at once, in a batch with documents: up to 5 MB each at Stripe.
_MOST_WITH_DOCUMENTS = 32
# Cases whose documents are prepared and drawn at once. The first cases are at the API while later ones are
# prepared, and threads are left for cases without documents.
_MOST_READ = 6
_log = logging.getLogger(__name__)


class CaseStager:
    """Stages the cases of one batch and returns one record per case, also for a case that fails.

    :param conn_id: the Airflow connection.
    :param api: the connection's API.
    :param folder: the folder with the documents of cases that are given as dicts.
    :param batch: the cases; it finds cases for the same dispute.
    :param rules: the DAG author's decisions about staging.
    :param memory: the memory of this task.
    :param renderer: inspects documents.
    :param drawer: draws documents.
    :param ledgers: returns the chain of a dispute.
    :param task: the name of the task in its run, the same for all its tries.
    :param preparation: prepares documents.
    :param templates: completes cases that have a template.
    """

    def __init__(
        self,
        conn_id: str,
        api: Api,
        folder: str | None,
        batch: CaseBatch,
        rules: Rules,
        memory: StagingMemory,
        renderer: Renderer,
        drawer: Drawer,
        ledgers: Callable[[Api, str], DisputeLedger],
        task: str,
        preparation: Preparation,
        templates: TemplateFiller,
    ) -> None:
        from dispute_provider._workflow.staging import write_evidence as staging

        self._stage = staging.stage
        self._conn_id = conn_id
        self._api = api
        self._folder, self._roots = folder, config.case_roots()
        self._rules = rules
        self._memory = memory
        self._renderer = renderer
        self._batch = batch
        self._ledgers, self._task = ledgers, task
        self._drawer = drawer
        self._with_documents = asyncio.Semaphore(_MOST_WITH_DOCUMENTS)
        self._reading = asyncio.Semaphore(_MOST_READ)
        self._preparation = preparation
        self._templates = templates

    async def stage(self, placed: tuple[int, Any]) -> Record:
        """Stage a case, given as a dict, a case file, a path, or a line of a file with many cases.

        An error ends only this case: the other cases of the batch still get their records.

        :param placed: the case's position in the batch, and the case.
        """
        place, given = placed
        provider = self._api.name
        record = Record(provider, self._conn_id, _named(given), State.REFUSED, "not read")
        try:
            case = await self._read(given)
            record = replace(
                record,
                dispute=case.dispute,
                case=case.source,
                prepared_by=case.prepared_by,
                customer_contacted=case.customer_contacted,
            )
            if case.provider != provider:
                reason = (
                    f"the case is for {case.provider}, but connection {self._conn_id} is for {provider}. "
                    "To do: correct provider in the case, or stage it with another connection"
                )
                return record.ended(State.REFUSED, reason)
            if refusal := self._batch.refusal(case, place):
                return record.ended(State.REFUSED, refusal)
            if case.source and len(config.case_sources()) > 1:
                record = replace(record, notes=(f"case from {shown(case.source)}",))
            ledger = self._ledgers(self._api, case.dispute)
            reading = await read_first(self._api, case, ledger) if self._depends_on_dispute(case) else None
            if case.draft and reading:
                case, record = await self._templates.fill(self._api, case, record, reading.snapshot)
            async with self._with_documents if _needs_files(case) else nullcontext():
                return await self._stage_case(case, record, ledger, reading)
        except InvalidCaseError as error:
            return record.ended(State.REFUSED, str(error))
        except ApiError as error:
            return failed(record, "not staged", error)
        except TryAgainError as error:
            return replace(record.ended(State.HELD, f"not staged: {error}"), retry_after=0.0)
        except Exception as error:  # of Airflow's state stores, or a defect
            return _failed(record, error)

    def _depends_on_dispute(self, case: Case) -> bool:
        """Return whether its dispute decides what a case sends: by its facts, or by the room it leaves."""
        return case.draft is not None or self._has_to_fit(case)

    def _has_to_fit(self, case: Case) -> bool:
        """Return whether documents of a case may be shrunk to what the API takes together."""
        shrinks = "shrink" in self._preparation.steps(case.prepare)
        return shrinks and _needs_files(case) and Limits.of(self._api.contract).total_bytes is not None

    async def _stage_case(
        self, case: Case, record: Record, ledger: DisputeLedger, reading: FirstReading | None
    ) -> Record:
        """Read the documents of a case, and stage it."""
        memory = self._memory.of(case.dispute)
        beside: Sequence[MeasuredDocument] = ()
        if reading and self._has_to_fit(case):
            beside = await staying(self._api, case, reading.snapshot, memory)
        # Starting a thread takes as long as a request, so use one only to wait for files.
        if _needs_files(case):
            async with self._reading:
                case, documents, record = await asyncio.to_thread(self._read_documents, case, record, beside)
        else:
            case, documents, record = self._read_documents(case, record, beside)
        return await self._stage(
            self._api, case, documents, record, ledger, self._task, memory, self._rules, reading
        )

    def _read_documents(
        self, case: Case, record: Record, beside: Sequence[MeasuredDocument]
    ) -> tuple[Case, Mapping[str, Document], Record]:
        """Read, prepare, draw and store the documents of a case.

        :param beside: the documents on the dispute that stay there.
        :returns: the case with its documents, and the record with what the reviewer is told about them.
        """
        read = case_documents.read_documents(case, self._renderer, self._roots, self._preparation, beside)
        noted = record.notes
        unfilled = tuple(f"{label(name, record.provider)} {placeholders.PROBLEM}" for name in read.unfilled)
        record = replace(
            record,
            case_digest=read.case.digest(read.found),
            notes=(*noted, *read.notes),
            warnings=(*record.warnings, *unfilled),
        )
        if not read.found:
            return read.case, {}, record
        drawn = self._drawer.draw(read.case, read)
        _store(drawn.found)
        record = replace(
            record,
            originals=_originals(drawn.found),
            exhibits=_exhibits(drawn.found),
            notes=(*noted, *drawn.notes),
            drawings=drawn.drawings,
            undrawn=drawn.undrawn,
            warnings=(*record.warnings, *drawn.warnings),
        )
        return read.case, drawn.found, record

    async def _read(self, given: Any) -> Case:
        if isinstance(given, CaseLine | CaseFile):
            return given.case()
        if isinstance(given, str):
            case_files.require_within_roots(given)
            return await asyncio.to_thread(case_files.read_case, given, self._roots)
        if self._folder:
            case_files.require_within_roots(self._folder)
        return Case.parse(given, folder=self._folder, always=config.prepare)


def _needs_files(case: Case) -> bool:
    """Return whether a case has documents, or texts that become documents."""
    return case.has_long_texts or bool(case.files)


def _failed(record: Record, error: Exception) -> Record:
    """Return the record of a case that failed for a reason other than the case or the API."""
    # Log the traceback without the error's message, which may quote the case.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("dispute=%s: %s\n%s", record.dispute, type(error).__name__, where)
    reason = (
        f"staging may be incomplete: {type(error).__name__}, see the task's log. "
        "To do: clear the task; staging continues from what has arrived"
    )
    return replace(record.ended(State.HELD, reason), retry_after=0.0)


def _named(given: Any) -> str:
    """Return the name of a case before it is read: its dispute, or the path of its file."""
    if isinstance(given, CaseLine):
        return shown(given.dispute or given.source)
    if isinstance(given, CaseFile):
        return shown(given.source)
    return shown(given if isinstance(given, str) else name_of(given))


def _originals(documents: Mapping[str, Document]) -> dict[str, str]:
    """Return the digests of the documents that others were prepared from, by the others' digests."""
    return {
        document.sha256: document.prepared_from.sha256
        for document in documents.values()
        if document.prepared_from
    }


def _exhibits(documents: Mapping[str, Document]) -> dict[str, dict[str, str]]:
    """Return the digests of the files that documents were joined from, by the documents' digests."""
    return {
        document.sha256: {each.path: each.original for each in document.exhibits}
        for document in documents.values()
        if document.exhibits
    }


def _store(documents: Mapping[str, Document]) -> None:
    """Store the documents for the review, when this worker's disk may no longer exist."""
    for document in documents.values():
        evidence_store.put(document.content, document.sha256)
        # The originals of prepared ones are kept when they are prepared.
        for exhibit in document.exhibits:
            evidence_store.put(exhibit.content, exhibit.sha256)
