"""Define the interface of an API module: read, list, stage, submit and concede disputes on one connection."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dispute_provider._apis.calls import Calls
from dispute_provider._apis.connection import Connection
from dispute_provider._apis.listing import Listing
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._contracts.answers import Answer
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.merging import Merged
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._transport.connection_settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Written:
    """The result of staging evidence.

    :param documents: the sha256 of each document of the case, by the API's document id.
    :param after: the dispute after the write, with details, as the API's answers show it; None, the default,
        if the dispute must be read.
    """

    documents: Mapping[str, str]
    after: Snapshot | None = None


class Api(Calls):
    """One API on one connection.

    Open it with ``async with`` before you make calls.

    :param settings: what :meth:`check_connection` returned.
    :cvar submits_under_a_key: whether submissions take an idempotency key, so that resending one is harmless.
    :cvar holds_one_of_a_name: whether new evidence replaces earlier evidence of the same name.
    :cvar reads_by: the ``operationId`` that reads a dispute.
    :cvar concedes_by: the ``operationId`` that concedes a dispute.
    """

    submits_under_a_key: ClassVar[bool]
    holds_one_of_a_name: ClassVar[bool]
    reads_by: ClassVar[str]
    concedes_by: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def check_connection(cls, connection: Connection) -> ConnectionSettings:
        """Validate an Airflow connection, without any call, and return its settings.

        :raises ConnectionConfigError: if the connection must not be used.
        """

    @abc.abstractmethod
    async def probe(self) -> str:
        """Make a harmless read, and return a text that names the account and mode, for the *Test* button."""

    @abc.abstractmethod
    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        """Read a dispute and its current evidence.

        :param account: the account to act for; None, the default, for the connection's account.
        :param details: whether to also read the names and sizes of documents; False by default.
        """

    payment_fact_names: ClassVar[Collection[str]] = ()
    """The names of what :meth:`payment_facts` returns."""

    async def payment_facts(self, dispute: Dispute, account: str | None = None) -> Mapping[str, Any]:
        """Return what the API reports about the payment of a dispute, by the names that templates use.

        By default, it reports nothing.

        :param account: the account to act for; None, the default, for the connection's account.
        """
        return {}

    async def read_listed(self, dispute: Dispute, account: str | None = None) -> Snapshot:
        """Read the evidence of a dispute that was just listed. By default, read the dispute again.

        :param account: the account to act for; None, the default, for the connection's account.
        """
        return await self.read(dispute.id, account)

    @abc.abstractmethod
    def dispute_in(self, answer: Answer, account: str | None = None) -> Dispute:
        """Return the dispute in an answer.

        :param account: the account that the call acted for; None, the default, for the connection's account.
        """

    def snapshot_in(self, answer: Answer, account: str | None = None) -> Snapshot | None:
        """Return the dispute and its evidence in an answer to a write; None, by default, without them.

        :param account: the account that the call acted for; None, the default, for the connection's account.
        """
        return None

    @abc.abstractmethod
    async def fetch(self, dispute: str, document: Evidence, account: str | None = None) -> bytes:
        """Download a document of a dispute.

        If an answer contains a link to the document, use ``self.client.download``.

        :raises ApiError: if it cannot be downloaded. The review then states that it cannot be shown.
        """

    @abc.abstractmethod
    async def list_open(self) -> Listing:
        """List the disputes that can still be answered, and the unreadable items of the list.

        :raises ApiError: if the list itself cannot be read.
        """

    @abc.abstractmethod
    def check_case(self, case: Case, found: Dispute) -> str | None:
        """Return why a case does not belong to the dispute that it names; None if it does."""

    async def unqualified(
        self, dispute: Dispute, structured: Mapping[str, Any], account: str | None = None
    ) -> str | None:
        """Return why a case does not qualify for the network program that it claims; None if it does.

        By default, return None.

        :param structured: the members of the case's structured evidence.
        :raises ApiError: if data needed for the decision cannot be read.
        """
        return None

    def notes_on(self, dispute: Dispute) -> tuple[str, ...]:
        """Return notes about a dispute for its reviewer. By default, return none."""
        return ()

    @abc.abstractmethod
    def page(self, dispute: str, account: str | None = None) -> str:
        """Return the URL of the dispute's page in the API's dashboard."""

    @abc.abstractmethod
    async def write(self, case: Case, merged: Merged, before: Snapshot, memory: DisputeMemory) -> Written:
        """Stage evidence: write the missing pieces, and remove the stale ones.

        If the API would submit the dispute automatically, the same request switches it to manual.

        :param case: the case to stage.
        :param merged: which pieces are missing, stale or already there.
        :param before: the dispute and its evidence before this call.
        :param memory: notes about earlier uploads, for an API whose uploads take no idempotency key.
        """

    @abc.abstractmethod
    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        """Submit the evidence to the bank. This is a final call.

        :param approved: the dispute as just read. Its digest is the approved one.
        :param ordinal: the number of this final call at the dispute's stage, from 1; ignored by an API
            without idempotency keys.
        """

    @abc.abstractmethod
    async def concession(self, found: Snapshot, record: Record, ordinal: int) -> Answer:
        """Concede the dispute. This is a final call.

        :param found: the dispute as just read.
        :param ordinal: the number of this final call at the dispute's stage, from 1; ignored by an API
            without idempotency keys.
        """

    @abc.abstractmethod
    def is_conceded(self, found: Dispute) -> bool:
        """Return whether the status of a dispute is the one that a concession results in."""

    @abc.abstractmethod
    async def restore(self, record: Record, evidence: Mapping[str, Any], *, automatic: str | None) -> None:
        """Restore earlier evidence.

        :param evidence: by name; an empty value removes the evidence of that name.
        :param automatic: the submission method to restore; None to leave it unchanged.
        """
