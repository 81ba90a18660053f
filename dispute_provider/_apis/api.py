"""Define the interface of an API module: read, list, stage, submit and concede disputes on one connection."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from dispute_provider._apis import idempotency
from dispute_provider._apis.connection import Connection, refuse
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._contracts import contract
from dispute_provider._contracts.answers import Answer, Complaint
from dispute_provider._contracts.request import Request
from dispute_provider._contracts.validation import violations
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.merging import Merged
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._transport.claim import WriteClaim
from dispute_provider._transport.client import Client
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import ApiError, AuthenticationError


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An unusable item in a list of disputes.

    :param dispute: the id of the dispute; None if that is unreadable too.
    :param problem: what is wrong with the item, with JSON pointers.
    """

    dispute: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The disputes in a list, and its unreadable items.

    :param snapshots: by id: the disputes whose evidence the list shows, too.
    """

    disputes: list[Dispute] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    def add(self, later: Listing) -> None:
        """Append the part of the list that follows this one."""
        self.disputes.extend(later.disputes)
        self.unreadable.extend(later.unreadable)
        self.snapshots.update(later.snapshots)


def readable_id(item: Any, member: str) -> str | None:
    """Return the id of an item in a list; None if it has no readable id.

    :param item: the item as the API sent it.
    :param member: the name of the member that contains the id.
    """
    found = item.get(member) if isinstance(item, Mapping) else None
    return found if isinstance(found, str) and found else None


@dataclass(slots=True)
class BearerToken:
    """An OAuth access token.

    :param ends: when to stop using it, in seconds on the client's monotonic clock.
    """

    value: str = field(repr=False)
    ends: float


@dataclass(frozen=True, slots=True)
class Written:
    """The result of staging evidence.

    :param documents: the sha256 of each document of the case, by the API's document id.
    :param after: the dispute after the write, with details, as the API's answers show it; None, the default,
        if the dispute must be read.
    """

    documents: Mapping[str, str]
    after: Snapshot | None = None


class Api(abc.ABC):
    """One API on one connection.

    Open it with ``async with`` before you make calls.

    :param settings: what :meth:`check_connection` returned.
    :cvar name: the API's name in the registry.
    :cvar submits_under_a_key: whether submissions take an idempotency key, so that resending one is harmless.
    :cvar holds_one_of_a_name: whether new evidence replaces earlier evidence of the same name.
    :cvar reads_by: the ``operationId`` that reads a dispute.
    :cvar concedes_by: the ``operationId`` that concedes a dispute.
    """

    name: ClassVar[str]
    submits_under_a_key: ClassVar[bool]
    holds_one_of_a_name: ClassVar[bool]
    reads_by: ClassVar[str]
    concedes_by: ClassVar[str]

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.client = Client(settings, self.read_error)
        self.contract = contract.load(self.name)
        self._tokens: list[BearerToken] = []
        self._claim: WriteClaim | None = None
        self._own_arguments: dict[str, Mapping[str, str]] = {}

    async def __aenter__(self) -> Self:
        """Open the client, and call :meth:`prepare`.

        If :meth:`prepare` raises an ApiError, every later call raises it, so that each dispute ends with that
        reason.

        :raises ConnectionConfigError: if the connection must not be used.
        """
        await self.client.__aenter__()
        try:
            await self.prepare()
        except ApiError as error:
            self.client.unusable = error
        except BaseException:
            await self.client.__aexit__()
            raise
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.client.__aexit__(*raised)

    @classmethod
    @abc.abstractmethod
    def check_connection(cls, connection: Connection) -> ConnectionSettings:
        """Validate an Airflow connection, without any call, and return its settings.

        :raises ConnectionConfigError: if the connection must not be used.
        """

    @classmethod
    @abc.abstractmethod
    def read_error(cls, body: Any) -> Complaint:
        """Read the body of an error.

        Omit any text that is not known to be the API's own: it may quote a customer.

        :param body: the decoded JSON. If a member is missing or has another type than expected, let the
            exception (KeyError, TypeError, ...) pass: the error is then raised without an explanation.
        """

    @classmethod
    def parameters_from(cls, connection: Connection, extras: Mapping[str, str]) -> dict[str, str]:
        """Return the header parameters that the extras of a connection set, by the contract's names.

        For a blank extra, the contract's default is used, so that the API's version is always sent. If the
        contract has no default, the parameter is omitted.

        :param extras: the name of the extra for each parameter.
        :raises ConnectionConfigError: if the value of an extra does not match the contract.
        """
        parameters = contract.load(cls.name).parameters
        found = {name: connection.extra_dejson.get(extra) for name, extra in extras.items()}
        given = {name: "" if value is None else str(value) for name, value in found.items()}
        for name, value in given.items():
            for violation in violations(parameters[name]["schema"], value) if value else ():
                problem = f"its {extras[name]} {violation.problem}, it {violation.remedy}"
                raise refuse(connection, problem, f"correct {extras[name]}")
        chosen = {name: value or parameters[name]["schema"].get("default") for name, value in given.items()}
        return {name: value for name, value in chosen.items() if value}

    @abc.abstractmethod
    async def probe(self) -> str:
        """Make a harmless read, and return a text that names the account and mode, for the *Test* button."""

    async def prepare(self) -> None:  # noqa: B027  # most APIs have nothing to check
        """Check the connection at the API before its first call. By default, do nothing."""

    @abc.abstractmethod
    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        """Read a dispute and its current evidence.

        :param account: the account to act for; None, the default, for the connection's account.
        :param details: whether to also read the names and sizes of documents; False by default.
        """

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

    async def mint(self) -> BearerToken:
        """Request an OAuth token. Called only if the connection uses OAuth.

        :raises NotImplementedError: by default, because the API has no tokens.
        """
        raise NotImplementedError(f"{self.name} connections authenticate with their key")

    def under(self, claim: WriteClaim) -> Self:
        """Return a view of this API that makes every write under a claim. It shares client and token."""
        view = copy(self)
        view._claim = claim
        return view

    async def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Validate, encode, authenticate and send a call.

        :param operation_id: an ``operationId`` of the API's contract.
        :param account: the account to act for; None, the default, for the connection's account. Ignored if
            the operation takes no account.
        :param arguments: by the contract's names. They take precedence over the connection's settings.
        :raises InvalidRequestError: with every violation, if the arguments are invalid. Nothing was sent.
        :raises ApiError: if the call fails.
        """
        return await self.send(self.request(operation_id, account, **arguments))

    def request(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Request:
        """Validate and encode a call. The parameters are those of :meth:`call`.

        :raises InvalidRequestError: with every violation.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        return Request.of(self.contract[operation_id], **self.complete(operation_id, given, account))

    async def send_under_own_key(self, request: Request, key: str | None) -> Answer:
        """Send a request under a key that may be replaced. Final calls must not be sent like this.

        :param key: the first key; None to send the request unchanged. If the API only repeats the failure of
            an earlier call under a key, the next key is used.
        :raises ApiError: if the call fails.
        """
        if key is None:
            return await self.send(request)
        repeated: ApiError | None = None
        for each in idempotency.next_keys(key):
            try:
                return await self.send(request.with_key(each))
            except ApiError as error:
                if not error.replayed:
                    raise
                repeated = error
        assert repeated is not None
        raise repeated

    async def send(self, request: Request) -> Answer:
        """Authenticate and send a request, with an OAuth token if the connection uses one.

        :raises ApiError: if the call fails.
        """
        claim = self._claim if request.operation.effect != "read" else None
        if not self.settings.oauth or not request.operation.takes_token:
            return await self.client.send(request, self.settings.authorization, claim)
        for last in (False, True):
            if not self._tokens or self._tokens[0].ends <= self.client.clock():
                self._tokens[:] = [await self.mint()]
            token = self._tokens[0]
            try:
                return await self.client.send(request, f"Bearer {token.value}", claim)
            except AuthenticationError:
                # The token was revoked or expired early. Try a new one, once. Another call may have renewed
                # it.
                if token in self._tokens:
                    self._tokens.clear()
                # A final call is not resent before the dispute is read.
                if last or request.is_final:
                    raise
        raise AssertionError("unreachable")

    async def wait(self, seconds: float) -> None:
        """Wait for a number of seconds on the client's clock."""
        if seconds:
            await self.client.sleep(seconds)

    def complete(
        self, operation_id: str, arguments: Mapping[str, Any], account: str | None = None
    ) -> dict[str, Any]:
        """Return the arguments of a call together with those of the connection: version, origin, account.

        :param arguments: by the contract's names. They take precedence over the connection's.
        :param account: the account to act for; None, the default, for the connection's account.
        """
        return {**self.own_arguments(operation_id, account), **arguments}

    def own_arguments(self, operation_id: str, account: str | None) -> Mapping[str, str]:
        """Return the arguments that the connection provides for an operation: version, origin, account."""
        if operation_id not in self._own_arguments:
            known = self.contract[operation_id].parameters
            self._own_arguments[operation_id] = {
                name: value for name, value in self.settings.headers.items() if name in known
            }
        return self._own_arguments[operation_id]
