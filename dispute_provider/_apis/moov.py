"""Moov: validate connections, authenticate, and read, list, stage, submit and concede disputes."""

from __future__ import annotations

import contextlib
import time
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis.api import Api, Written
from dispute_provider._apis.calls import BearerToken
from dispute_provider._apis.connection import (
    Connection,
    base_url,
    check_extras,
    choice,
    network_of,
    rate,
    refuse,
)
from dispute_provider._apis.listing import Listing, Unreadable, readable_id
from dispute_provider._apis.memory import DisputeMemory, foreign
from dispute_provider._apis.moov_dispute import dashboard_url, dispute_of
from dispute_provider._apis.moov_evidence import copies_among, evidence_of
from dispute_provider._apis.side_by_side import all_ended
from dispute_provider._contracts.answers import Answer, Complaint
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.request import Request
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.merging import Merged, Piece
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import (
    AmbiguousError,
    ApiError,
    ConnectionConfigError,
    NotFoundError,
    PermissionDeniedError,
)

# The members of a 422's error body. Its texts are Moov's own, so they can be shown.
_REFUSED_PARTS = (
    *("evidenceType", "file", "filename", "mimeType"),
    *("scope", "refresh_token", "token", "token_type_hint"),
)
_PAGE = 200
# Moov's documentation gives several limits. This is the lowest.
_DEFAULT_RATE = 10.0
# A token's expires_in is documented both as a duration and as a time. Above this value, it is Unix time.
_ABSOLUTE_FROM = 1e9
_RENEW_EARLY = 60.0
# Seconds to wait before each listing, until it includes a new upload.
_CATCHES_UP_AFTER = (0.0, 0.5, 1.0, 2.0, 4.0)


