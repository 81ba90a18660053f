"""Check cases without a connection: what staging would say about each, its verdict and its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import NamedTuple

from dispute_provider import _config as config
from dispute_provider._cases import case_folders, files, lines
from dispute_provider._cases.case_folders import TEMPLATES, FoundCase, encodable
from dispute_provider._cases.checked import Checked
from dispute_provider._cases.checking_templates import check_template, check_templates, is_in_templates
from dispute_provider._cases.completing import complete
from dispute_provider._cases.documents import CaseDocuments, pieces, read_documents
from dispute_provider._cases.lines import CaseLine
from dispute_provider._cases.listing import list_folder
from dispute_provider._cases.preparing import Preparation, Unkept
from dispute_provider._cases.storage import ANYWHERE, find_root, is_local, storage_path
from dispute_provider._cases.templates import Templates
from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Contract
from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.letter_writer import LetterWriter
from dispute_provider._evidence import placeholders
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.completeness import PRODUCTS, Verdict, assess
from dispute_provider._evidence.documents import shown
from dispute_provider._evidence.facts import facts_of
from dispute_provider._evidence.limits import Limits, MeasuredDocument, usage
from dispute_provider._evidence.snapshot import Dispute
from dispute_provider._registry import APIS
from dispute_provider.exceptions import DisputeError

_READERS = 16
_NO_DISPUTE = "its name is not the id of a dispute; rename it"
# Drawn narrow: this shows whether a page can be drawn at all.
_WIDTH = 300


class _Found(NamedTuple):
    """A case that was found, and the API in whose folder it may be."""

    case: FoundCase
    api: str


@dataclass(frozen=True, slots=True)
class _Readers:
    renderer: Renderer
    preparation: Preparation
    templates: Templates
    writer: LetterWriter
    roots: Sequence[str]


def check(path: str, reason: str = "", network: str = "") -> list[Checked]:
    """Check a case file, the cases of a ``.jsonl`` file, a template, or all of a case root.

    :param reason: the reason of the disputes; by default, the verdict is given for every reason.
    :param network: the card network of the disputes; by default, the limits of most networks apply.
    """
    preparation = Preparation(Unkept(), config.prepare())
    templates = Templates([path, *config.case_roots()])
    with (
        Renderer() as renderer,
        LetterWriter() as writer,
        closing(preparation),
        ThreadPoolExecutor(_READERS) as threads,
    ):
        if is_in_templates(path):
            return [check_template(path, writer)]
        if path.rstrip("/").rpartition("/")[2] == TEMPLATES:
            return check_templates(path.rstrip("/"), writer)
        roots = _roots(path)
        readers = _Readers(renderer, preparation, templates, writer, roots)
        folder = f"{path.rstrip('/')}/{TEMPLATES}"
        of_templates = check_templates(folder, writer) if _is_folder(path) else []
        checked = [
            _check(each, readers, reason, network)
            for each in (lines.expanded([path], roots) if lines.is_lines(path) else _found(path, threads))
        ]
    several = {dispute for dispute, count in Counter(each.dispute for each in checked).items() if count > 1}
    checked = [_one_of_several(each, checked) if each.dispute in several else each for each in checked]
    return checked + of_templates


def _roots(path: str) -> Sequence[str]:
    """Return what a sweep may read: the case roots, or the folder itself if it is in none of them."""
    with suppress(Exception):  # file systems raise many types; reading it as a case reports the error
        if find_root(path, config.case_roots()):
            return config.case_roots()
    if _is_folder(path):
        return [path]
    return ANYWHERE if is_local(path) else [path.rpartition("/")[0]]


def _is_folder(path: str) -> bool:
    try:
        return storage_path(path).is_dir()
    except Exception:  # file systems raise many types; reading it as a case reports the error
        return False


def _misplaced(found: _Found, case: Case) -> str:
    """Return what is wrong with the place of a case; empty if nothing is."""
    address = found.case.address
    if not address or (found.api, address) == (case.provider, case.dispute):
        return ""
    return (
        f"it is at the address of {found.api} {address}, and for {case.provider} {shown(case.dispute)}; "
        "correct the case, or move it"
    )


def _one_of_several(checked: Checked, all_checked: list[Checked]) -> Checked:
    if not checked.dispute:
        return checked
    places = ", ".join(each.source for each in all_checked if each.dispute == checked.dispute)
    problem = f"several cases are for dispute {checked.dispute[1]}: {places}; keep one of them"
    return Checked(checked.source, (*checked.problems, problem), dispute=checked.dispute)


def _found(path: str, threads: ThreadPoolExecutor) -> list[_Found]:
    """Return the cases at a path, as a sweep of every API finds them."""
    try:
        entries = list_folder(path)
    except Exception:  # file systems raise many types; reading it as a case reports the error
        return [_Found(FoundCase(path), "")]
    areas = {each.name: each.path for each in entries if each.is_folder and each.name in APIS}
    found: dict[str, _Found] = {}
    for api in APIS:
        folders = [each for each in list_folder(areas[api]) if each.is_folder] if api in areas else []
        for folder in folders:
            if not case_folders.is_folder_name(folder.name):
                found[folder.path] = _Found(FoundCase(encodable(folder.path), ignored=_NO_DISPUTE), api)
        elsewhere = tuple(f"{area}/" for name, area in areas.items() if name != api)
        for each in case_folders.find(path, threads, api, [folder.name for folder in folders]):
            # Every folder is taken for that of an open dispute here, also for one of the other API.
            if not each.path.startswith(elsewhere) and (each.path not in found or each.address):
                found[each.path] = _Found(each, api)
    return [found[each] for each in sorted(found)]


def _check(found: _Found | CaseLine, readers: _Readers, reason: str, network: str) -> Checked:
    source = found.source if isinstance(found, CaseLine) else found.case.path
    if isinstance(found, _Found) and found.case.ignored:
        return Checked(source, ignored=found.case.ignored)
    dispute = None
    try:
        case = found.case() if isinstance(found, CaseLine) else files.read_case(source, readers.roots)
        dispute = (case.provider, case.dispute)
        if isinstance(found, _Found) and (misplaced := _misplaced(found, case)):
            return Checked(source, (misplaced,), "", dispute)
        case, notes = _completed(case, readers, reason, network)
        read = read_documents(case, readers.renderer, readers.roots, readers.preparation)
        problems = tuple(_undrawn(read, readers.renderer))
        return Checked(source, problems, "", dispute, (*notes, *_facts(case, read, reason, network)))
    except DisputeError as error:
        violations = getattr(error, "violations", None)
        return Checked(source, tuple(map(str, violations or (error,))), "", dispute)


def _completed(case: Case, readers: _Readers, reason: str, network: str) -> tuple[Case, list[str]]:
    """Return a case with the evidence of its template, as far as it is known without the API, and notes."""
    if not case.draft:
        return case, []
    if not case.draft.template and not reason:
        return case, ["template: the reason of the dispute decides; state it with --reason"]
    dispute = _dispute(case, reason, network)
    template = readers.templates.choose(case, dispute)
    facts = {**case.draft.facts, "dispute": facts_of(dispute, {})}
    completed = complete(case, template, facts, readers.writer)
    notes = [f"template: {template.name}"]
    for name, names in completed.missing:
        if lacking := [each for each in names if not each.startswith("dispute.")]:
            notes.append(f"note: {name} needs {', '.join(lacking)}")
    return completed.case, notes


def _undrawn(read: CaseDocuments, renderer: Renderer) -> Iterator[str]:
    for path, document in read.found.items():
        for page in range(1, (document.pages or 1) + 1):
            try:
                renderer.render(document.content, page, _WIDTH)
            except RenderingError as error:
                yield f"{shown(path)}: its page {page:,} cannot be drawn: {error}"
                break


def _facts(case: Case, read: CaseDocuments, reason: str, network: str) -> Iterator[str]:
    api = contract.load(case.provider)
    yield f"verdict: {verdict(api, case, reason, network)}"
    documents = [
        MeasuredDocument(name, len(document.content), document.pages, value.path)
        for _, name, value in pieces(read.case)
        if isinstance(value, FileReference) and (document := read.found.get(value.path))
    ]
    texts = [(e.name, e.value) for e in read.case.evidence if not isinstance(e.value, FileReference)]
    yield f"limits: {usage(Limits.of(api), documents, texts, network or None).text}"
    for note in read.notes:
        yield f"note: {note}"
    for name in read.unfilled:
        yield f"warning: {name} {placeholders.PROBLEM}; {placeholders.REMEDY}"


def verdict(api: Contract, case: Case, reason: str, network: str) -> str:
    """Return a case's verdict and what is missing; without a reason, the reasons with each verdict."""
    if reason:
        found = assess(api, _dispute(case, reason, network), case.product, case.evidence)
        missing = ", ".join(name for name, _ in found.missing)
        return f"{found.verdict}; missing: {missing}" if missing else str(found.verdict)
    table = api.document.get("x-completeness", {})
    reasons: dict[Verdict, list[str]] = {}
    for code in table.get("codes", {}):
        found = assess(api, _dispute(case, code, network), case.product, case.evidence)
        reasons.setdefault(found.verdict, []).append(code)
    given = [each for each in (Verdict.READY, Verdict.WEAK) if each in reasons]
    if not given:
        return "missing for every reason with recommended evidence"
    text = "; ".join(f"{each} for {', '.join(reasons[each])}" for each in given)
    return text if case.product in PRODUCTS else f"{text} (the case states no product)"


def _dispute(case: Case, reason: str, network: str) -> Dispute:
    """Return a dispute of which only the reason and the network are known."""
    return Dispute(
        provider=case.provider,
        account=None,
        id=case.dispute,
        stage="chargeback",
        status="",
        submissions=0,
        submitted=False,
        submitted_at=None,
        closed=None,
        due=None,
        amount=0,
        currency="usd",
        reason=reason,
        network_code=reason,
        network=network or None,
    )
