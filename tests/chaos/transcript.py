"""Keep the transcript of an episode for its judge: the sandbox's journal and final state, and all records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Piece = tuple[str, str]
"""The name of a piece of evidence, and what it is: a text, or a document's name and size."""
Pieces = tuple[Piece, ...]


def pieces_of(api: str, evidence: Any, files: dict[str, str]) -> Pieces:
    """What a submission of this would send, in an order of its own.

    :param evidence: as the sandbox describes it.
    :param files: name and size of Stripe's files by id.
    """
    if api == "stripe":
        return tuple(
            sorted((name, files.get(str(value)) or str(value)) for name, value in evidence.items() if value)
        )
    return tuple(sorted((item["evidenceType"], item_of(item)) for item in evidence))


def item_of(item: dict[str, Any]) -> str:
    """One of Moov's pieces, told apart by what it holds."""
    return item["text"] if "text" in item else f"{item['filename']}:{item['size']}"


@dataclass(frozen=True)
class Shown:
    """What stood in the sandbox when a form's maker read it."""

    at: float
    stage: str
    pieces: Pieces


@dataclass(frozen=True)
class Approval:
    """A person's yes in a review, and what they had seen. `run` is run and generation."""

    run: str
    review: str
    dispute: str
    at: float
    shown: Shown


@dataclass(frozen=True)
class Opening:
    """A dispute was opened anew, at another stage or at the same; `submissions`: how many it had by then."""

    at: float
    submissions: int


@dataclass(frozen=True)
class Completion:
    """A run, or a part of it that was cleared by hand, that came to its end.

    :param run: run and generation.
    """

    run: str
    started: float
    at: float
    records: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Replaced:
    """One of a colleague's texts that a request of ours has replaced.

    :param task: the name of its run, and the task.
    """

    at: float
    task: tuple[str, str]
    dispute: str
    name: str
    text: str


@dataclass(frozen=True)
class LedgerEnd:
    """The end of a final call in the ledger.

    :param run: empty if another task has ended the link, because the task that had claimed it was gone.
    """

    at: float
    run: str
    dispute: str
    state: str


@dataclass(frozen=True)
class Sweep:
    """What a sweep found that looked for cases where there are none.

    :param open: the disputes that were open at one of the APIs.
    :param named: those that the sweep named.
    """

    at: float
    open: frozenset[str]
    named: frozenset[str]


@dataclass
class Transcript:
    """All that the judge reads."""

    given: dict[str, list[str]] = field(default_factory=dict)
    """The disputes of each run."""
    approvals: list[Approval] = field(default_factory=list)
    concessions: list[Approval] = field(default_factory=list)
    """The same, of what people gave up."""
    completions: list[Completion] = field(default_factory=list)
    openings: dict[str, list[Opening]] = field(default_factory=dict)
    dues: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Each due date of a dispute, and from when on it was that."""
    unstaged: set[str] = field(default_factory=set)
    """The disputes whose last staging said that it had failed."""
    foreign: set[str] = field(default_factory=set)
    """Pieces on Moov that a colleague uploaded."""
    claimed_twice: set[tuple[str, str]] = field(default_factory=set)
    """Run and dispute, where two cases of one staging task are for the dispute."""
    contested: set[str] = field(default_factory=set)
    """The disputes that several staging tasks have different cases for."""
    wanted: dict[str, Counter[Piece]] = field(default_factory=dict)
    """How often each piece of a case is meant to be there."""
    disturbed: list[tuple[float, str, str]] = field(default_factory=list)
    """When somebody else touched a dispute (or a run, or everything: ``*``), and how."""
    broken: list[str] = field(default_factory=list)
    """Why a run came to no end."""
    files: dict[str, str] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    """What was found under ``[dispute] receipts`` at the end."""
    replaced: list[Replaced] = field(default_factory=list)
    ends: list[LedgerEnd] = field(default_factory=list)
    """The ends of final calls that the ledgers contain."""
    edited: set[tuple[str, str]] = field(default_factory=set)
    """Run and generation, and dispute, of reviews that were handed an edited record."""
    rejections: list[tuple[str, str]] = field(default_factory=list)
    """Run and generation, and dispute, of what a person rejected."""
    stagings: list[tuple[float, tuple[str, str], dict[str, Any]]] = field(default_factory=list)
    """All records that staging tasks have returned: when, the name of the run and the task, the record."""
    sweeps: list[Sweep] = field(default_factory=list)
    killed_submitting: set[str] = field(default_factory=set)
    """Runs and generations of which a worker was killed at the submission."""
    marked: set[str] = field(default_factory=set)
    """Runs and generations of which a task was marked as success by hand."""
    drawn: Counter[str] = field(default_factory=Counter)
    """What has happened around the workers, and how often."""
    two_ledgers: bool = False
    """Whether two deployments have no ledger in common."""
    crashes: int = 0
    connections_refused: int = 0
    gap_edits: int = 0