class MoovApi(Api):
    """Moov's disputes on one connection.

    Moov has no idempotency keys, and an upload never replaces earlier evidence.
    """

    name = "moov"
    submits_under_a_key = False
    holds_one_of_a_name = False
    reads_by = "getDispute"
    concedes_by = "acceptDispute"

    @classmethod
    def check_connection(cls, connection: Connection) -> ConnectionSettings:
        check_extras(connection, cls.name)
        mode = choice(connection, "mode", ("sandbox", "production"), "sandbox")
        auth = choice(connection, "auth", ("basic", "oauth2"), "basic")
        public, secret = connection.login or "", connection.password or ""
        if not public or not secret or ":" in public:
            remedy = "enter the public key as the login and the secret key as the password"
            raise refuse(connection, "its public or secret key is missing or malformed", remedy)
        # Validate the version in particular: if it is malformed, the API answers that the dispute does not
        # exist.
        given = {"accountID": "account", "x-moov-version": "api_version", "Origin": "origin"}
        headers = cls.parameters_from(connection, given)
        if not (account := headers.pop("accountID", "")):
            remedy = "set account to the uuid of the platform's own account, not the merchant's"
            raise refuse(connection, "its account is empty", remedy)
        live = mode == "production"
        return ConnectionSettings(
            connection=connection.conn_id,
            base_url=base_url(connection, live=live),
            authorization="Basic " + b64encode(f"{public}:{secret}".encode()).decode(),
            headers=headers,
            account=account,
            live=live,
            rate=rate(connection, _DEFAULT_RATE),
            oauth=auth == "oauth2",
            network=network_of(connection),
        )

    @classmethod
    def read_error(cls, body: Any) -> Complaint:
        # The error is either one text, or one text for each refused member.
        found = body.get("error", body)
        return Complaint(found if isinstance(found, str) else "; ".join(_refused_parts(found)))

    @property
    def account(self) -> str:
        return str(self.settings.account)

    def own_arguments(self, operation_id: str, account: str | None) -> Mapping[str, str]:
        arguments = super().own_arguments(operation_id, account)
        if "accountID" not in self.contract.operations[operation_id].parameters:
            return arguments
        return {**arguments, "accountID": account or self.account}

    def page(self, dispute: str, account: str | None = None) -> str:
        return dashboard_url(account or self.account, dispute)

    async def probe(self) -> str:
        mode = await self._check_mode()
        if self.settings.oauth:
            # The account was read with the keys. Also test the token.
            await self.call("listDisputes", count=1)
        return f"Moov account {self.account}, {mode}"

    async def prepare(self) -> None:
        await self._check_mode()

    async def _check_mode(self) -> str:
        """Read the account, and check its mode. Use the keys, because a token for transfers may not read it.

        :raises ConnectionConfigError: if the account is in another mode than the connection.
        """
        request = Request.of(self.contract["getAccount"], **self.own_arguments("getAccount", None))
        try:
            answer = await self.client.send(request, self.settings.authorization)
        except PermissionDeniedError:
            if self.settings.live:
                return "production mode according to the connection (the keys may not read the account)"
            raise self._refuse("its keys may not read the account, so the mode cannot be checked") from None
        mode = answer.data["mode"]
        if (mode == "production") != self.settings.live:
            raise self._refuse(f"the account is in {mode} mode, but the connection is not")
        return f"{mode} mode"

    def _refuse(self, problem: str) -> ConnectionConfigError:
        return ConnectionConfigError(
            f"connection {self.settings.connection!r} refused, no dispute was changed: {problem}. "
            "To do: correct its mode, or use other keys."
        )

    async def mint(self) -> BearerToken:
        scopes = [f"/accounts/{self.account}/transfers.{right}" for right in ("read", "write")]
        request = Request.of(
            self.contract["createAccessToken"],
            grant_type="client_credentials",
            scope=" ".join(scopes),
            **self.own_arguments("createAccessToken", None),
        )
        answer = await self.client.send(request, self.settings.authorization)
        expires_in = float(answer.data["expires_in"])
        lifetime = expires_in - time.time() if expires_in > _ABSOLUTE_FROM else expires_in
        return BearerToken(answer.data["access_token"], self.client.clock() + lifetime - _RENEW_EARLY)

    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        answer = await self.call(self.reads_by, disputeID=dispute)
        items = await self._items(dispute)
        return Snapshot(self.dispute_in(answer), tuple(items), answer.request_id)

    async def read_listed(self, dispute: Dispute, account: str | None = None) -> Snapshot:
        return Snapshot(dispute, tuple(await self._items(dispute.id)))

    def dispute_in(self, answer: Answer, account: str | None = None) -> Dispute:
        return self._dispute(answer.data)

    async def fetch(self, dispute: str, document: Evidence, account: str | None = None) -> bytes:
        answer = await self.call("getDisputeEvidenceData", disputeID=dispute, evidenceID=document.item)
        return bytes(answer.data)

    async def list_open(self) -> Listing:
        found = Listing()
        pages: list[Answer] = []
        while not pages or len(pages[-1].raw) >= _PAGE:
            # Nothing says how many pages there are, so as many are read at once as were full so far.
            numbers = range(len(pages), 2 * len(pages) or 1)
            pages += await all_ended(self._page(number) for number in numbers)
        for page in pages:
            found.disputes.extend(map(self._dispute, page.data))
            found.unreadable.extend(
                Unreadable(readable_id(each.item, "disputeID"), each.problem)
                for each in page.items_broken_in("")
            )
        return found

    async def _page(self, number: int) -> Answer:
        """Read a page of the open disputes; the first is number 0."""
        return await self.call("listDisputes", status="response-needed", skip=number * _PAGE, count=_PAGE)

    def check_case(self, case: Case, found: Dispute) -> str | None:
        if case.account and case.account.lower() != (found.merchant or "").lower():
            against = found.merchant or "an unknown merchant"
            return f"the case is for merchant {case.account}, but the dispute is against {against}"
        return None

    async def write(self, case: Case, merged: Merged, before: Snapshot, memory: DisputeMemory) -> Written:
        """Upload the missing pieces, and delete stale ones and duplicates. Pieces already there are kept."""
        held = list(before.evidence)
        there = frozenset(item.item for item in held if item.item)
        if merged.missing:
            await memory.begin(there)
            known = set(there)
            await all_ended(self._upload(case.dispute, piece, known) for piece in merged.missing)
            held = await self._items_with(case.dispute, known - there)
        copies = copies_among(held, merged.wanted, await foreign(before, memory))
        held = await self._without(case.dispute, held, [*merged.stale, *copies])
        documents = {
            item.id: piece.document.sha256
            for item in held
            for piece in merged.wanted
            if item.id and piece.document and piece.is_held_as(item)
        }
        # Uploads change nothing else in the dispute.
        return Written(documents, replace(before, evidence=tuple(held)))

    async def _upload(self, dispute: str, piece: Piece, known: set[str]) -> None:
        """Upload a piece, and add its id at the API to the known ones.

        :param known: the ids of the evidence that was there before, or was uploaded by this task.
        """
        try:
            if piece.document is None:
                answer = await self.call(
                    "uploadDisputeEvidenceText", disputeID=dispute, evidenceType=piece.name, text=piece.text
                )
            else:
                document = piece.document
                part = FilePart(document.upload_name, document.content, document.content_type)
                answer = await self.call(
                    "uploadDisputeEvidenceFile", disputeID=dispute, evidenceType=piece.name, file=part
                )
        except AmbiguousError as error:
            # The upload may have arrived. It has no idempotency key, so look for it instead of resending.
            try:
                items = await self._items(dispute)
            except ApiError:
                # It may still arrive, which the failure of a reading would hide.
                raise error from None
            for item in items:
                if item.item and item.item not in known and piece.is_held_as(item):
                    known.add(item.item)
                    return
            raise
        known.add(str(answer.data["evidenceID"]))

    async def _without(self, dispute: str, items: list[Evidence], unwanted: list[Evidence]) -> list[Evidence]:
        """Delete items, and return the remaining ones."""
        gone = {item.item for item in unwanted}
        if not gone:
            return items
        for item in unwanted:
            with contextlib.suppress(NotFoundError):
                await self.call("deleteDisputeEvidenceFile", disputeID=dispute, evidenceID=item.item)
        items = await self._items(dispute)
        if any(item.item in gone for item in items):
            raise AmbiguousError("a deleted item is still listed.", operation="deleteDisputeEvidenceFile")
        return items

    async def _items_with(self, dispute: str, uploaded: Collection[str]) -> list[Evidence]:
        """Return all items, once the listing includes those just uploaded."""
        for pause in _CATCHES_UP_AFTER:
            await self.wait(pause)
            items = await self._items(dispute)
            if {item.item for item in items}.issuperset(uploaded):
                return items
        raise AmbiguousError("new uploads are not listed.", operation="listDisputeEvidence")

    async def _items(self, dispute: str) -> list[Evidence]:
        """Return all items, oldest first."""
        answer = await self.call("listDisputeEvidence", disputeID=dispute)
        items = sorted(answer.data or [], key=lambda item: (item.get("createdOn") or "", item["evidenceID"]))
        return list(map(evidence_of, items))

    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        return await self.call("submitDisputeEvidence", disputeID=record.dispute)

    async def restore(self, record: Record, evidence: Mapping[str, Any], *, automatic: str | None) -> None:
        raise NotImplementedError("Moov submits nothing automatically, and overwrites nothing")

    async def concession(self, found: Snapshot, record: Record, ordinal: int) -> Answer:
        return await self.call(self.concedes_by, disputeID=record.dispute)

    def is_conceded(self, found: Dispute) -> bool:
        return found.status == "accepted"

    def _dispute(self, data: Mapping[str, Any]) -> Dispute:
        return dispute_of(data, self.account, live=self.settings.live)


def _refused_parts(parts: Mapping[str, Any]) -> Iterator[str]:
    for name in _REFUSED_PARTS:
        part = parts.get(name)
        if isinstance(part, Mapping):
            yield from (f"{name} {text}" for text in _refused_parts(part))
        elif isinstance(part, str):
            yield f"{name}: {part}"
