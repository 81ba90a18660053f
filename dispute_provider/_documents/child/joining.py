"""Join exhibits into one PDF with contents, captions and page numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from PIL import Image

from dispute_provider._documents.child import typeset
from dispute_provider._documents.child.cleaning import is_signed
from dispute_provider._documents.child.converting import opened
from dispute_provider._documents.child.embedding import Embedded, embedded
from dispute_provider._documents.child.lettering import Letters
from dispute_provider._documents.child.refused import Refused
from dispute_provider._documents.child.showing import frames_of, saved
from dispute_provider._documents.child.typeset import A4, STRIP, Strip, Title, canvas
from dispute_provider._documents.messages import Done, Refusal
from dispute_provider._evidence.file_types import JPEG, PDF, PNG

pikepdf: Any
try:
    import pikepdf
except ImportError:
    pikepdf = None

_MARGIN = 36.0
# A picture that is longer gets a page of its own proportions, as on A4 its text would be too small.
_LONGEST = 2.0


class Part(NamedTuple):
    """One exhibit: a PDF or a picture."""

    caption: str
    content: bytes


def warm_up(letters: Letters) -> None:
    """Join exhibits once, which loads what the libraries load on demand."""
    if pikepdf and canvas:
        typeset.warm_up()
        for kind in (JPEG, PNG):
            join([Part("Exhibit", saved(Image.new("RGB", (8, 8)), kind))], letters)


def join(parts: Sequence[Part], letters: Letters) -> tuple[bytes, list[Done]]:
    """Return one PDF of all exhibits, and what that cost; the same exhibits give the same bytes.

    Pages of a PDF keep their size and get a strip with caption and number below. A picture is a page of A4.

    :raises Refused: if an exhibit cannot be read, a caption cannot be set, or a library is missing.
    """
    if not (pikepdf and canvas):
        raise Refused(Refusal.NO_PACKET)
    legible = [letters.legible(" ".join(each.caption.split())) for each in parts]
    captions = [caption for caption, _ in legible]
    named = dict.fromkeys(symbol for _, symbols in legible for symbol in symbols)
    page = typeset.pages_of_contents(captions, letters)
    titles, strips = list[Title](), list[Strip]()
    done = [Done("named", tuple(named))] if named else []
    lost = False
    with pikepdf.new() as joined:
        for number, part in enumerate(parts, 1):
            titles.append(Title(captions[number - 1], page + len(strips) + 1))
            pages, signed = _add(joined, part.content)
            lost |= signed
            for _ in range(pages):
                strips.append(Strip(_width(joined.pages[len(strips)]), number, captions[number - 1]))
        with pikepdf.open(io.BytesIO(typeset.typeset(titles, strips, letters))) as sheets:
            for shown, strip in zip(joined.pages, list(sheets.pages)[page:], strict=True):
                _stamp(joined, shown, joined.copy_foreign(strip.as_form_xobject()))
            for index in range(page):
                joined.pages.insert(index, sheets.pages[index])
            written = io.BytesIO()
            joined.save(written, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return written.getvalue(), [*done, *([Done("signature")] if lost else [])]


def _add(joined: Any, content: bytes) -> tuple[int, bool]:
    """Add the pages of an exhibit, and return how many there are and whether it was digitally signed."""
    if content.startswith(PDF.starts):
        with pikepdf.open(io.BytesIO(content)) as document:
            signed = is_signed(document)
            if "/AcroForm" in document.Root:
                _flatten(document)
            joined.pages.extend(document.pages)
            return len(document.pages), signed
    picture = opened(content)
    _, frames = frames_of(picture)
    for index in range(frames):
        if index:
            picture.seek(index)
        _add_picture(joined, embedded(joined, picture, content))
    return frames, False


def _flatten(document: Any) -> None:
    """Make what was filled in a part of the pages, which would lose it when they leave their document."""
    bare = [[each for each in page.obj.get("/Annots", []) if "/AP" not in each] for page in document.pages]
    if any(each.get("/Subtype") == "/Widget" for notes in bare for each in notes):
        document.Root.AcroForm.NeedAppearances = True
    for note in [each for notes in bare for each in notes]:
        _tick(document, note)
    document.generate_appearance_streams()
    document.flatten_annotations("all")
    # Notes without an appearance would be removed; the check of the result then names them.
    for page, notes in zip(document.pages, bare, strict=True):
        if others := [each for each in notes if each.get("/Subtype") != "/Widget"]:
            page.obj.Annots = pikepdf.Array([*page.obj.get("/Annots", []), *others])


def _tick(document: Any, note: Any) -> None:
    """Give a box that is ticked and has no appearance a cross."""
    state = note.get("/AS", note.get("/V"))
    if note.get("/Subtype") != "/Widget" or not isinstance(state, pikepdf.Name) or state == "/Off":
        return
    left, bottom, right, top = (float(each) for each in note.Rect)
    wide, tall = abs(right - left), abs(top - bottom)
    cross = f"1 w 1 1 m {wide - 1:.2f} {tall - 1:.2f} l 1 {tall - 1:.2f} m {wide - 1:.2f} 1 l S"
    mark = document.make_stream(cross.encode(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
    mark.BBox = [0, 0, wide, tall]
    note.AP = pikepdf.Dictionary(N=pikepdf.Dictionary({str(state): mark}))
    note.AS = state


def _add_picture(joined: Any, picture: Embedded) -> None:
    """Add a page with a picture, upright and no larger than the page."""
    wide, tall = picture.upright_size
    page = (A4[1], A4[0]) if wide > tall else A4
    room = (page[0] - 2 * _MARGIN, page[1] - 2 * _MARGIN)
    if max(wide, tall) > _LONGEST * min(wide, tall):
        room = (room[0], room[0] * tall / wide) if tall > wide else (room[1] * wide / tall, room[1])
    scale = min(room[0] / wide, room[1] / tall, 1.0)
    width, height = wide * scale, tall * scale
    page = (max(page[0], width + 2 * _MARGIN), max(page[1], height + 2 * _MARGIN))
    picture.add_page(joined, page, ((page[0] - width) / 2, page[1] - _MARGIN - height, width, height))


def _box(page: Any) -> tuple[float, float, float, float]:
    """Return the visible part of a page: left, bottom, right and top."""
    left, bottom, right, top = (float(each) for each in page.cropbox)
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _unit(page: Any) -> float:
    return float(page.obj.get("/UserUnit", 1)) or 1.0


def _turns(page: Any) -> int:
    """Return by how many quarters a page is shown turned clockwise."""
    return int(page.obj.get("/Rotate", 0)) // 90 % 4


def _width(page: Any) -> float:
    """Return the width of a page as it is shown, in points."""
    left, bottom, right, top = _box(page)
    return (top - bottom if _turns(page) % 2 else right - left) * _unit(page)


def _stamp(joined: Any, page: Any, strip: Any) -> None:
    """Put a strip below a page, whose own drawing cannot affect it."""
    left, bottom, right, top = box = _box(page)
    unit = _unit(page)
    high = STRIP / unit
    match _turns(page):
        case 0:
            bottom -= high
            matrix = (1, 0, 0, 1, left, bottom)
        case 1:
            right += high
            matrix = (0, 1, -1, 0, right, bottom)
        case 2:
            top += high
            matrix = (-1, 0, 0, -1, right, top)
        case _:
            left -= high
            matrix = (0, -1, 1, 0, left, top)
    page.contents_coalesce()
    contents = page.obj.get("/Contents")
    inner = joined.make_stream(
        contents.read_bytes() if contents is not None else b"",
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Form,
        BBox=list(box),
        Resources=page.resources,
    )
    if "/Group" in page.obj:
        inner.Group = page.obj.Group
    turned, moved = [each / unit for each in matrix[:4]], matrix[4:]
    numbers = " ".join(f"{each:.5f}" for each in (*turned, *moved))
    page.obj.Contents = joined.make_stream(f"/Page Do q {numbers} cm /Strip Do Q".encode())
    page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Page=inner, Strip=strip))
    page.obj.MediaBox = page.obj.CropBox = [left, bottom, right, top]
    for name in ("/TrimBox", "/BleedBox", "/ArtBox"):
        if name in page.obj:
            del page.obj[name]
