"""Find the cases of the disputes that are open at one API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from dispute_provider import _config as config
from dispute_provider._cases import documents as case_documents
from dispute_provider._cases import files as case_files
from dispute_provider._contracts import contract
from dispute_provider._documents import Renderer
from dispute_provider._evidence import stages
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.snapshot import Dispute


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open dispute and the case that was found for it."""

    dispute: Dispute
    case: Case
    case_digest: str


@dataclass(frozen=True, slots=True)
class OpenCases:
    """The cases of open disputes.

    :param found: the disputes with exactly one case.
    :param refused: paths of unreadable cases, and of the cases of a dispute that has several. Staging reports
        what is wrong with them in their records.
    :param disputes: ids of the open disputes with at least one case for their stage.
    :param unsuited: for each other open dispute that has a case, why the case has no evidence for its stage,
        by dispute id.
    """

    found: list[Candidate]
    refused: list[str]
    disputes: set[str]
    unsuited: dict[str, str]


def read_cases(provider: str, open_disputes: Mapping[str, Dispute], folder: str | None) -> OpenCases:
    """Read the cases of open disputes that can be answered; an unreadable case does not stop the others.

    :param provider: the name of the API, such as ``stripe``.
    :param open_disputes: the open disputes by id.
    :param folder: the folder of the cases; None for all of ``[dispute] case_roots``.
    """
    by_dispute: dict[str, list[Candidate]] = {}
    refused: list[str] = []
    unsuited: dict[str, str] = {}
    api = contract.load(provider)
    folders = [folder] if folder else config.case_roots()
    with Renderer() as renderer:
        for path in dict.fromkeys(chain.from_iterable(map(_paths, folders))):
            try:
                case = case_files.read_case(path, folders)
                dispute = open_disputes.get(case.dispute)
                if case.provider != provider or dispute is None:
                    continue
                if dispute.closed or dispute.unsupported:
                    continue
                if reason := stages.refusal(api, case, dispute.stage):
                    unsuited[dispute.id] = reason
                    continue
                documents = case_documents.read_documents(case, renderer, folders).found
                part, _ = stages.part_for(api, case, dispute.stage)
                candidate = Candidate(dispute, case, part.digest(documents))
            except Exception:  # staging reads it again and reports the error in its record
                refused.append(path)
            else:
                by_dispute.setdefault(dispute.id, []).append(candidate)
    for several in by_dispute.values():
        if len(several) > 1:
            refused += [candidate.case.source or "" for candidate in several]
    found = [several[0] for several in by_dispute.values() if len(several) == 1]
    return OpenCases(
        found,
        refused,
        set(by_dispute),
        {dispute: reason for dispute, reason in unsuited.items() if dispute not in by_dispute},
    )


def _paths(folder: str) -> Iterator[str]:
    """Yield the case files of a folder, or the folder if it cannot be listed, so that staging reports it."""
    try:
        yield from case_files.find_cases(folder)
    except Exception:  # file systems raise many types
        yield folder
