"""Texts and e-mails become pages: nothing of them is lost without a word, and the same bytes each time."""

from __future__ import annotations

import ctypes
import io
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import papers
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageOps

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
    assert renderer.draw(prepared.content, 1).unseen.problem is None


def test_typographic_characters_stay_and_what_shows_nothing_is_left_out(preparer: Preparer) -> None:
    text = "“It’s” – ‘ok’…\u00a0•\u200b 5′\ufeff, 120\u202f€\u0085Step 1\ufe0f\u20e3\u2028– end"
    prepared = convert(preparer, text.encode())
    assert prepared.done == (
        TO_PDF,
        "wrote symbols without a font by their names: [combining enclosing keycap]",
    )
    found = [line.replace("\u00a0", " ").replace("\u202f", " ") for line in lines(prepared.content)]
    assert found == ["“It’s” – ‘ok’… • 5′, 120 €", "Step 1[combining enclosing keycap]", "– end"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{papers.VAI} ok",
            "there is no font: \ua500 (U+A500), \ua501 (U+A501), \ua502 (U+A502); install a TrueType font",
        ),
        ("ܫܠܡܐ", "there is no font: syriac letter shin (U+072B)"),
        ("नमस्ते", "there is no font: न (U+0928), म (U+092E), स (U+0938), devanagari sign virama (U+094D)"),
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


def hebrew(text: str) -> str:
    """Return a text with Hebrew letters for upper case."""
    return "".join(chr(0x05D0 + ord(each) - ord("A")) if "A" <= each <= "V" else each for each in text)


def shown(content: bytes) -> list[str]:
    """Return the lines of the pages of a PDF, with the characters as they stand from left to right.

    Brackets are ``|``, as pdfium turns them back where a text runs from right to left.
    """
    rows: dict[tuple[int, int], list[tuple[float, str]]] = {}
    with pypdfium2.PdfDocument(content) as document:
        for number, page in enumerate(document):
            text = page.get_textpage()
            for index in range(text.count_chars()):
                each = chr(pypdfium2.raw.FPDFText_GetUnicode(text, index))
                left, _ = place_of(text, index)
                if not each.isspace():
                    rows.setdefault((number, -place_of(text, index)[1]), []).append((left, each))
    return [without_sides("".join(each for _, each in sorted(row))) for _, row in sorted(rows.items())]


def without_sides(text: str) -> str:
    return re.sub(r"[][(){}<>]", "|", text)


def place_of(text: pypdfium2.PdfTextPage, index: int) -> tuple[float, int]:
    left, height = ctypes.c_double(), ctypes.c_double()
    assert pypdfium2.raw.FPDFText_GetCharOrigin(text, index, left, height)
    return left.value, round(height.value)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("SHALOM.", ".MOLAHS"),
        ("ORDER 10432 (1.3.2026) CAME, 12:30", "12:30,EMAC(1.3.2026)10432REDRO"),
        ("PAID 120.50 € OR -5%.", ".5%-RO€120.50DIAP"),
        ("SEE https://shop.example/a?b=1!", "!https://shop.example/a?b=1EES"),
        ('he wrote "CANCEL IT" (order 7) to us.', 'hewrote"TILECNAC"(order7)tous.'),
        ("LIST: [A], <B>, {C}", "{C},<B>,[A]:TSIL"),
        ("(\u2068+972 54\u2069) AND ab", "abDNA(+97254)"),
        ("\u202a+972 54-1\u202c: HI", "IH:+97254-1"),
        ("\u200eCALL (1 pm)", "LLAC(1pm)"),
        ("\u202eabc\u202c d", "cbad"),
    ],
)
def test_hebrew_runs_from_right_to_left_and_numbers_in_it_do_not(
    text: str, drawn: str, preparer: Preparer, renderer: Renderer
) -> None:
    content = convert(preparer, hebrew(text).encode()).content
    assert shown(content) == [without_sides(hebrew(drawn))]
    assert renderer.draw(content, 1).unseen.problem is None


def test_brackets_in_hebrew_open_to_the_left(preparer: Preparer, renderer: Renderer) -> None:
    pictures = []
    for text in ("A (7) [8] {9} <10> «11»", "\u200f\u2066«11» <10> {9} [8] (7) A\u2069"):
        png = renderer.render(convert(preparer, hebrew(text).encode()).content, 1)
        drawn = ImageOps.invert(Image.open(io.BytesIO(png)).convert("L"))
        pictures.append(drawn.crop(drawn.getbbox()))
    assert pictures[0].size == pictures[1].size
    darkest = ImageChops.difference(*pictures).getextrema()
    assert darkest[1] < 128


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("مرحبا", "ﻣﺮﺣﺒﺎ"),
        ("لا لله", "ﻻ ﻟﻠﻪ"),
        ("الإسلام", "ﺍﻹﺳﻼﻡ"),
        ("می\u200cخواهم گزارش", "ﻣﯽﺧﻮﺍﻫﻢ ﮔﺰﺍﺭﺵ"),
        ("هـ؟", "ﻫـ؟"),
    ],
)
def test_arabic_letters_are_joined(text: str, forms: str, preparer: Preparer, renderer: Renderer) -> None:
    content, other = (convert(preparer, each.encode()).content for each in (text, forms))
    assert picture(renderer, content) == picture(renderer, other)
    assert shown(content) == [text.replace("\u200c", "").replace(" ", "")[::-1]]


