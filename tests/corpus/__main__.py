"""Draw documents with our child process and with pdftoppm, and report what ours lacks and does not say."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.preparing import Preparer
from dispute_provider._evidence.file_types import BY_CONTENT_TYPE, PDF
from tests.corpus import files
from tests.corpus.pages import MOST, NotDrawnError, Page, compared

_SHELF = Path(".corpus")
_STEPS = ("clean", "convert")
_LARGEST = 50_000_000


@dataclass(frozen=True, slots=True)
class _Way:
    """One form of a document that a reviewer may see.

    :param reference: the file that pdftoppm draws.
    """

    name: str
    content: bytes
    reference: Path
    pages: int

    @property
    def sha256(self) -> str:
        """Return the digest of the file that pdftoppm draws."""
        return hashlib.sha256(self.reference.read_bytes()).hexdigest()


@dataclass(slots=True)
class _Counts:
    """What was found in all documents."""

    documents: int = 0
    pages: int = 0
    wrong: int = 0
    unnamed: int = 0
    tiles: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class _Comparison:
    """Compares documents, and prints each page that differs as soon as it is drawn."""

    def __init__(self, renderer: Renderer, preparer: Preparer, folder: Path, kept: Path | None) -> None:
        self._renderer, self._preparer = renderer, preparer
        self._folder, self._kept = folder, kept
        self._known = files.known_pages()
        self.counts = _Counts()

    def see(self, name: str, file: Path, *, every_way: bool) -> None:
        """Compare all pages of a document.

        :param every_way: whether it is compared as it is, prepared, and joined, instead of in the first of
            these ways that a case can use.
        """
        self.counts.documents += 1
        for way in self._ways(name, file, every_way=every_way):
            for number in range(1, way.pages + 1):
                self._see_page(name, way, number)

    def _see_page(self, name: str, way: _Way, number: int) -> None:
        where = f"{name}, {way.name}, page {number}"
        self.counts.pages += 1
        try:
            known = self._known.get((way.sha256, number))
            page = compared(self._renderer, way.content, way.reference, number, known, self._kept)
        except NotDrawnError:
            self.counts.refused["pdftoppm draws nothing"] += 1
            print(f"{where}: pdftoppm draws nothing")
        except RenderingError as error:
            self.counts.refused[error.problem] += 1
            print(f"{where}: refused: {error.problem}")
        else:
            self._count(where, page)

    def _count(self, where: str, page: Page) -> None:
        self.counts.tiles += len(page.lost)
        if page.is_wrong:
            self.counts.wrong += 1
            print(
                f"{where}: WRONG: {len(page.lost)} tiles have ink in pdftoppm's drawing only, without a note"
            )
        elif page.lost:
            said = page.note or page.known
            print(f"{where}: {len(page.lost)} tiles have ink in pdftoppm's drawing only: {said}")
        if page.differs:
            self.counts.reasons[page.reason or "no known reason"] += 1
            self.counts.unnamed += page.reason is None
            print(f"{where}: differs by {page.difference:.1f}: {page.reason or 'NO KNOWN REASON'}")

    def _ways(self, name: str, file: Path, *, every_way: bool) -> Iterator[_Way]:
        content = file.read_bytes()
        if (plain := self._readable(content, f"{name}, as it is")) and content.startswith(PDF.starts):
            yield _Way("as it is", content, file, plain)
        if plain and not every_way:
            return
        try:
            prepared = self._preparer.prepare(content, _STEPS, tuple(BY_CONTENT_TYPE), _LARGEST).content
        except RenderingError as error:
            self._refuse(f"{name}, prepared", error)
            return
        pages = self._readable(prepared, f"{name}, prepared")
        if pages and prepared != content and prepared.startswith(PDF.starts):
            # What was no PDF before is compared with pdftoppm's drawing of the prepared one.
            is_pdf = b"%PDF-" in content[:1024]
            yield _Way("prepared", prepared, file if is_pdf else self._written(name, prepared), pages)
        if pages and every_way:
            yield from self._joined(name, prepared)

    def _joined(self, name: str, prepared: bytes) -> Iterator[_Way]:
        try:
            joined = self._preparer.join([("Exhibit", prepared)]).content
        except RenderingError as error:
            self._refuse(f"{name}, joined", error)
            return
        if pages := self._readable(joined, f"{name}, joined"):
            yield _Way("joined", joined, self._written(name, joined), pages)

    def _written(self, name: str, content: bytes) -> Path:
        file = self._folder / f"{Path(name).name}-{len(content)}.pdf"
        file.write_bytes(content)
        return file

    def _readable(self, content: bytes, where: str) -> int:
        """Return the pages of a document; 0 if it is refused."""
        try:
            return self._renderer.inspect(content).pages
        except RenderingError as error:
            self._refuse(where, error)
            return 0

    def _refuse(self, where: str, error: RenderingError) -> None:
        self.counts.refused[error.problem] += 1
        print(f"{where}: refused: {error.problem}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help="documents to compare as they are, prepared and joined; default: the corpus",
    )
    parser.add_argument(
        "--clones", type=Path, help="clones of the repositories, as owner/name, instead of GitHub"
    )
    parser.add_argument(
        "--pictures", type=Path, help="a folder for the two drawings of each page that differs"
    )
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with Renderer() as renderer, Preparer() as preparer, tempfile.TemporaryDirectory() as folder:
        comparison = _Comparison(renderer, preparer, Path(folder), options.pictures)
        missing = 0
        if options.folder:
            for file in sorted(each for each in options.folder.iterdir() if each.is_file()):
                comparison.see(file.name, file, every_way=True)
        else:
            missing = _see_corpus(comparison, options.clones)
    return _report(comparison.counts, missing)


def _see_corpus(comparison: _Comparison, clones: Path | None) -> int:
    """Compare all documents of the corpus, and return how many could not be fetched."""
    missing = 0
    for entry in files.entries():
        try:
            file = files.fetched(entry, _SHELF, clones)
        except (OSError, ValueError) as error:
            missing += 1
            print(f"{entry.repository}/{entry.path}: not fetched: {error}")
        else:
            comparison.see(f"{entry.repository}/{entry.path}", file, every_way=False)
    return missing


def _report(counts: _Counts, missing: int) -> int:
    print(f"\n{counts.documents} documents, {counts.pages} pages, {missing} documents not fetched")
    for problem, count in counts.refused.most_common():
        print(f"  {count:5}  refused: {problem}")
    print(f"pages that differ by more than {MOST:g} of 255: {counts.reasons.total()}")
    for reason, count in counts.reasons.most_common():
        print(f"  {count:5}  {reason}")
    print(f"tiles with ink in pdftoppm's drawing only: {counts.tiles}")
    print(f"pages with such tiles and without a note: {counts.wrong}")
    return 1 if missing or counts.wrong or counts.unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
