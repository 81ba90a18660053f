"""Read and inspect single documents of a case, and prepare those that the API does not take as they are."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches

from dispute_provider._cases.file_names import is_case
from dispute_provider._cases.listing import list_names
from dispute_provider._cases.preparing import Preparation
from dispute_provider._cases.storage import NotAFileError, PathRefusedError, open_document
from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.card_numbers import REMEDY
from dispute_provider._documents.ladder import FLOOR
from dispute_provider._evidence import limits
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.case_entries import FileReference
from dispute_provider._evidence.case_errors import unreadable
from dispute_provider._evidence.documents import Document, Original, shown
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE
from dispute_provider._evidence.limits import Limits

LARGEST_ORIGINAL = 50_000_000
"""Bytes of a document that is read in order to prepare it. Photos of 48 megapixels have up to 30 MB."""
AT_THE_FLOOR = f"at {FLOOR.dpi} dpi and quality {FLOOR.quality}, below which small print is not legible"
_NO_FILE = "there is no such file"
# How alike two names must be for one to be meant by the other: receipt and receipt.pdf are.
_ALIKE = 0.75
_NOT_PREPARED = "it would have to be prepared, which is done when its case is staged", "stage the case"


class UnfitError(Exception):
    """A document that cannot be sent; a secret one stops its case even if it is optional.

    :param step: the step of preparing that may help; None, the default, if none does.
    """

    def __init__(
        self, problem: str, remedy: str, *, is_secret: bool = False, step: str | None = None
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.step = step
        self.is_secret = is_secret


class DocumentReader:
    """Reads the documents of one case."""

    def __init__(
        self,
        case: Case,
        roots: Sequence[str] | None,
        allowed: Limits,
        renderer: Renderer,
        preparation: Preparation | None,
    ) -> None:
        self._folder, self._roots = case.folder, roots
        # The mark says that it is a text, whatever it begins with.
        self._texts = {path: f"\ufeff{each.value}".encode() for path, each in case.texts.items()}
        self._allowed, self._renderer = allowed, renderer
        # Whatever can be shown can be a page of a joined PDF.
        self._allowed_in_joined = replace(allowed, types=tuple(BY_CONTENT_TYPE))
        self._preparation = preparation
        self._steps = preparation.steps(case.prepare) if preparation else case.prepare
        self._readable = LARGEST_ORIGINAL if self._steps else allowed.document_bytes

    @property
    def shrinks(self) -> bool:
        """Return whether documents are shrunk if they are too large."""
        return self._preparation is not None and "shrink" in self._steps

    def read(self, path: str, most: int | None = None, *, joined: bool = False) -> Document:
        """Read and inspect one document, and prepare it if the API does not take it as it is.

        :param most: bytes, to which it is shrunk if that is possible; by default, the API's limit.
        :param joined: whether it becomes part of a joined document, which takes more types; by default not.
        :raises UnfitError: if it cannot be sent.
        """
        allowed = self._allowed_in_joined if joined else self._allowed
        try:
            content = self._texts.get(path) or _read(self._folder, path, self._roots, self._readable)
            document = self._inspected(Document(path, content), allowed)
            if most is None or len(content) <= most:
                return document
        except UnfitError as unfit:
            if unfit.step is None:
                raise
            if unfit.step not in self._steps:
                remedy = f"{unfit.remedy}, or switch it on: prepare: [{unfit.step}]"
                raise UnfitError(unfit.problem, remedy) from None
        return self._prepared(path, content, allowed, allowed.document_bytes if most is None else most)

    def join(self, reference: FileReference, exhibits: Sequence[Document]) -> Document:
        """Return the document that is joined from exhibits; it may be too large for the API.

        :raises UnfitError: if they cannot be joined.
        """
        if self._preparation is None:
            raise UnfitError(*_NOT_PREPARED)
        captions = [each.caption for each in reference.exhibits]
        if (size := sum(len(each.content) for each in exhibits)) > LARGEST_ORIGINAL:
            raise UnfitError(*limits.too_large(size, LARGEST_ORIGINAL))
        try:
            joined = self._preparation.join(list(zip(captions, exhibits, strict=True)))
        except RenderingError as error:
            raise UnfitError(error.problem, error.remedy) from None
        document = Document(reference.path, joined.content, exhibits=tuple(exhibits), lost=joined.done)
        return self._inspected(document, replace(self._allowed, document_bytes=LARGEST_ORIGINAL))

    def _prepared(self, path: str, content: bytes, allowed: Limits, most: int) -> Document:
        if self._preparation is None:
            raise UnfitError(*_NOT_PREPARED)
        try:
            prepared = self._preparation.prepare(content, self._steps, allowed.types, most)
        except RenderingError as error:
            raise UnfitError(error.problem, error.remedy) from None
        size, made = len(content), len(prepared.content)
        if self.shrinks and made > allowed.document_bytes:
            raise UnfitError(
                f"it has {size:,} bytes, {made:,} {AT_THE_FLOOR}, "
                f"and the limit is {allowed.document_bytes:,}",
                "crop it, or split it into several documents",
            )
        if not prepared.done:
            return self._inspected(Document(path, content), allowed)
        original = Original(hashlib.sha256(content).hexdigest(), size, prepared.done)
        return self._inspected(Document(path, prepared.content, prepared_from=original), allowed)

    def _inspected(self, document: Document, allowed: Limits) -> Document:
        try:
            inspection = self._renderer.inspect(document.content, document.sha256)
        except RenderingError as error:
            raise UnfitError(error.problem, error.remedy, step=error.step) from None
        size, kind = len(document.content), inspection.content_type
        if problem := limits.unfit(allowed, size, kind):
            step = "convert" if kind not in allowed.types else "shrink"
            raise UnfitError(*problem, step=step)
        if inspection.card_number:
            raise UnfitError("it holds a card number", REMEDY, is_secret=True)
        return document.inspected(inspection)


def _read(folder: str | None, path: str, roots: Sequence[str] | None, most: int) -> bytes:
    if folder is None:
        raise UnfitError("the case has no folder to read documents from", "name the folder")
    try:
        with open_document(folder, path, [folder] if roots is None else roots) as opened:
            content = opened.read(most + 1)
            size = len(content)
            if size > most:
                size = opened.seek(0, os.SEEK_END)
    except NotAFileError:
        raise UnfitError(_NO_FILE, _meant(folder, path)) from None
    except PathRefusedError as error:
        raise UnfitError(error.problem, error.remedy) from None
    except IsADirectoryError:
        raise UnfitError("it is a folder", "name the files in it, each on its own or as exhibits") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UnfitError(_NO_FILE, _meant(folder, path)) from None
    except Exception as error:  # file systems raise many types
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise UnfitError(_NO_FILE, _meant(folder, path)) from None
        if isinstance(error, OSError):
            raise UnfitError(*unreadable(error)) from None
        what = f"it cannot be read: {type(error).__name__}"
        raise UnfitError(what, "check its name and permissions") from None
    if size > most:
        problem, remedy = limits.too_large(size, most)
        raise UnfitError(problem, remedy, step="shrink" if size <= LARGEST_ORIGINAL else None)
    return content


def _meant(folder: str, path: str) -> str:
    """Return what to do about a document that is missing: name the one that is meant, or put it there."""
    names = {}
    if "/" not in path:
        with suppress(Exception):  # file systems raise many types
            names = {name.casefold(): name for name in sorted(list_names(folder)) if not is_case(name)}
    close = get_close_matches(path.strip().casefold(), names, n=1, cutoff=_ALIKE)
    return f"did you mean {shown(names[close[0]])}?" if close else "put it in the case's folder"
