"""Acme: connection, and how its disputes are read, listed, staged, submitted and conceded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispute_provider._apis import idempotency
from dispute_provider._apis.api import Api, Written
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
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._contracts.answers import Answer, Complaint, word
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.merging import Merged
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import UNKNOWN_REASON, Dispute, Evidence, Snapshot, contents
from dispute_provider._explain.money import minor_units
from dispute_provider._transport.connection_settings import ConnectionSettings

_CLOSED = {"WON": "it is decided: won", "LOST": "it is decided: lost", "CONCEDED": "it was conceded"}
_FILES = ("proof",)
_RATE = 100.0
_REGIONS = ("us", "eu")


class AcmeApi(Api):
    """Acme's disputes on one connection."""

    name = "acme"
    submits_under_a_key = True
    holds_one_of_a_name = True
    reads_by = "getCase"
    concedes_by = "concedeCase"

    @classmethod
    def check_connection(cls, connection: Connection) -> ConnectionSettings:
        check_extras(connection, cls.name)
        if not (key := connection.password):
            raise refuse(connection, "its password is empty", "put the key there")
        return ConnectionSettings(
            connection=connection.conn_id,
            base_url=base_url(connection, live=False),
            authorization=key,
            headers=cls.parameters_from(connection, {"Acme-Revision": "api_version"}),
            account=None,
            live=False,
            rate=rate(connection, _RATE),
            network=network_of(connection),
            server=f"https://{choice(connection, 'region', _REGIONS, 'us')}.api.acme.example",
        )

    @classmethod
    def read_error(cls, body: Any) -> Complaint:
        errors = body["errors"]
        message = "; ".join(each["detail"] for each in errors if isinstance(each.get("detail"), str))
        return Complaint(message, word(errors[0].get("code")), word(errors[0].get("field")))

    async def probe(self) -> str:
        answer = await self.call("getMerchant")
        return f"Acme merchant {answer.data['merchantRef']}"

    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        answer = await self.call(self.reads_by, caseRef=dispute)
        draft = answer.data.get("draft") or {}
        held = [await self._held(name, value) for name, value in draft.items() if value]
        return Snapshot(self.dispute_in(answer), tuple(held), answer.request_id)

    async def _held(self, name: str, value: str) -> Evidence:
        if name not in _FILES:
            return Evidence(name, text=value)
        paper = (await self.call("getPaper", paperRef=value)).data
        return Evidence(
            name,
            id=value,
            filename=paper.get("name"),
            size=paper.get("bytes"),
            content_type=paper.get("format"),
        )

    def dispute_in(self, answer: Answer, account: str | None = None) -> Dispute:
        return _dispute(answer.data)

    async def fetch(self, dispute: str, document: Evidence, account: str | None = None) -> bytes:
        paper = (await self.call("getPaper", paperRef=document.id)).data
        return await self.client.download(paper["link"], "getPaper")

    async def list_open(self) -> Listing:
        found = Listing()
        cursor: str | None = None
        while True:
            answer = await self.call("listCases", state=["OPEN"], **{"X-Cursor": cursor})
            found.disputes.extend(map(_dispute, answer.data["cases"]))
            found.unreadable.extend(
                Unreadable(readable_id(each.item, "caseRef"), each.problem)
                for each in answer.items_broken_in("/cases")
            )
            if not (cursor := answer.headers.get("X-Next-Cursor")):
                return found

    def check_case(self, case: Case, found: Dispute) -> str | None:
        return None

    def page(self, dispute: str, account: str | None = None) -> str:
        return _page(dispute)

    async def write(self, case: Case, merged: Merged, before: Snapshot, memory: DisputeMemory) -> Written:
        uploaded = dict(merged.held)
        gone = {held.name for held in merged.stale}
        draft = contents(held for held in before.evidence if held.name not in gone)
        for piece in merged.missing:
            if piece.document is None:
                draft[piece.name] = piece.text
                continue
            draft[piece.name] = await self._upload(piece.document)
            uploaded[draft[piece.name]] = piece.document.sha256
        await self.call("saveDraft", caseRef=case.dispute, **draft)
        return Written(uploaded)

    async def _upload(self, document: Document) -> str:
        """Send a document, and confirm it."""
        name = document.upload_name
        sent = await self.call(
            "sendPaper",
            details={"name": name},
            content=FilePart(name, document.content, document.content_type),
            requestKey=idempotency.upload_key(self.settings.connection, None, document.sha256, name),
        )
        confirmed = await self.call("confirmPaper", paperRef=sent.data["fileRef"])
        return str(confirmed.data["fileRef"])

    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        key = idempotency.final_key(self.name, approved.dispute, "submit", ordinal)
        return await self.call("sendAnswer", case=record.dispute, requestKey=key)

    async def concession(self, found: Snapshot, record: Record, ordinal: int) -> Answer:
        key = idempotency.final_key(self.name, found.dispute, "concede", ordinal)
        return await self.call(self.concedes_by, caseRef=record.dispute, requestKey=key)

    def is_conceded(self, found: Dispute) -> bool:
        return found.status == "CONCEDED"

    async def restore(self, record: Record, evidence: Mapping[str, Any], *, automatic: str | None) -> None:
        await self.call("saveDraft", caseRef=record.dispute, **evidence)


def _page(dispute: str) -> str:
    return f"https://desk.acme.example/cases/{dispute}"


def _dispute(data: Mapping[str, Any]) -> Dispute:
    state, sent = data["state"], data.get("sentAt")
    return Dispute(
        provider="acme",
        account=None,
        id=data["caseRef"],
        stage="chargeback",
        status=state,
        submissions=1 if sent else 0,
        submitted=state == "ANSWERED",
        submitted_at=sent,
        closed=_CLOSED.get(state),
        due=datetime.fromisoformat(data["answerUntil"]),
        amount=minor_units(data["amount"]["value"], data["amount"]["currency"]),
        currency=data["amount"]["currency"].lower(),
        reason=data.get("motive") or UNKNOWN_REASON,
        network_code=data.get("schemeCode"),
        network=data.get("scheme"),
        live=False,
        url=_page(data["caseRef"]),
    )
