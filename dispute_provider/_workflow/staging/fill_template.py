"""Complete a case from its template, with the facts that the API has about its dispute."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from dispute_provider._apis.api import Api
from dispute_provider._cases.completing import complete
from dispute_provider._cases.templates import Templates
from dispute_provider._documents.letter_writer import LetterWriter
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.facts import facts_of
from dispute_provider._evidence.record import Record
from dispute_provider._evidence.snapshot import Snapshot
from dispute_provider._explain.labels import label
from dispute_provider._workflow.refusals import cannot_be_answered
from dispute_provider.exceptions import InvalidCaseError, Violation


class TemplateFiller:
    """Completes cases from templates.

    :param templates: the templates.
    :param writer: writes their texts.
    """

    def __init__(self, templates: Templates, writer: LetterWriter) -> None:
        self._templates, self._writer = templates, writer

    async def fill(self, api: Api, case: Case, record: Record, found: Snapshot) -> tuple[Case, Record]:
        """Return a case with the evidence of its template, and its record with what that lacks.

        A case whose dispute cannot be answered is returned as it is.

        :param found: the dispute.
        :raises InvalidCaseError: if no template suits, it is faulty, what it writes breaks a limit, or it can
            write nothing for lack of facts.
        :raises ApiError: if the dispute's payment cannot be read.
        """
        assert case.draft
        if cannot_be_answered(record.seen(found), found):
            return case, record
        dispute = found.dispute
        payment = await api.payment_facts(dispute, case.account)
        facts = {**case.draft.facts, "dispute": facts_of(dispute, payment)}
        template = await asyncio.to_thread(self._templates.choose, case, dispute)
        completed = await asyncio.to_thread(complete, case, template, facts, self._writer)
        if completed.missing and not completed.case.evidence:
            lacking = ", ".join(dict.fromkeys(name for _, names in completed.missing for name in names))
            problem = f"the template {template.name} lacks facts: {lacking}"
            raise InvalidCaseError(case.source or case.dispute, [Violation("/facts", problem, "add them")])
        missing = tuple(
            f"{label(name, record.provider)}: template {template.name} needs {', '.join(names)}"
            for name, names in completed.missing
        )
        return completed.case, replace(record, notes=(*record.notes, completed.note), missing=missing)
