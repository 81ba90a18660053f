"""Define what every API module does: read, list, stage, submit and concede disputes on one connection."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from dispute_provider._apis.connection import Connection, refuse
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._contracts import contract
from dispute_provider._contracts.answers import Answer, Complaint
from dispute_provider._contracts.contract import Request
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
    """An item of a list of disputes that cannot be used.

    :param dispute: its id, None if that cannot be read either.
    :param problem: what is wrong with it, with JSON pointers.
    """

    dispute: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Disputes from a list, and the items that could not be read."""

    disputes: list[Dispute] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def readable_id(item: Any, member: str) -> str | None:
    """Return the id of an object in a list as the API sent it; None if it has none that can be read."""
    found = item.get(member) if isinstance(item, Mapping) else None
    return found if isinstance(found, str) and found else None


@dataclass(slots=True)
class BearerToken:
    """A minted bearer token and when it ends, on the monotonic clock, in seconds."""

    value: str = field(repr=False)
    ends: float


class Api(abc.ABC):
    """One API on one connection: how its disputes are read, listed, staged and submitted.

    Calls need ``async with``, which opens the client. What needs no call works without.
    """

    name: ClassVar[str]
    # Whether a submission that is sent again under its key is harmless.
    submits_under_a_key: ClassVar[bool]
    # Whether evidence of a name takes the place of what it held before.
    holds_one_of_a_name: ClassVar[bool]
    # The operations that read a dispute and that give one up.
    reads_by: ClassVar[str]
    concedes_by: ClassVar[str]

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.client = Client(settings, self.read_error)
        self.contract = contract.load(self.name)
        self._tokens: list[BearerToken] = []
        self._claim: WriteClaim | None = None

    async def __aenter__(self) -> Self:
        """Open the client and check what must be true before the first call.

        Where that fails, every call meets its error, so that each dispute ends with it.

        :raises ConnectionConfigError: if the connection must not be used as it stands.
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
        """Read a connection.

        :raises ConnectionConfigError: if it must not be used as it stands.
        """

    @classmethod
    @abc.abstractmethod
    def read_error(cls, body: Any) -> Complaint:
        """Read the body of an error.

        Texts that are not known to be the API's own words are left out: they may quote a customer.

        :param body: its JSON, whatever that holds: an exception of a missing or another member is caught, and
            the error then has no explanation.
        """

    @classmethod
    def parameters_from(cls, connection: Connection, extras: Mapping[str, str]) -> dict[str, str]:
        """Return the header parameters that a connection's extra fields set, by the contract's names.

        A field left blank gives the contract's default: an API's version is always sent by name. Where the
        contract has none, the parameter is left out.

        :param extras: the extra field of each parameter.
        :raises ConnectionConfigError: if one has not the form that the contract asks for.
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
        """A harmless read; says which account and mode were reached."""

    async def prepare(self) -> None:  # noqa: B027  # most APIs have nothing to check
        """Check what must be true before the first call; nothing, unless an API says otherwise."""

    @abc.abstractmethod
    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        """A dispute and the evidence that the API holds for it now.

        :param details: with the names and sizes of documents, for people.
        """

    @abc.abstractmethod
    def dispute_in(self, answer: Answer, account: str | None = None) -> Dispute:
        """Return the dispute that an answer contains.

        :param account: whose it is; None for the connection's own.
        """

    @abc.abstractmethod
    async def fetch(self, dispute: str, document: Evidence, account: str | None = None) -> bytes:
        """The bytes of a document that the API holds."""

    @abc.abstractmethod
    async def list_open(self) -> Listing:
        """List the disputes that can still be answered; items that cannot be read are named beside them.

        :raises ApiError: if the list itself cannot be read.
        """

    @abc.abstractmethod
    def check_case(self, case: Case, found: Dispute) -> str | None:
        """Why a case does not belong to the dispute that it names; None if it does."""

    async def unqualified(
        self, dispute: Dispute, structured: Mapping[str, Any], account: str | None = None
    ) -> str | None:
        """Return why a case does not qualify for the network's programme that it claims; None if it does.

        None, unless an API says otherwise.

        :param structured: the members of the case's structured evidence.
        :raises ApiError: if what has to be compared cannot be read.
        """
        return None

    def notes_on(self, dispute: Dispute) -> tuple[str, ...]:
        """Return what a reviewer has to know of a dispute; nothing, unless an API says otherwise."""
        return ()

    @abc.abstractmethod
    def page(self, dispute: str, account: str | None = None) -> str:
        """The address of the dispute's page, for people."""

    @abc.abstractmethod
    async def write(
        self, case: Case, merged: Merged, before: Snapshot, memory: DisputeMemory
    ) -> dict[str, str]:
        """Put what is missing where a later submission finds it, and take away what is stale.

        A dispute that the API would answer by itself is switched to manual in the same request.

        :param memory: for an API whose uploads have no key that would make a second one harmless.
        :returns: sha256 by the API's document id, of the documents of this case.
        """

    @abc.abstractmethod
    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        """The one call that sends the evidence to the bank.

        :param approved: a fresh reading, its digest the approved one.
        :param ordinal: which final call of its stage this is, from 1; ignored by an API without keys.
        """

    @abc.abstractmethod
    async def concession(self, found: Snapshot, record: Record, ordinal: int) -> Answer:
        """The one call that gives the dispute up, for good.

        :param found: a fresh reading.
        :param ordinal: which final call of its stage this is, from 1; ignored by an API without keys.
        """

    @abc.abstractmethod
    def is_conceded(self, found: Dispute) -> bool:
        """Whether a dispute's status is what giving it up leads to."""

    @abc.abstractmethod
    async def restore(self, record: Record, evidence: Mapping[str, Any], *, automatic: str | None) -> None:
        """Put earlier evidence back, empty where there was none.

        :param automatic: how the dispute was to be submitted, to be put back as well; None leaves that alone.
        """

    async def mint(self) -> BearerToken:
        """Get a bearer token, where the connection asks for one."""
        raise NotImplementedError(f"{self.name} connections authenticate with their key")

    def under(self, claim: WriteClaim) -> Self:
        """Return this API with every write under a claim; it shares the client and the token."""
        view = copy(self)
        view._claim = claim
        return view

    async def call(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Answer:
        """Validate, encode, authorise and send one operation.

        :param account: in place of the connection's own, where the operation takes one.
        :param arguments: by the contract's names; they win over what the connection says.
        :raises ApiError: one of the tree.
        """
        return await self.send(self.request(operation_id, account, **arguments))

    def request(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Request:
        """Validate and encode one operation, with what the connection says.

        :param account: in place of the connection's own, where the operation takes one.
        :param arguments: by the contract's names; they win over what the connection says.
        :raises InvalidRequestError: with every violation; nothing was sent.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        return self.contract.request(operation_id, **self.complete(operation_id, given, account))

    async def send(self, request: Request) -> Answer:
        """Authorise and send a request, with a minted token where the connection asks for one.

        :raises ApiError: one of the tree.
        """
        claim = self._claim if request.method != "GET" else None
        if not self.settings.oauth or not request.operation.takes_token:
            return await self.client.send(request, self.settings.authorization, claim)
        for last in (False, True):
            if not self._tokens or self._tokens[0].ends <= self.client.clock():
                self._tokens[:] = [await self.mint()]
            token = self._tokens[0]
            try:
                return await self.client.send(request, f"Bearer {token.value}", claim)
            except AuthenticationError:
                # Revoked or expired early: one new token, once. Another call may have renewed it already.
                if token in self._tokens:
                    self._tokens.clear()
                # A final call is not sent again before the dispute is read.
                if last or request.is_final:
                    raise
        raise AssertionError("unreachable")

    async def wait(self, seconds: float) -> None:
        """Wait, by the client's clock."""
        await self.client.sleep(seconds)

    def complete(
        self, operation_id: str, arguments: Mapping[str, Any], account: str | None = None
    ) -> dict[str, Any]:
        """Return the arguments of a call with the connection's own added: version, origin, account.

        :param arguments: by the contract's names; they win over the connection's.
        :param account: in place of the connection's own; None for that one.
        """
        return {**self.own_arguments(operation_id, account), **arguments}

    def own_arguments(self, operation_id: str, account: str | None) -> dict[str, str]:
        """What the connection says that this operation takes: version, origin, account."""
        known = self.contract[operation_id].parameters
        return {name: value for name, value in self.settings.headers.items() if name in known}