def picture(renderer: Renderer, content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(renderer.render(content, 1, 1_000)))


def test_letters_whose_forms_are_no_characters_are_joined(preparer: Preparer, renderer: Renderer) -> None:
    text = "دەچێت"
    content, apart = (convert(preparer, each.encode()).content for each in (text, "\u200c".join(text)))
    assert picture(renderer, content) != picture(renderer, apart)
    assert lines(content) == lines(apart) == [text]
    assert shown(content) == [text[::-1]]
    assert renderer.draw(content, 1).unseen.problem is None


@pytest.mark.parametrize(
    "text",
    ["office", "x̂ q̃ m̄ ɑ̃", "ນ້ຳ ທີ່ນີ້ ຜູ້", "𝕎 𝔸 🐭"],
    ids=["ligatures", "accents", "Lao", "codes of more than four digits"],
)
def test_what_is_drawn_by_other_glyphs_is_copied_as_it_was_written(
    text: str, preparer: Preparer, renderer: Renderer
) -> None:
    content = convert(preparer, text.encode()).content
    # Around accents, pdfium puts line breaks where others read none.
    assert "".join(lines(content)).replace(" ", "") == text.replace(" ", "")
    assert renderer.draw(content, 1).unseen.problem is None


def test_paragraphs_from_the_right_stand_on_the_right_in_lines_that_are_read_down(preparer: Preparer) -> None:
    words = [f"{number}-MILA" for number in range(60)]
    content = convert(preparer, hebrew(" ".join(words) + "\nenglish").encode()).content
    *found, _ = shown(content)
    assert len(found) > 1
    assert [each for line in found for each in line.split(hebrew("ALIM-"))[:0:-1]] == [
        str(number) for number in range(60)
    ]
    with pypdfium2.PdfDocument(content) as document:
        text = document[0].get_textpage()
        edges: dict[int, list[float]] = {}
        for index in range(text.count_chars()):
            edges.setdefault(place_of(text, index)[1], []).append(text.get_charbox(index)[2])
    *rights, last = (max(edges[row]) for row in sorted(edges, reverse=True))
    assert max(rights) - min(rights) < 2
    assert last < 200


def test_exhibits_may_have_captions_in_hebrew(preparer: Preparer) -> None:
    caption = hebrew("KABALA 10432.pdf")
    pages = shown(preparer.join([(caption, papers.pdf())]).content)
    assert any(line.startswith("1" + hebrew("pdf.10432ALABAK")) for line in pages)
    assert any("Exhibit1:" + hebrew("10432ALABAK.pdf") in line for line in pages)


def test_a_file_name_in_hebrew_that_is_not_encoded_is_named(preparer: Preparer) -> None:
    name = hebrew("KABALA 10432")
    message = (
        "From: a@example.com\n"
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nHi\n--x\n"
        "Content-Type: application/pdf\n"
        f'Content-Disposition: attachment; filename="{name}.pdf"\n\nabc\n--x--\n'
    )
    prepared = convert(preparer, message.encode())
    assert f"left out the attached files: {name}.pdf (3 bytes)" in prepared.done
    assert shown(prepared.content)[-1] == "Attached:" + hebrew("10432ALABAK.pdf|3bytes|")


def test_a_font_of_a_folder_is_used(with_fonts: tuple[Preparer, Renderer]) -> None:
    preparer, renderer = with_fonts
    content = convert(preparer, f"{HAN} 10432".encode()).content
    joined = preparer.join([(f"{HAN}.txt", content)]).content
    pdf = papers.without_its_font(HAN, encoding=b"UniGB-UCS2-H")
    for document, pages in ((content, 1), (joined, 2), (pdf, 1)):
        for page in range(1, pages + 1):
            assert renderer.draw(document, page).unseen.problem is None
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
        "دەچێت x̂".encode(),
        "ێەت q̃ x̂".encode(),
        with_files().as_bytes(),
        alternative("a", HTML).as_bytes(),
    ]
    pages = [convert(preparer, each) for each in contents]
    with Preparer() as other:
        assert pages == [convert(other, each) for each in reversed(contents)][::-1]
