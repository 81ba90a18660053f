"""Make the documents of the demo's cases: readable PDFs, drawn line by line, and a few pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dispute_provider._explain.money import format_amount

_PICTURES = Path(__file__).parent / "pictures"
_WIDTH = 72
_RULE = "---"


def picture(name: str) -> bytes:
    """Return ``doorstep.jpg``, ``signature.png`` or ``delivery.tiff``."""
    return (_PICTURES / name).read_bytes()


def receipt(
    shop: str, order: str, date: str, customer: str, items: Sequence[tuple[str, int]], currency: str
) -> bytes:
    """Return a receipt as a PDF.

    :param items: names and prices, in minor currency units.
    """
    prices = [(name, format_amount(price, currency)) for name, price in items]
    total = format_amount(sum(price for _, price in items), currency)
    return pdf(
        f"{shop} – receipt",
        [
            _pair("Order", order),
            _pair("Date", date),
            _pair("Customer", customer),
            _RULE,
            *(_pair(name, price) for name, price in prices),
            _RULE,
            _pair("Total, tax included", total),
            "",
            "Paid by card, security code and address confirmed by the card's bank.",
            "Returns within 30 days, unused, with this receipt.",
        ],
    )


def letter(heading: str, *paragraphs: str) -> bytes:
    """Return a letter, a policy or a conversation as a PDF, its paragraphs wrapped."""
    lines: list[str] = []
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            if len(line) + len(word) >= _WIDTH:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines += [line, ""]
    return pdf(heading, lines)


def pdf(heading: str, lines: Sequence[str]) -> bytes:
    """Return a PDF of one A5 page, landscape.

    :param lines: at most 72 characters each, set in a fixed-width font; ``---`` draws a rule.
    """
    drawn = [f"BT /F1 18 Tf 40 375 Td {_text(heading)} Tj ET", "0.6 w 40 362 m 538 362 l S"]
    height = 338
    for line in lines:
        if line == _RULE:
            drawn.append(f"40 {height + 4} m 538 {height + 4} l S")
        elif line:
            drawn.append(f"BT /F2 11.5 Tf 40 {height} Td {_text(line)} Tj ET")
        height -= 19
    content = "\n".join(drawn).encode("cp1252")
    fonts = "/F1 << {0} /BaseFont /Helvetica-Bold >> /F2 << {0} /BaseFont /Courier >>".format(
        "/Type /Font /Subtype /Type1 /Encoding /WinAnsiEncoding"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Contents 4 0 R"
        b" /Resources << /Font << " + fonts.encode() + b" >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """Return a PDF file of objects, numbered from 1, with its cross-reference table."""
    made = b"%PDF-1.4\n"
    starts = []
    for number, body in enumerate(objects, 1):
        starts.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    return (
        made
        + b"xref\n0 %d\n0000000000 65535 f \n" % count
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(made))
    )


def _pair(name: str, value: str) -> str:
    return f"{name}{value:>{_WIDTH - len(name)}}"


def _text(text: str) -> str:
    for character in ("\\", "(", ")"):
        text = text.replace(character, "\\" + character)
    return f"({text})"
