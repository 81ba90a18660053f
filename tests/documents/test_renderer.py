"""The renderer: inspecting and drawing valid documents, and managing its child processes."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import papers
import pytest
from papers import jpeg, pdf, picture, png, stream, tiff
from PIL import Image
from support import children

from dispute_provider._documents import Inspection, Renderer, RenderingError

FIRST = papers.FIRST_PAGE + 1


class OwnChild:
    """Return a renderer whose child has started."""

    def __init__(self, seconds: float = 20.0) -> None:
        before = children()
        self.renderer = Renderer(seconds)
        self.renderer.inspect(pdf())
        [self.pid] = children() - before

    def proc_file(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def __enter__(self) -> OwnChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.renderer.close()


def drawn(renderer: Renderer, content: bytes, page: int = 1, width: int = 1200) -> Image.Image:
    return Image.open(io.BytesIO(renderer.render(content, page, width))).convert("RGB")


# --- inspecting


@pytest.mark.parametrize(
    ("content", "content_type", "pages"),
    [
        (pdf(), "application/pdf", 1),
        (pdf(49), "application/pdf", 49),
        (pdf(500), "application/pdf", 500),
        (jpeg(), "image/jpeg", 1),
        (picture("JPEG", progressive=True), "image/jpeg", 1),
        (picture("MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))]), "image/jpeg", 1),
        (png(), "image/png", 1),
        (tiff(), "image/tiff", 1),
        (tiff(20), "image/tiff", 20),
        (picture("GIF", "P"), "image/gif", 1),
        (picture("GIF", "RGB", comment=b"taken at the door"), "image/gif", 1),
        (picture("TIFF", "1", compression="group4"), "image/tiff", 1),
        (picture("TIFF", "RGB", compression="jpeg"), "image/tiff", 1),
    ],
)
def test_the_content_determines_the_type(renderer, content, content_type, pages):
    assert renderer.inspect(content) == Inspection(content_type, pages, False)


@pytest.mark.parametrize(
    "content",
    [
        pdf(text="Paid with 4242 4242 4242 4242."),
        pdf(
            page=b"/Annots [%d 0 R]" % FIRST,
            more=[b"<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (5555555555554444) >>"],
        ),
        pdf(
            catalog=b"/AcroForm << /Fields [%d 0 R] >>" % FIRST,
            page=b"/Annots [%d 0 R]" % FIRST,
            more=[
                b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (n) /Rect [0 0 9 9] /V (3782 822463 10005) >>"
            ],
        ),
    ],
    ids=["text", "note", "form"],
)
def test_card_numbers_are_found_in_the_text_of_a_pdf(renderer, content):
    assert renderer.inspect(content).card_number


def test_a_card_number_on_the_last_page_is_found(renderer):
    whole = pdf(3, "Nothing.", more=[stream(b"BT /F 9 Tf (4242424242424242) Tj ET")])
    at = whole.rindex(b"/Contents 4 0 R")
    assert renderer.inspect(whole[:at] + b"/Contents 8 0 R" + whole[at + 15 :]).card_number


# --- drawing


def test_a_page_has_the_requested_width_and_its_text(renderer):
    page = drawn(renderer, pdf(text="Received with thanks."), width=595)
    assert page.size == (595, 842)
    assert page.mode == "RGB"
    assert page.getpixel((5, 5)) == (255, 255, 255)
    darkest, _ = page.crop((40, 45, 200, 70)).convert("L").getextrema()  # type: ignore[misc]
    assert darkest < 60


def test_a_page_without_color_is_drawn_in_its_greys(renderer):
    greys = Image.linear_gradient("L")
    written = io.BytesIO()
    greys.save(written, "PNG")
    page = Image.open(io.BytesIO(renderer.render(written.getvalue(), 1)))
    assert page.convert("L").tobytes() == greys.tobytes()
    assert page.getbands() != ("R", "G", "B")


def test_form_fields_are_drawn(renderer):
    appearance = stream(b"1 0 0 rg 0 0 99 99 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 99 99]")
    widget = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (n) /Rect [0 0 99 99] /AP << /N %d 0 R >> >>"
    content = pdf(
        catalog=b"/AcroForm << /Fields [%d 0 R] >>" % FIRST,
        page=b"/Annots [%d 0 R]" % FIRST,
        more=[widget % (FIRST + 1), appearance],
    )
    red, green, _ = drawn(renderer, content, width=595).getpixel((50, 800))  # type: ignore[misc]
    assert red > 150 > green


@pytest.mark.parametrize(
    ("entries", "page", "color"),
    [
        (b"/Border [0 0 4] /C [1 0 0]", b"", (255, 0, 0)),
        (b"/Border [0 0 4]", b"", (0, 0, 0)),
        (b"/Border [0 0 0] /C [1 0 0]", b"", (255, 255, 255)),
        (b"/C [1 0 0]", b"", (255, 0, 0)),
        (b"/BS << /W 4 >> /C [1 0 0]", b"", (255, 0, 0)),
        (b"/Border [0 0 0] /BS << /W 4 /S /S >> /C [1 0 0]", b"", (255, 0, 0)),
        (b"/Border [0 0 4] /BS << /W 0 >> /C [1 0 0]", b"", (255, 255, 255)),
        (b"/BS << /W 4 >> /C [1 0 0] /F 32", b"", (255, 255, 255)),
        (b"/Border [0 0 4] /C [1 0 0] /F 2", b"", (255, 255, 255)),
        (b"/Border [0 0 4] /C [1 0 0]", b"/Rotate 180", (255, 0, 0)),
    ],
)
def test_the_border_of_a_link_is_drawn(renderer, entries, page, color):
    link = b"<< /Type /Annot /Subtype /Link /Rect [195 221 400 421] %s >>" % entries
    shown = drawn(renderer, pdf(page=page + b"/Annots [6 0 R]", more=[link]), width=595)
    at = (300, 421) if not page else (595 - 300, 841 - 421)
    assert shown.convert("RGB").getpixel(at) == color


def test_each_page_and_frame_is_drawn(renderer):
    out = io.BytesIO()
    frames = [Image.new("L", (30, 20), shade) for shade in (10, 120, 230)]
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    shades = [drawn(renderer, out.getvalue(), page).getpixel((5, 5)) for page in (1, 2, 3)]
    assert shades == [(10, 10, 10), (120, 120, 120), (230, 230, 230)]


@pytest.mark.parametrize(
    ("kind", "mode", "color", "shown"),
    [
        ("PNG", "RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("PNG", "LA", (0, 255), (0, 0, 0)),
        ("PNG", "P", 0, (0, 0, 0)),
        ("PNG", "1", 1, (255, 255, 255)),
        ("PNG", "I;16", 0x8000, (128, 128, 128)),
        ("TIFF", "I;16", 0xFFFF, (255, 255, 255)),
        ("TIFF", "CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("JPEG", "CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("JPEG", "L", 100, (100, 100, 100)),
    ],
)
def test_every_kind_of_picture_is_drawn_in_its_colours(renderer, kind, mode, color, shown):
    out = io.BytesIO()
    Image.new(mode, (50, 40), color).save(out, kind)
    assert drawn(renderer, out.getvalue()).getpixel((20, 20)) == shown


def test_a_picture_of_measured_values_is_scaled_to_its_range(renderer):
    out = io.BytesIO()
    measured = Image.new("F", (50, 40), -3.0)
    measured.paste(9.0, (0, 0, 25, 40))
    measured.save(out, "TIFF")
    shown = drawn(renderer, out.getvalue())
    assert (shown.getpixel((5, 5)), shown.getpixel((45, 5))) == ((255, 255, 255), (0, 0, 0))


def test_a_photograph_is_drawn_upright(renderer):
    turned = Image.Exif()
    turned[0x0112] = 6
    assert drawn(renderer, picture("JPEG", size=(40, 30), exif=turned)).size == (30, 40)


def test_a_large_picture_is_scaled_down_and_a_small_one_is_not_enlarged(renderer):
    assert drawn(renderer, picture("PNG", size=(3000, 1000)), width=600).size == (600, 200)
    assert drawn(renderer, picture("PNG", size=(30, 10)), width=600).size == (30, 10)
    assert drawn(renderer, picture("PNG", "1", size=(1, 60_000))).height == 16_000


@pytest.mark.parametrize("content", [pdf(2), tiff(2)])
def test_a_missing_page_is_refused(renderer, content):
    assert renderer.render(content, 2)
    with pytest.raises(RenderingError, match="it has 2 pages, so there is no page 3"):
        renderer.render(content, 3)


@pytest.mark.parametrize(("page", "width"), [(0, 600), (-1, 600), (1, 0), (1, 2401), (2**40, 600)])
def test_an_invalid_page_or_width_is_a_value_error(renderer, page, width):
    with pytest.raises(ValueError):
        renderer.render(pdf(), page, width)


# --- child processes


def test_the_child_has_no_secrets_no_files_and_limited_memory(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "a secret")
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        with OwnChild() as child:
            names = {each.partition("=")[0] for each in child.proc_file("environ").split("\0") if each}
            assert names == {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
            opened = [str(each.readlink()) for each in Path(f"/proc/{child.pid}/fd").iterdir()]
            limits = {
                line[:25].strip(): line[26:].split()[0] for line in child.proc_file("limits").splitlines()
            }
    # libffi keeps itself open.
    assert all(each.startswith(("pipe:", "/dev/null")) or "/libffi.so" in each for each in opened)
    assert limits["Max address space"] == str(2**30)
    assert limits["Max open files"] == limits["Max file size"] == limits["Max processes"] == "0"


def test_the_memory_of_a_page_is_used_again_for_the_next_one():
    """Clearing memory costs more than drawing a line of text."""
    with OwnChild() as child:
        faults = []
        for _ in range(5):
            child.renderer.render(pdf(), 1)
            faults.append(int(child.proc_file("stat").rpartition(")")[2].split()[7]))
    pages = 1200 * 1697 * 4 // os.sysconf("SC_PAGE_SIZE")
    assert faults[-1] - faults[-2] < pages / 10


def test_a_child_that_only_draws_loads_no_library_that_prepares():
    with OwnChild() as child:
        loaded = child.proc_file("maps")
    assert "pdfium" in loaded
    assert not re.search("pikepdf|qpdf|heif", loaded)


def test_a_slow_document_times_out_and_the_next_one_is_read():
    # Without the time limit, it would exhaust its memory, which takes more than twice as long.
    with OwnChild(seconds=0.5) as child:
        with pytest.raises(RenderingError, match=r"more than 0\.5 seconds"):
            child.renderer.render(papers.nested_forms(6, 12), 1)
        assert child.renderer.inspect(pdf(2)).pages == 2
        assert not Path(f"/proc/{child.pid}").exists()


def test_a_child_that_dies_is_replaced():
    with OwnChild() as child:
        os.kill(child.pid, signal.SIGKILL)
        assert child.renderer.inspect(pdf(3)).pages == 3


def test_a_closed_renderer_leaves_no_child_and_can_start_another():
    before = children()
    with OwnChild() as child:
        child.renderer.close()
        assert children() == before
        assert child.renderer.inspect(png()).content_type == "image/png"


def test_a_child_ends_when_its_input_is_closed():
    """The child of a killed worker does not stay behind."""
    reader, writer = os.pipe()
    if not (worker := os.fork()):
        with OwnChild() as child:
            os.write(writer, str(child.pid).encode())
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    orphan = int(os.read(reader, 20))
    gone = threading.Event()
    for _ in range(200):
        status = Path(f"/proc/{orphan}/stat")
        if not status.exists() or status.read_text().split()[2] == "Z":
            gone.set()
            break
        gone.wait(0.05)
    assert gone.is_set()


def test_a_forked_process_gets_its_own_child():
    with OwnChild() as child:
        if not (fork := os.fork()):
            # An assertion here would run the rest of the tests twice.
            os._exit(0 if child.renderer.inspect(pdf(7)).pages == 7 else 1)
        assert os.waitpid(fork, 0)[1] == 0
        assert child.renderer.inspect(pdf(5)).pages == 5
        assert child.pid in children()


def test_threads_share_a_renderer(renderer):
    counts = [1, 9, 2, 8, 3, 7, 4, 6] * 5
    with ThreadPoolExecutor(8) as pool:
        assert [found.pages for found in pool.map(renderer.inspect, map(pdf, counts))] == counts


def test_asyncio_code_shares_a_renderer(renderer):
    async def read() -> list[Inspection]:
        return await asyncio.gather(*(asyncio.to_thread(renderer.inspect, pdf(n)) for n in range(1, 6)))

    assert [found.pages for found in asyncio.run(read())] == [1, 2, 3, 4, 5]


def test_equal_documents_are_read_once():
    with OwnChild() as child:
        os.kill(child.pid, signal.SIGSTOP)
        try:
            assert child.renderer.inspect(pdf()).pages == 1
        finally:
            os.kill(child.pid, signal.SIGCONT)
