"""Run single steps of the workflow on one dispute, with the ledger that the operators use."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dispute_provider._apis.api import Api
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._ledger.chain import Kind
from dispute_provider._ledger.ledger import DisputeLedger, Ledger, LinkClaim
from dispute_provider._ledger.signing import KeyringSigner
from dispute_provider._ledger.stores import FolderStore
from dispute_provider._tasks.ledgers import environment_of
from dispute_provider._tasks.signing import keyring_of
from dispute_provider._workflow.reviewing import read_for_review as reading
from dispute_provider._workflow.sending import concede as conceding
from dispute_provider._workflow.sending import put_back as putting_back
from dispute_provider._workflow.sending import submit as submitting
from dispute_provider._workflow.sending.ledger_ends import claimant_of
from dispute_provider._workflow.staging import write_evidence
from dispute_provider._workflow.staging.write_evidence import Rules

_tasks = (f"task {number}" for number in itertools.count(1))


def chain_of(api: Api, dispute: str) -> DisputeLedger:
    """Return a dispute's chain in the ledger."""
    ledger = Ledger(FolderStore(str(Path(os.environ["AIRFLOW_HOME"], "dispute_ledger"))))
    signer = KeyringSigner(keyring_of(api.settings.connection))
    return ledger.for_dispute(environment_of(api.settings), api.name, dispute, signer)


async def stage(
    api: Api,
    case: Case,
    documents: Mapping[str, Document],
    record: Record,
    memory: DisputeMemory | None = None,
    rules: Rules | None = None,
) -> Record:
    """Stage evidence as a new task."""
    chain = chain_of(api, record.dispute)
    return await write_evidence.stage(api, case, documents, record, chain, next(_tasks), memory, rules)


async def submit(api: Api, record: Record, task: str | None = None) -> Record:
    """Submit a record.

    :param task: the name of the task, the same for all its tries; None, the default, for a new task.
    """
    return await submitting.submit(api, record, chain_of(api, record.dispute), task or next(_tasks))


async def concede(api: Api, record: Record, task: str | None = None) -> Record:
    """Concede the dispute of a record.

    :param task: see :func:`submit`.
    """
    return await conceding.concede(api, record, chain_of(api, record.dispute), task or next(_tasks))


async def put_back(api: Api, record: Record, earlier: Mapping[str, Any] | None) -> Record:
    """Put back the evidence that a dispute had before staging, as a new task."""
    return await putting_back.put_back(api, record, earlier, chain_of(api, record.dispute), next(_tasks))


async def claim(api: Api, record: Record, kind: Kind, task: str) -> LinkClaim:
    """Claim a dispute and do nothing else, like a try that is killed after its claim."""
    chain = chain_of(api, record.dispute)
    claimant = claimant_of(record, kind, task)
    claim = chain.claim(await chain.read(), claimant, {}, None)
    await claim.acquire("")
    return claim


async def read_for_review(
    api: Api, record: Record, keep: Callable[[bytes], str | None] | None
) -> tuple[Record, Snapshot | None]:
    """Read a staged dispute again, as a review does."""
    return await reading.read_for_review(api, record, keep, chain_of(api, record.dispute))
