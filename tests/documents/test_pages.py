"""Texts and e-mails become pages: nothing of them is lost without a word, and the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import papers
import pypdfium2
import pytest
from PIL import Image, ImageOps

from dispute_provider._documents import Renderer, RenderingError
from dispute_provider._documents.preparing import Prepared, Preparer

STRIPE = ("application/pdf", "image/jpeg", "image/png")
MOST = 5_000_000
TO_PDF = "converted from plain text to PDF"
MAIL_TO_PDF = "converted from e-mail to PDF"
HAN = "国订单签收"


def convert(preparer: Preparer, content: bytes) -> Prepared:
    return preparer.prepare(content, ["convert"], STRIPE, MOST)


def lines(content: bytes) -> list[str]:
    """Return the lines of a PDF, page by page."""
    with pypdfium2.PdfDocument(content) as document:
        pages = [page.get_textpage().get_text_range() for page in document]
    return [line.strip() for page in pages for line in page.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def with_fonts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Preparer, Renderer]]:
    """Return a preparer and a renderer with a font of a few Chinese characters."""
    folder: Path = tmp_path_factory.mktemp("fonts")
    (folder / "shop.ttf").write_bytes(papers.font_with(HAN))
    with pytest.MonkeyPatch.context() as patch, Preparer() as preparer, Renderer() as renderer:
        patch.setenv("AIRFLOW__DISPUTE__FONTS", str(folder))
        # The children start with the first document.
        convert(preparer, b"Order")
        renderer.inspect(papers.pdf())
        yield preparer, renderer


@pytest.mark.parametrize(
    ("encoding", "done"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("utf-16", ()),
        ("cp1252", ("read as Windows-1252, as it is not UTF-8",)),
    ],
)
def test_a_text_in_any_usual_encoding(encoding: str, done: tuple[str, ...], preparer: Preparer) -> None:
    prepared = convert(preparer, "Straße 1 – 12 €\r\n\r\nDelivered.".encode(encoding))
    assert prepared.done == (TO_PDF, *done)
    assert lines(prepared.content) == ["Straße 1 – 12 €", "Delivered."]


def test_every_line_of_a_long_text_is_on_a_page(preparer: Preparer, renderer: Renderer) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    text = "\n".join(f"{number}. {words}" for number in range(30)) + "\n" + "x" * 300
    prepared = convert(preparer, text.encode())
    pages = renderer.inspect(prepared.content).pages
    assert prepared.done == (TO_PDF, f"kept all {pages} pages")
    found = [each for each in lines(prepared.content) if not each.endswith(f" of {pages}")]
    assert "".join("".join(found).split()) == "".join(text.split())


def test_columns_stand_below_each_other(preparer: Preparer) -> None:
    content = convert(preparer, b"Item        Price\nBrass lamp  12.00\nWide shade\t 9.00").content
    with pypdfium2.PdfDocument(content) as document:
        page = document[0].get_textpage()
        text = page.get_text_range()
        places = [page.get_charbox(text.index(word))[0] for word in ("Price", "12.00")]
    assert abs(places[0] - places[1]) < 1


def test_scripts_without_joined_letters_are_set_and_symbols_named(
    preparer: Preparer, renderer: Renderer
) -> None:
    prepared = convert(preparer, "Łódź, Ελλάδα, Привет 😀 📦 ❤️ e\u0301".encode())
    assert prepared.done == (TO_PDF, "wrote symbols without a font by their names: [package]")
    [line] = lines(prepared.content)
    assert line.startswith("Łódź, Ελλάδα, Привет")
    assert line.endswith("[package] ❤ é")
    assert renderer.look(prepared.content, 1).problem is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{papers.VAI} ok",
            "there is no font: \ua500 (U+A500), \ua501 (U+A501), \ua502 (U+A502); install a TrueType font",
        ),
        ("שלום", "from right to left, or change with their neighbours: hebrew letter shin (U+05E9)"),
        ("नमस्ते", "from right to left, or change with their neighbours: न (U+0928)"),
        (" \n\t", "it is empty"),
    ],
)
def test_a_text_that_cannot_be_set_is_refused(text: str, said: str, preparer: Preparer) -> None:
    with pytest.raises(RenderingError) as error:
        convert(preparer, text.encode())
    assert said in str(error.value)
    if text.strip():
        with pytest.raises(RenderingError) as error:
            preparer.join([(text, papers.pdf())])
        assert said in str(error.value)


def test_a_font_of_a_folder_is_used(with_fonts: tuple[Preparer, Renderer]) -> None:
    preparer, renderer = with_fonts
    content = convert(preparer, f"{HAN} 10432".encode()).content
    joined = preparer.join([(f"{HAN}.txt", content)]).content
    pdf = papers.without_its_font(HAN, encoding=b"UniGB-UCS2-H")
    for document, pages in ((content, 1), (joined, 2), (pdf, 1)):
        for page in range(1, pages + 1):
            assert renderer.look(document, page).problem is None
            drawn = Image.open(io.BytesIO(renderer.render(document, page, 595))).convert("L")
            assert ImageOps.invert(drawn).getbbox()
    assert lines(content) == [f"{HAN} 10432"]
    assert any(f"Exhibit 1: {HAN}.txt" in line for line in lines(joined))


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Ana Łukasz <ana@example.com>", "To": "shop@example.com", **headers}.items():
        message[name] = value
    return message


def alternative(plain: str, html: str) -> EmailMessage:
    message = mail(Subject="Order")
    message.set_content(plain)
    message.add_alternative(html, subtype="html")
    return message


def with_files() -> EmailMessage:
    message = mail(Subject="Wo ist mein Paket? – Bestellung", Date="Mon, 02 Mar 2026 10:00:00 +0100")
    message["X-Mailer"] = "Phone"
    message.set_content("Liebe Firma,\n\nes ist da: schön!", charset="iso-8859-1")
    message.add_attachment(papers.jpeg(), "image", "jpeg", filename="Tür.jpg")
    message.add_attachment(mail(Subject="Earlier"))
    return message


RAW = "From: Jörg <j@example.com>\nSubject: Tür\n\nschön".encode()
CJK = b"From: a@example.com\nDate: today\nContent-Type: text/plain; charset=gb2312\n\n" + HAN.encode("gb2312")
HTML = "<html><head><title>x</title><style>p {}</style></head><body><p>Paid &amp; shipped</p><ul><li>lamp"
HTML += "<li>shade</ul><script>run()</script><img alt='Logo'></body></html>"
LEFT_OUT = "left out header lines: Content-Type, Content-Transfer-Encoding, MIME-Version"
FORMATTED = "kept the text of the formatted version, without pictures and the addresses of links"
MAILS = {
    "raw headers": (RAW, ["From: Jörg <j@example.com>", "Subject: Tür", "schön"], []),
    "an envelope": (b"From a@example.com Mon Mar 2\n" + RAW, ["From: Jörg <j@example.com>"], []),
    "attached": (
        with_files().as_bytes(),
        [
            "From: Ana Łukasz <ana@example.com>",
            "To: shop@example.com",
            "Date: Mon, 02 Mar 2026 10:00:00 +0100",
            "Subject: Wo ist mein Paket? – Bestellung",
            "Liebe Firma,",
            "es ist da: schön!",
            f"Attached: Tür.jpg ({len(papers.jpeg()):,} bytes)",
            "e-mail: Earlier",
        ],
        [
            "left out header lines: X-Mailer, MIME-Version, Content-Type",
            f"left out the attached files: Tür.jpg ({len(papers.jpeg()):,} bytes), e-mail: Earlier",
        ],
    ),
    "two versions": (
        alternative("Paid and shipped.", "<p>Paid <b>and</b> shipped.").as_bytes(),
        ["Paid and shipped."],
        ["left out the formatted version of its text"],
    ),
    "a plain version that says nothing": (
        alternative("See HTML.", HTML).as_bytes(),
        ["Paid & shipped", "- lamp", "- shade", "[Logo]"],
        [FORMATTED, "left out the plain version of its text"],
    ),
}


@pytest.mark.parametrize("name", MAILS)
def test_an_email_with_all_that_people_read(name: str, preparer: Preparer) -> None:
    content, shown, said = MAILS[name]
    prepared = convert(preparer, content)
    found = lines(prepared.content)
    assert [each for each in shown if each not in found] == []
    assert prepared.done[0] == MAIL_TO_PDF
    assert [each for each in said if each not in prepared.done] == []
    assert not any("run()" in line for line in found)


def test_an_email_in_another_charset(with_fonts: tuple[Preparer, Renderer]) -> None:
    preparer, _ = with_fonts
    assert HAN in lines(convert(preparer, CJK).content)


def test_an_email_whose_end_is_lost_is_refused(preparer: Preparer) -> None:
    whole = with_files().as_bytes()
    with pytest.raises(RenderingError, match="it is damaged or incomplete"):
        convert(preparer, whole[: len(whole) // 2])


def test_a_text_in_exhibits(preparer: Preparer, renderer: Renderer) -> None:
    pages = convert(preparer, with_files().as_bytes()).content
    joined = preparer.join([("mail.eml", pages), ("order.pdf", papers.pdf())]).content
    assert renderer.inspect(joined).pages == 3


def test_another_process_gives_the_same_bytes(preparer: Preparer) -> None:
    contents = [
        "Łódź, Ελλάδα\n\nItem   Price".encode(),
        with_files().as_bytes(),
        alternative("a", HTML).as_bytes(),
    ]
    with Preparer() as other:
        for content in contents:
            assert convert(preparer, content) == convert(other, content)
