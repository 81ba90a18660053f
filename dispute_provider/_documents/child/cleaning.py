"""Make clean copies: without what keeps a document from being accepted, never without content."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from dispute_provider._documents.child import jpegs
from dispute_provider._documents.child.polyglots import opens_as_pdf
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG, PDF, name_other, recognize, start_of

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

_ACTIVE = ("/JavaScript", "/Launch")
_LONGEST_NAME = 100
_SHOWN_FILES = 20
_END = b"%%EOF"
# What qpdf says about a file whose end is lost, or whose table of objects is elsewhere, but no content.
_ABOUT_THE_END = re.compile(
    r"can't find startxref|startxref was more than|xref not found|file is damaged"
    r"|[Aa]ttempting to reconstruct|recovered trailer"
)
_REFERENCE = re.compile(rb"\b(\d+) (\d+) R\b")


def warm_up() -> None:
    """Use qpdf once, which opens its source of random numbers then."""
    if pikepdf:
        written = io.BytesIO()
        with pikepdf.new() as document:
            document.add_blank_page()
            document.save(written, encryption=pikepdf.Encryption(owner="owner", R=6))
        _clean_pdf(written.getvalue())


def clean(content: bytes) -> tuple[bytes, list[Done]]:
    """Return a PDF or a JPEG without what keeps it from being accepted, and what was done.

    Other files are returned as they are. A JPEG inside a scan as TIFF, or the thumbnail in another picture or
    a ZIP archive, is not the document.

    :raises Refused: see :func:`_clean_pdf`.
    """
    if opens_as_pdf(content):
        return _clean_pdf(content)
    start = start_of(JPEG, content) if recognize(content) in (None, JPEG) else None
    return (content, []) if start is None or name_other(content) else _clean_jpeg(content, start)


def _clean_jpeg(content: bytes, start: int) -> tuple[bytes, list[Done]]:
    """Return a JPEG without the bytes before and after the picture."""
    picture = content[start:]
    end = jpegs.end(picture)
    done = [Done("before", (start,))] if start else []
    if end < len(picture):
        film = b"ftyp" in picture[end:]
        done.append(Done("film" if film else "after", (len(picture) - end,)))
    return picture[:end], done


def _clean_pdf(content: bytes) -> tuple[bytes, list[Done]]:
    """Return a PDF as a new file with the same pages, and what was done.

    The password for changes, scripts, attached files and the bytes around the file are left out.

    :raises Refused: if it is a part of another file or a portfolio, needs a password, or has lost content.
    """
    if not pikepdf:
        raise Refused(Refusal.NO_PACKET)
    if (start := start_of(PDF, content)) is None:
        raise Refused(Refusal.UNKNOWN)
    done = [Done("before", (start,))] if start else []
    try:
        document = pikepdf.open(io.BytesIO(content[start:]))
    except pikepdf.PasswordError:
        raise Refused(Refusal.PASSWORD) from None
    except pikepdf.PdfError:
        raise Refused(Refusal.BROKEN) from None
    with document:
        if document.is_encrypted:
            done.append(Done("password"))
        _require_content(document)
        end = content.rfind(_END)
        if end < 0:
            done.append(Done("end-marker"))
        elif behind := len(content[end + len(_END) :].strip(b"\0\t\n\f\r \x1a")):
            done.append(Done("after", (behind,)))
        if "/Collection" in document.Root:
            raise Refused(Refusal.PORTFOLIO)
        if files := [str(name)[:_LONGEST_NAME] for name in document.attachments]:
            done.append(Done("attachments", tuple(files[:_SHOWN_FILES])))
        if is_signed(document):
            done.append(Done("signature"))
        if _remove(document):
            done.append(Done("scripts"))
        written = io.BytesIO()
        # Correcting the version in the metadata would load an XML parser, which the child cannot do any more.
        document.save(written, deterministic_id=True, encryption=False, fix_metadata_version=False)
    return written.getvalue(), done


def _require_content(document: Any) -> None:
    """Read every stream of a document.

    :raises Refused: if any of its content is lost. qpdf would otherwise leave pages blank.
    """
    for found in document.objects:
        if isinstance(found, pikepdf.Stream):
            found.read_raw_bytes()
    warnings = [str(each) for each in document.get_warnings()]
    if not all(map(_ABOUT_THE_END.search, warnings)):
        raise Refused(Refusal.BROKEN)
    if warnings and any(_lost(document)):
        raise Refused(Refusal.BROKEN)


def _lost(document: Any) -> Iterator[bool]:
    """Yield for each reference whether it leads to nothing."""
    known = {found.objgen for found in document.objects}
    for found in document.objects:
        plain = found.stream_dict if isinstance(found, pikepdf.Stream) else found
        if isinstance(plain, pikepdf.Dictionary | pikepdf.Array):
            for number, generation in _REFERENCE.findall(plain.unparse()):
                yield (int(number), int(generation)) not in known


def is_signed(document: Any) -> bool:
    """Return whether a PDF has a digital signature, which no copy keeps."""
    form = document.Root.get("/AcroForm")
    return isinstance(form, pikepdf.Dictionary) and bool(int(form.get("/SigFlags", 0)) & 1)


def _remove(document: Any) -> bool:
    """Remove attached files and scripts; return whether there were scripts."""
    root = document.Root
    names = root.get("/Names")
    found = False
    if isinstance(names, pikepdf.Dictionary):
        found = "/JavaScript" in names
        for key in ("/JavaScript", "/EmbeddedFiles"):
            if key in names:
                del names[key]
    if "/AF" in root:
        del root["/AF"]
    for each in document.objects:
        if isinstance(each, pikepdf.Dictionary):
            found |= _disarm(each)
    for page in document.pages:
        for note in page.obj.get("/Annots", []):
            if isinstance(note, pikepdf.Dictionary):
                found |= _disarm(note)
    return found | _disarm(root)


def _disarm(holder: Any) -> bool:
    """Remove the scripts that an object starts; return whether it had any."""
    found = False
    for key in ("/OpenAction", "/A", "/AA"):
        action = holder.get(key)
        if isinstance(action, pikepdf.Dictionary) and _is_active(action):
            del holder[key]
            found = True
    return found


def _is_active(action: Any) -> bool:
    if str(action.get("/S", "")) in _ACTIVE:
        return True
    inner = [each for each in action.as_dict().values() if isinstance(each, pikepdf.Dictionary)]
    return any(str(each.get("/S", "")) in _ACTIVE for each in inner)
