"""Find the cases of the disputes that are open at one API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from dispute_provider import _config as config
from dispute_provider._cases import case_folders
from dispute_provider._cases import documents as case_documents
from dispute_provider._cases import files as case_files
from dispute_provider._cases.case_folders import FoundCase
from dispute_provider._cases.known_cases import KnownCases, key_of
from dispute_provider._cases.preparing import Preparation
from dispute_provider._cases.templates import Templates
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer
from dispute_provider._evidence import stages
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_errors import dispute_id, name_of
from dispute_provider._evidence.case_size import LARGEST_CASE
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider.exceptions import InvalidCaseError

# Folders and files read at the same time. Documents of as many cases are in memory.
_READERS = 16


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open dispute and the case that was found for it.

    :param item: what staging is given: the path of a case file, or a reference.
    """

    dispute: Dispute
    case: Case
    case_digest: str
    item: Any


@dataclass(frozen=True, slots=True)
class _Unsuited:
    """A case that cannot answer an open dispute.

    :param misplaced: whether it is at the dispute's address but for another dispute.
    """

    dispute: str
    reason: str
    misplaced: bool = False


@dataclass(frozen=True, slots=True)
class _Refused:
    """A case that cannot be read.

    :param item: see :class:`Candidate`.
    :param dispute: the dispute that its place or its contents name; None, the default, if neither does.
    """

    item: Any
    dispute: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that is not read as the case of any open dispute, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenCases:
    """The cases of open disputes.

    :param found: the disputes with exactly one case.
    :param refused: unreadable cases, and the cases of a dispute that has several, as staging is given them.
        It reports what is wrong with them in their records.
    :param disputes: ids of the open disputes with at least one case for their stage.
    :param unsuited: for each other open dispute that has a case, why the case cannot answer it, by dispute
        id.
    :param ignored: files that look like a case but are not read as one, and refused cases that name no open
        dispute.
    :param broken: ids of the open disputes whose unreadable case is known to be theirs.
    """

    found: list[Candidate] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    disputes: set[str] = field(default_factory=set)
    unsuited: dict[str, str] = field(default_factory=dict)
    ignored: list[Ignored] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def without_case(self, disputes: Mapping[str, Dispute]) -> dict[str, Dispute]:
        """Return the disputes that can be answered and have no case here for their stage, by id."""
        known = {*self.disputes, *self.broken}
        return {each: dispute for each, dispute in _answerable(disputes).items() if each not in known}

    def and_then(self, later: OpenCases) -> OpenCases:
        """Return these cases together with those of a later source for other disputes."""
        return OpenCases(
            [*self.found, *later.found],
            [*self.refused, *later.refused],
            self.disputes | later.disputes,
            {**later.unsuited, **self.unsuited},
            [*self.ignored, *later.ignored],
            self.broken | later.broken,
        )


@dataclass(frozen=True, slots=True)
class GivenCase:
    """A case that a source made, which is in no file.

    :param item: see :class:`Candidate`.
    :param dispute: the dispute that it says it is for.
    :param read: returns the case; it raises InvalidCaseError with every violation.
    """

    item: Any
    dispute: str
    read: Callable[[], Case]


def read_cases(
    provider: str,
    open_disputes: Mapping[str, Dispute],
    folder: str | None,
    known: KnownCases,
    preparation: Preparation | None = None,
) -> OpenCases:
    """Read the cases of open disputes that can be answered; an unreadable case does not stop the others.

    :param provider: the name of the API, such as ``stripe``.
    :param open_disputes: the open disputes by id.
    :param folder: the folder of the cases; None for all of ``[dispute] case_roots``.
    :param known: what earlier sweeps read; what this one reads is added to it.
    :param preparation: prepares documents; None, the default, prepares none.
    """
    folders = [folder] if folder else config.case_roots()
    answerable = _answerable(open_disputes)
    with Renderer() as renderer, ThreadPoolExecutor(_READERS) as threads:
        found = [each for root in folders for each in case_folders.find(root, threads, provider, answerable)]
        reader = _Reader(provider, answerable, folders, known, renderer, preparation)
        # Two roots may contain one folder.
        results = list(threads.map(reader.read, {each.path: each for each in found}.values()))
    return _sorted(results)


def read_given(
    provider: str,
    open_disputes: Mapping[str, Dispute],
    given: Iterable[GivenCase],
    known: KnownCases,
    preparation: Preparation | None = None,
) -> OpenCases:
    """Read cases that a source made; see :func:`read_cases`."""
    with Renderer() as renderer, ThreadPoolExecutor(_READERS) as threads:
        reader = _Reader(
            provider, _answerable(open_disputes), config.case_roots(), known, renderer, preparation
        )
        return _sorted(list(threads.map(reader.read_given, given)))


def _answerable(open_disputes: Mapping[str, Dispute]) -> dict[str, Dispute]:
    return {
        dispute.id: dispute
        for dispute in open_disputes.values()
        if not dispute.closed and not dispute.unsupported
    }


def _sorted(results: list[_Result]) -> OpenCases:
    by_dispute: dict[str, list[Candidate]] = {}
    refused = [each.item for each in results if isinstance(each, _Refused)]
    unsuited = [each for each in results if isinstance(each, _Unsuited)]
    misplaced = {each.dispute: each.reason for each in unsuited if each.misplaced}
    for each in results:
        # It is unclear which of the two cases is meant for the dispute.
        if isinstance(each, Candidate) and each.dispute.id not in misplaced:
            by_dispute.setdefault(each.dispute.id, []).append(each)
    for several in by_dispute.values():
        if len(several) > 1:
            refused += [candidate.item for candidate in several]
    reasons = {each.dispute: each.reason for each in unsuited if each.dispute not in by_dispute}
    return OpenCases(
        [several[0] for several in by_dispute.values() if len(several) == 1],
        refused,
        set(by_dispute),
        {**reasons, **misplaced},
        [each for each in results if isinstance(each, Ignored)],
        {each.dispute for each in results if isinstance(each, _Refused) and each.dispute},
    )


