"""Stripe: read, list, stage, submit and concede disputes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from dispute_provider._apis import (
    idempotency,
    stripe_connection,
    stripe_dispute,
    stripe_evidence,
    stripe_listing,
)
from dispute_provider._apis.api import Api, Written
from dispute_provider._apis.connection import Connection, check_extras
from dispute_provider._apis.listing import Listing, Unreadable, readable_id
from dispute_provider._apis.memory import DisputeMemory
from dispute_provider._apis.side_by_side import all_ended
from dispute_provider._apis.stripe_charges import payment_facts, unmet_by
from dispute_provider._apis.stripe_compelling import TITLE, claim_of, standing
from dispute_provider._apis.stripe_listing import Page, Span
from dispute_provider._contracts.answers import Answer, Complaint, word
from dispute_provider._contracts.encoding import FilePart
from dispute_provider._contracts.evidence_fields import lists
from dispute_provider._contracts.request import Request
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.documents import Document
from dispute_provider._evidence.merging import Merged
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Dispute, Evidence, Snapshot
from dispute_provider._evidence.stages import is_taken
from dispute_provider._transport.claim import NotClaimedError
from dispute_provider._transport.connection_settings import ConnectionSettings
from dispute_provider.exceptions import InvalidRequestError, NotFoundError, Violation

_KEY_HEADER = "Idempotency-Key"
# The code of a 429 that means another request holds the object (https://docs.stripe.com/rate-limits).
_LOCKED = "lock_timeout"
# In test mode, these texts decide the outcome (https://docs.stripe.com/testing). In live mode, a bank would
# read them as the whole defense.
_TEST_WORDS = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence")
# Seconds of uploading after which a dispute is read again before it is written, so that no write is based on
# a reading older than 30 seconds.
_LONG_UPLOAD = 20.0
# Seconds after which no dispute is open any more. The stages that a card network allows take less than a year
# together, from the inquiry to the appeal.
_LONGEST_LIFE = 540 * 86_400


class StripeApi(Api):
    """Stripe's disputes on one connection."""

    name = "stripe"
    submits_under_a_key = True
    holds_one_of_a_name = True
    reads_by = "GetDisputesDispute"
    concedes_by = "PostDisputesDisputeClose"

    @classmethod
    def check_connection(cls, connection: Connection) -> ConnectionSettings:
        check_extras(connection, cls.name)
        return stripe_connection.settings_of(connection, cls.parameters_from)

    @classmethod
    def read_error(cls, body: Any) -> Complaint:
        error = body["error"]
        code = word(error.get("code"))
        message = error.get("message")
        return Complaint(
            message if isinstance(message, str) else "",
            code or word(error.get("type")),
            word(error.get("param")),
            is_lock=code == _LOCKED,
        )

    def request(self, operation_id: str, /, account: str | None = None, **arguments: Any) -> Request:
        evidence = arguments.get("evidence")
        text = evidence.get("uncategorized_text") if isinstance(evidence, Mapping) else None
        if self.settings.live and text in _TEST_WORDS:
            problem = "is a text that only has a meaning in test mode"
            violation = Violation("/evidence/uncategorized_text", problem, "write a text for the bank")
            raise InvalidRequestError.before_sending(operation_id, [violation])
        return super().request(operation_id, account, **arguments)

    def complete(
        self, operation_id: str, arguments: Mapping[str, Any], account: str | None = None
    ) -> dict[str, Any]:
        account = arguments.get("Stripe-Account") or account
        complete = super().complete(operation_id, arguments)
        context = complete.get("Stripe-Context")
        if context is None:
            return complete | ({"Stripe-Account": account} if account else {})
        # Stripe-Context replaces Stripe-Account: a connected account is the last part of its path.
        complete.pop("Stripe-Account", None)
        if account and account != stripe_connection.account_of(context):
            complete["Stripe-Context"] = f"{context}/{account}"
        return complete

    def page(self, dispute: str, account: str | None = None) -> str:
        account = account or self.settings.account
        return stripe_dispute.dashboard_url(dispute, account, live=self.settings.live)

    async def probe(self) -> str:
        answer = await self.call("GetAccount")
        mode = "live" if self.settings.live else "test"
        version = self.settings.headers["Stripe-Version"]
        return f"Stripe account {answer.data['id']}, {mode} mode, API version {version}"

    async def read(self, dispute: str, account: str | None = None, *, details: bool = False) -> Snapshot:
        expand = self._details if details else None
        answer = await self.call(self.reads_by, account, dispute=dispute, expand=expand)
        snapshot = self._snapshot(answer.data, answer.request_id, account)
        return await self._with_file_details(snapshot, account) if details else snapshot

    payment_fact_names = tuple(payment_facts({}))

    async def payment_facts(self, dispute: Dispute, account: str | None = None) -> Mapping[str, Any]:
        if not dispute.charge:
            return {}
        try:
            answer = await self.call("GetChargesCharge", account, charge=dispute.charge)
        except NotFoundError:
            return {}
        return payment_facts(answer.data)

    def dispute_in(self, answer: Answer, account: str | None = None) -> Dispute:
        return self._dispute(answer.data, account)

    def _dispute(self, data: Mapping[str, Any], account: str | None = None) -> Dispute:
        return stripe_dispute.dispute_of(data, account or self.settings.account, live=self.settings.live)

    def snapshot_in(self, answer: Answer, account: str | None = None) -> Snapshot:
        return self._snapshot(answer.data, answer.request_id, account)

    async def fetch(self, dispute: str, document: Evidence, account: str | None = None) -> bytes:
        answer = await self.call("GetFilesFileContents", account, file=document.id)
        return bytes(answer.data)

    async def list_open(self) -> Listing:
        return await self._list(Span(int(time.time() - _LONGEST_LIFE)), 1)

    async def _list(self, span: Span, number: int) -> Listing:
        """List the open disputes of a span of time, newest first.

        :param number: how many pages this one is away from the first, which is 1. Most accounts have two
            pages at most. From the second one on, both halves of the remaining time are listed at once.
        """
        answer = await self.call(
            "GetDisputes", limit=stripe_listing.PAGE, starting_after=span.after, created=span.created
        )
        page = Page.of(answer)
        found = self._listed(answer, page)
        if not page.has_more:
            return found
        if not page.read:
            problem = "the rest of the list cannot be read: no dispute on a page has an id"
            found.unreadable.append(Unreadable(None, problem))
            return found
        rest = [span.rest(page)] if number == 1 else span.halves(page)
        for part in await all_ended(self._list(each, number + 1) for each in rest):
            found.add(part)
        return found

    def _listed(self, answer: Answer, page: Page) -> Listing:
        """Return the open disputes on a page, and its unreadable items that may be open ones."""
        found = Listing()
        for item in answer.data["data"]:
            if stripe_dispute.may_be_open(item["status"]):
                snapshot = self._snapshot(item, answer.request_id, None)
                found.disputes.append(snapshot.dispute)
                found.snapshots[snapshot.dispute.id] = snapshot
        found.unreadable.extend(
            Unreadable(page.ids[each.index], each.problem)
            for each in answer.items_broken_in("/data")
            if each.index < page.read and stripe_dispute.may_be_open(readable_id(each.item, "status"))
        )
        return found

    def check_case(self, case: Case, found: Dispute) -> str | None:
        return None

    async def unqualified(
        self, dispute: Dispute, structured: Mapping[str, Any], account: str | None = None
    ) -> str | None:
        if not (claim := claim_of(structured)):
            return None
        problems = await unmet_by(self, dispute, claim, account)
        return f"it does not qualify for {TITLE}: {'; '.join(problems)}" if problems else None

    def notes_on(self, dispute: Dispute) -> tuple[str, ...]:
        note = standing(dispute)
        return (note,) if note else ()

    async def write(self, case: Case, merged: Merged, before: Snapshot, memory: DisputeMemory) -> Written:
        documents = [piece.document for piece in merged.missing if piece.document is not None]
        began = self.client.clock()
        files = await all_ended(self._upload(document, case.account) for document in documents)
        if self.client.clock() - began > _LONG_UPLOAD:
            await self._require_unchanged(case, before)
        sent = {file: document.sha256 for file, document in zip(files, documents, strict=True)}
        uploaded = {**merged.held, **sent}
        evidence = stripe_evidence.changes(self.contract, before, merged, files)
        method = "manual" if before.dispute.automatic else None
        if not (evidence or case.metadata or method):
            return Written(uploaded, before)
        answer = await self.call(
            "PostDisputesDispute",
            case.account,
            dispute=case.dispute,
            evidence=stripe_evidence.nested(self.contract, evidence) or None,
            metadata=dict(case.metadata) if case.metadata else None,
            intended_submission_method=method,
            submit=False,
            expand=self._details,
        )
        if not answer.is_plain:
            return Written(uploaded)
        after = self._snapshot(answer.data, answer.request_id, case.account)
        return Written(uploaded, await self._with_file_details(after, case.account))

    async def _require_unchanged(self, case: Case, before: Snapshot) -> None:
        """Read a dispute again, so that no edit that was made since an old reading is overwritten.

        :raises NotClaimedError: if the dispute has changed. The next try reads it again.
        """
        now = await self.read(case.dispute, case.account, details=True)
        if replace(now, request_id=None) != replace(before, request_id=None):
            problem = "nothing was written, because the dispute changed while its documents were uploaded"
            raise NotClaimedError(problem, operation="PostDisputesDispute", is_lost=False)

    async def restore(self, record: Record, evidence: Mapping[str, Any], *, automatic: str | None) -> None:
        await self.call(
            "PostDisputesDispute",
            record.account,
            dispute=record.dispute,
            evidence=stripe_evidence.nested(self.contract, evidence) or None,
            intended_submission_method=automatic,
            submit=False,
        )

    async def concession(self, found: Snapshot, record: Record, ordinal: int) -> Answer:
        return await self.call(
            self.concedes_by,
            record.account,
            dispute=record.dispute,
            **{_KEY_HEADER: idempotency.final_key(self.name, found.dispute, "concede", ordinal)},
        )

    def is_conceded(self, found: Dispute) -> bool:
        return found.status == "lost"

    async def submission(self, approved: Snapshot, record: Record, ordinal: int) -> Answer:
        dispute = approved.dispute
        # Send every approved field again, so that the bank gets what was approved, even if more was staged
        # since.
        evidence = stripe_evidence.sendable(self.contract, approved.evidence)
        return await self.call(
            "PostDisputesDispute",
            dispute.account,
            dispute=record.dispute,
            evidence=evidence,
            submit=True,
            **{_KEY_HEADER: idempotency.final_key(self.name, dispute, "submit", ordinal)},
        )

    async def _upload(self, document: Document, account: str | None) -> str:
        """Upload a document, and return the file's id. The same document gets the same id again."""
        key = idempotency.upload_key(self.settings.connection, account, document.sha256, document.upload_name)
        request = self.request(
            "PostFiles",
            account,
            purpose="dispute_evidence",
            file=FilePart(document.upload_name, document.content, document.content_type),
        )
        answer = await self.send_under_own_key(request, key)
        return str(answer.data["id"])

    @cached_property
    def _details(self) -> list[str]:
        """What to expand in a dispute: its charge, and each document that is not in a list."""
        known = stripe_evidence.params(self.contract)
        names = [name for name, schema in known.items() if schema.get("x-kind") == "file"]
        return ["charge", *(f"evidence.{name}" for name in names)]

    def _snapshot(self, data: Mapping[str, Any], request_id: str | None, account: str | None) -> Snapshot:
        dispute = self._dispute(data, account)
        # At the appeal stage, the evidence of earlier stages is still there, but cannot be changed or
        # submitted. At the other stages, Stripe accepts no appeal.
        held = stripe_evidence.held(self.contract, data["evidence"])
        taken = [piece for piece in held if is_taken(self.contract, piece.name, dispute.stage)]
        return Snapshot(dispute, tuple(taken), request_id)

    async def _with_file_details(self, snapshot: Snapshot, account: str | None) -> Snapshot:
        """Read the name and size of each file in a list, which Stripe cannot expand in the dispute."""
        listed = lists(self.contract)
        if listed.isdisjoint([piece.name for piece in snapshot.evidence]):
            return snapshot

        async def detailed(piece: Evidence) -> Evidence:
            if piece.name not in listed or piece.id is None:
                return piece
            try:
                answer = await self.call("GetFilesFile", account, file=piece.id)
            except NotFoundError:
                return piece
            return stripe_evidence.piece_of(piece.name, answer.data, is_file=True) or piece

        return replace(snapshot, evidence=tuple([await detailed(piece) for piece in snapshot.evidence]))
