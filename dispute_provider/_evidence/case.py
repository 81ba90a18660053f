"""Define a case: one dispute's evidence as its owner keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dispute_provider._contracts.evidence_fields import SEPARATOR
from dispute_provider._contracts.json_data import holds_json
from dispute_provider._evidence.case_checks import case_violations, evidence_violations, without_lengths
from dispute_provider._evidence.case_entries import Entry, FileReference, entries_of
from dispute_provider._evidence.case_errors import dispute_id, name_of, reading
from dispute_provider._evidence.case_size import excess
from dispute_provider._evidence.documents import Document, shown
from dispute_provider._evidence.snapshot import sha256_of
from dispute_provider.exceptions import InvalidCaseError


@dataclass(frozen=True, slots=True)
class Draft:
    """A case that a template completes.

    :param template: the name of the template; None for the one that suits the dispute best.
    :param given: the case as its owner gives it.
    """

    template: str | None
    given: Mapping[str, Any] = field(repr=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.given.get("facts", {})
        return facts

    @property
    def evidence(self) -> Mapping[str, Any]:
        evidence: Mapping[str, Any] = self.given["evidence"]
        return evidence


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute's evidence.

    :param provider: the name of the API, such as ``stripe``.
    :param dispute: the API's id of the dispute.
    :param evidence: the fields and documents, by the API's own names.
    :param account: the account that the dispute belongs to, for an API that has accounts; None for the
        connection's account.
    :param prepared_by: the person who prepared the evidence.
    :param customer_contacted: whether the customer was contacted first; None if the case does not state it.
    :param product: ``physical``, ``digital`` or ``service``; None if the case does not state it.
    :param metadata: keys and values that are written to the dispute, if the API takes any.
    :param prepare: the steps by which its documents may be prepared: ``clean``, ``convert``, ``shrink``.
    :param draft: what a template completes; None, the default, for a case without a template.
    :param basis: sha256 of the template and the facts, once the template is known; None without a template.
    :param folder: the folder of its documents; None for a case that was not read from a file.
    :param source: the file it was read from; None for a case that was not read from a file.
    :param has_long_texts: whether it has texts that have to become documents, which it switched on.
    :param texts: the texts that became documents, by the paths of those; empty by default.
    """

    provider: str
    dispute: str
    evidence: tuple[Entry, ...] = field(repr=False)
    account: str | None = None
    prepared_by: str | None = None
    customer_contacted: bool | None = None
    product: str | None = None
    metadata: Mapping[str, str] | None = field(default=None, repr=False)
    prepare: tuple[str, ...] = ()
    draft: Draft | None = None
    basis: str | None = None
    folder: str | None = None
    source: str | None = None
    has_long_texts: bool = False
    texts: Mapping[str, Entry] = field(default_factory=dict, repr=False)

    @property
    def moved(self) -> tuple[Entry, ...]:
        """Return the texts that became documents of another field."""
        return tuple(
            text for entry in self.evidence for text in self._texts_of(entry) if text.name != entry.name
        )

    def _texts_of(self, entry: Entry) -> list[Entry]:
        paths = entry.value.files if isinstance(entry.value, FileReference) else ()
        return [self.texts[path] for path in paths if path in self.texts]

    @property
    def names(self) -> list[str]:
        """Return the names of its evidence, in their order."""
        return [entry.name for entry in self.evidence]

    @property
    def files(self) -> tuple[FileReference, ...]:
        return tuple(entry.value for entry in self.evidence if isinstance(entry.value, FileReference))

    def digest(self, documents: Mapping[str, Document]) -> str:
        """Return the sha256 of the case with its documents, which changes with any of them.

        What a template adds counts as the template and the facts, so that the digest is known before. A
        prepared document counts as what it was prepared from and by which of the case's steps: how small it
        had to become does not change the case.

        :param documents: by the paths that the case names; a path without a document is hashed as absent.
        """
        entries = [
            [entry.name, _identity(entry.value, documents.get(entry.value.path))]
            if isinstance(entry.value, FileReference)
            else [entry.name, entry.value]
            # A text counts as it was given, whatever document it became.
            for given in self.evidence
            for entry in self._texts_of(given) or [given]
            if not entry.written
        ]
        rest = [each for each in (self.basis, sorted(self.prepare)) if each]
        return sha256_of([self.provider, self.dispute, self.account, entries, self.metadata, *rest])

    @classmethod
    def parse(
        cls,
        data: Any,
        *,
        folder: str | None = None,
        source: str | None = None,
        always: Callable[[], Collection[str]] = tuple,
    ) -> Case:
        """Check the data of a file, a row or a form, and return it as a case.

        :param source: its name in errors; by default, its dispute.
        :param always: returns the steps of preparing that are switched on for every case; by default, none.
        :raises InvalidCaseError: with every violation of the case schema and of the API's limits, or with the
            size limit that it exceeds. No other exception is raised.
        """
        with reading(source or name_of(data)):
            return cls._parse(data, folder, source, always)

    @classmethod
    def _parse(
        cls, data: Any, folder: str | None, source: str | None, always: Callable[[], Collection[str]]
    ) -> Case:
        name = source or name_of(data)
        if too_much := excess(data):
            raise InvalidCaseError(shown(name), [too_much])
        data = _in_plain_types(data)
        found = case_violations(data)
        draft = None
        if isinstance(data, Mapping) and data.keys() & {"template", "facts"}:
            data = {"evidence": {}, **data}
            draft = Draft(data.get("template"), data)
        entries: tuple[Entry, ...] = ()
        has_long_texts = False
        # What is said about the rest of a case must not hide what is wrong with its evidence.
        unsound = {each.pointer for each in found} & {"/provider", "/evidence"}
        if isinstance(data, Mapping) and {"provider", "evidence"} <= data.keys() and not unsound:
            entries = entries_of(data["provider"], data["evidence"])
            about_evidence = evidence_violations(data)
            if about_evidence:
                about_evidence, has_long_texts = without_lengths(data, entries, about_evidence, always)
            found += about_evidence
        if found:
            raise InvalidCaseError(shown(name), found)
        return cls(
            provider=data["provider"],
            dispute=dispute_id(data["dispute"]),
            evidence=entries,
            account=data.get("account"),
            prepared_by=data.get("prepared_by"),
            customer_contacted=data.get("customer_contacted"),
            product=data.get("product"),
            metadata=data.get("metadata"),
            prepare=tuple(data.get("prepare", ())),
            draft=draft,
            folder=folder,
            source=source,
            has_long_texts=has_long_texts,
        )

    def completed(
        self, evidence: Mapping[str, Any], basis: str, always: Callable[[], Collection[str]] = tuple
    ) -> Case:
        """Return the case with the evidence of a template, checked like any other.

        :param evidence: what the template adds, by the API's names; the case's own evidence has precedence.
        :param basis: sha256 of the template and the facts.
        :param always: see :meth:`parse`.
        :raises InvalidCaseError: with every violation.
        """
        assert self.draft
        own = self.draft.evidence
        case = Case.parse(
            {**self.draft.given, "evidence": {**evidence, **own}},
            folder=self.folder,
            source=self.source,
            always=always,
        )
        entries = [
            Entry(entry.name, entry.value, entry.name.partition(SEPARATOR)[0] not in own)
            for entry in case.evidence
        ]
        return replace(case, evidence=tuple(entries), basis=basis)


def _identity(reference: FileReference, document: Document | None) -> Any:
    """Return what stands for a document in the digest of a case; None if it is absent."""
    if document is None or not document.exhibits:
        return document and document.original
    captions = [each.caption for each in reference.exhibits]
    return [list(each) for each in zip(captions, [part.original for part in document.exhibits], strict=True)]


def _in_plain_types(data: Any) -> Any:
    """Return a case in JSON's own types, because the encoder refuses subclasses of str and the like."""
    try:
        return data if holds_json(data) else json.loads(json.dumps(data))
    except (TypeError, ValueError, RecursionError):
        # The schema reports the wrong type with its pointer.
        return data