_Result = Candidate | _Unsuited | _Refused | Ignored | None


class _Reader:
    """Reads the cases of one API's open disputes; threads may share it.

    :param open_disputes: those that can be answered.
    """

    def __init__(
        self,
        provider: str,
        open_disputes: Mapping[str, Dispute],
        folders: list[str],
        known: KnownCases,
        renderer: Renderer,
        preparation: Preparation | None,
    ) -> None:
        self._provider = provider
        self._api = contract.load(provider)
        self._open = open_disputes
        self._open_keys = {key_of(provider, dispute) for dispute in open_disputes}
        names = [(each, name) for each in open_disputes.values() for name in (each.id, each.charge) if name]
        self._by_other_name = {name.casefold(): each.id for each, name in names}
        self._folders = folders
        self._known = known
        self._renderer = renderer
        self._preparation = preparation
        self._templates = Templates(config.case_roots())

    def read(self, found: FoundCase) -> _Result:
        """Read a case; return None if it is for none of the open disputes."""
        if found.ignored:
            return Ignored(found.path, found.ignored)
        try:
            return self._read(found)
        except InvalidCaseError as error:
            if not found.address and self._names_none_of_them(found.path):
                return Ignored(found.path, f"it is refused, and names no open dispute: {error.violations[0]}")
            return _Refused(found.path, found.address or self._dispute_of(found.path))
        except Exception:  # staging reads it again and reports the error in its record
            return _Refused(found.path, found.address)

    def read_given(self, given: GivenCase) -> _Result:
        """Read a case that a source made; return None if it is for none of the open disputes."""
        try:
            case = given.read()
            return self._suited(FoundCase(case.source or ""), case, given.item)
        except Exception:  # as above
            return _Refused(given.item, given.dispute)

    def _read(self, found: FoundCase) -> _Result:
        key = key_of(found.path, found.version) if found.version and not found.address else None
        named = self._known.recall(key)
        if named and named not in self._open_keys:
            return None
        case = case_files.read_case(found.path, self._folders)
        if not found.address and case.provider == self._provider and (meant := self._meant(case.dispute)):
            return Ignored(found.path, f"it is for {shown(case.dispute)}; did you mean the dispute {meant}?")
        self._known.keep(key, key_of(case.provider, case.dispute))
        if found.address and (case.provider, case.dispute) != (self._provider, found.address):
            return _Unsuited(found.address, _misplaced(found.path, case), misplaced=True)
        return self._suited(found, case, found.path)

    def _meant(self, dispute: str) -> str | None:
        """Return the open dispute that a case names by its payment or in other letters, if any."""
        if dispute in self._open:
            return None
        return self._by_other_name.get(dispute.strip("'\"‘’“”,;\u200b\ufeff").casefold())

    def _suited(self, found: FoundCase, case: Case, item: Any) -> Candidate | _Unsuited | None:
        dispute = self._open.get(case.dispute)
        if case.provider != self._provider or dispute is None:
            return None
        names = case.names
        if case.draft:
            template = self._templates.choose(case, dispute)
            case = replace(case, basis=template.basis(case))
            names = [*names, *template.evidence]
        if reason := stages.refusal(self._api, names, dispute.stage):
            return _Unsuited(dispute.id, reason)
        return Candidate(dispute, case, self._digest(found, case, dispute.stage), item)

    def _names_none_of_them(self, path: str) -> bool:
        """Return whether a refused file contains the id of no open dispute; False if it cannot be read."""
        try:
            with case_files.open_case_file(path, self._folders) as opened:
                content = opened.read(LARGEST_CASE).replace(b"\0", b"").lower()
        except Exception:  # file systems raise many types
            return False
        return not any(dispute.lower().encode() in content for dispute in self._open)

    def _dispute_of(self, path: str) -> str | None:
        """Return the open dispute that a refused case is for; None if it does not say."""
        try:
            named = dispute_id(name_of(case_files.read_file(path, self._folders).data))
        except InvalidCaseError:
            return None
        return named if named in self._open else None

    def _digest(self, found: FoundCase, case: Case, stage: str) -> str:
        """Return the digest of a case's part for a stage; its documents are read only if one has changed."""
        key = self._key(found, case, stage)
        if digest := self._known.recall(key):
            return digest
        read = case_documents.read_documents(case, self._renderer, self._folders, self._preparation)
        part, _ = stages.part_for(self._api, read.case, stage)
        digest = part.digest(read.found)
        self._known.keep(key, digest)
        return digest

    def _key(self, found: FoundCase, case: Case, stage: str) -> str | None:
        documents = []
        for reference in case.files:
            captions = [each.caption for each in reference.exhibits]
            for path in reference.files:
                version = found.document_version(case.folder or "", path)
                if version is None:
                    return None
                documents.append([path, reference.optional, captions, version])
        steps = self._preparation.steps(case.prepare) if self._preparation else ()
        return key_of(found.path, stage, case.digest({}), documents, steps)


def _misplaced(path: str, case: Case) -> str:
    return (
        f"the case at its address, {path}, is for the {case.provider} dispute {case.dispute}. "
        "To do: correct the provider and the dispute in the case, or move it to that dispute's address"
    )
