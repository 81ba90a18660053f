"""Stage one case of a batch: read it, inspect its documents, and stage its evidence."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from dispute_provider import _config as config
from dispute_provider._cases import documents as case_documents
from dispute_provider._cases import files as case_files
from dispute_provider._cases.case_batch import CaseBatch
from dispute_provider._cases.files import CaseFile
from dispute_provider._cases.lines import CaseLine
from dispute_provider._evidence.case import Case, name_of
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.record import Record, State
from dispute_provider._state import evidence_store
from dispute_provider._state.staging import StagingMemory
from dispute_provider.exceptions import InvalidCaseError, TryAgainError

if TYPE_CHECKING:
    from dispute_provider._apis.api import Api
    from dispute_provider._documents import Renderer
    from dispute_provider._ledger.ledger import DisputeLedger
    from dispute_provider._workflow.staging.draw import Drawer
    from dispute_provider._workflow.staging.write_evidence import Rules

_log = logging.getLogger(__name__)


class CaseStager:
    """Stages the cases of one batch; each ends as a record, whatever is wrong with it.

    :param folder: where the documents of dict cases stand.
    :param batch: the cases, and which of them are for the same dispute.
    :param ledgers: returns the chain of a dispute.
    :param task: names the task of a run, the same for all its tries.
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
    ) -> None:
        from dispute_provider._workflow.staging import write_evidence as staging

        self._stage = staging.stage
        self._conn_id = conn_id
        self._api = api
        self._folder = folder
        self._rules = rules
        self._memory = memory
        self._renderer = renderer
        self._batch = batch
        self._ledgers, self._task = ledgers, task
        self._drawer = drawer

    async def stage(self, placed: tuple[int, Any]) -> Record:
        """Stage a case: a dict, a case file or its path, or the line of one that holds many.

        Whatever fails, fails for this case alone: the others of its batch have their records.
        """
        place, given = placed
        provider = self._api.name
        record = Record(provider, self._conn_id, _named(given), State.REFUSED, "not looked at")
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
                reason = f"the case is for {case.provider}, the connection is a {provider} one"
                return record.ended(State.REFUSED, reason)
            if refusal := self._batch.refusal(case, place):
                return record.ended(State.REFUSED, refusal)
            # A thread costs as much as a request: only what waits for files goes there.
            look = partial(case_documents.read_documents, case, self._renderer, config.case_roots())
            read = await asyncio.to_thread(look) if case.files else look()
            record = replace(record, case_digest=case.digest(read.found), notes=read.notes)
            documents: Mapping[str, Document] = {}
            if read.found:
                drawn = await asyncio.to_thread(self._drawer.draw, case, read)
                documents = drawn.found
                record = replace(
                    record,
                    notes=drawn.notes,
                    drawings=drawn.drawings,
                    undrawn=drawn.undrawn,
                    warnings=drawn.warnings,
                )
                await asyncio.to_thread(_store, documents)
            memory, ledger = self._memory.of(case.dispute), self._ledgers(self._api, case.dispute)
            return await self._stage(
                self._api, case, documents, record, ledger, self._task, memory, self._rules
            )
        except InvalidCaseError as error:
            return record.ended(State.REFUSED, str(error))
        except TryAgainError as error:
            return replace(record.ended(State.HELD, f"not staged: {error}"), retry_after=0.0)
        except Exception as error:  # of Airflow's own stores, or a defect
            return _failed(record, error)

    async def _read(self, given: Any) -> Case:
        if isinstance(given, CaseLine | CaseFile):
            return given.case()
        if isinstance(given, str):
            case_files.require_within_roots(given)
            return await asyncio.to_thread(case_files.read_case, given, config.case_roots())
        if self._folder:
            case_files.require_within_roots(self._folder)
        return Case.parse(given, folder=self._folder)


def _failed(record: Record, error: Exception) -> Record:
    """Return the record of a case that something else than the case or the API has stopped."""
    # Where it happened, without the error's own text, which may quote the case.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("dispute=%s: %s\n%s", record.dispute, type(error).__name__, where)
    reason = (
        f"not known to be staged: {type(error).__name__}, see the log. "
        "To do: clear the task; staging recognises what has arrived"
    )
    return replace(record.ended(State.HELD, reason), retry_after=0.0)


def _named(given: Any) -> str:
    """What a case is called before it is read: its dispute, or where it stands."""
    if isinstance(given, CaseLine | CaseFile):
        return shown(given.source)
    return shown(given if isinstance(given, str) else name_of(given))


def _store(documents: Mapping[str, Document]) -> None:
    """Keep what a reviewer is going to be shown: the worker's disk is not there any more by then."""
    for document in documents.values():
        evidence_store.put(document.content)
