"""``python -m dispute_provider.cases check`` about templates: what is wrong with them, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispute_provider._cases.templates import SHIPPED
from dispute_provider.cases.__main__ import main

GOOD = """\
provider: stripe
reasons: [product_not_received]
products: [physical]
evidence:
  customer_name: "{{ dispute.billing.name | default(customer.name) }}"
  shipping_date: "{{ shipment.date | date }}"
  receipt:
    exhibits:
      - "{{ documents.receipt }}"
      - {file: "{{ documents.slip }}", caption: "Slip of {{ shipment.date }}"}
  uncategorized_text: {letter: rebuttal.txt}
"""
LETTER = """\
Order {{ order.number }} of {{ order.items | map(attribute='name') | sentence }}.
{% if shipment.signed_by is defined %}
{{ shipment.signed_by }} signed for it.
{% for box in boxes %}{{ box.number }}{{ loop.last }}{% endfor %}
{% endif %}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    return tmp_path / "templates"


def said(capsys: pytest.CaptureFixture[str], path: Path | str) -> tuple[int, str]:
    code = main(["check", str(path)])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("of", ["the file", "the folder", "the root"])
def test_what_a_template_is_for_and_needs_is_said(of: str, folder: Path, capsys) -> None:
    (folder / "mine.yaml").write_text(GOOD)
    (folder / "rebuttal.txt").write_bytes(LETTER.replace("\n", "\r\n").encode("utf-16"))
    paths = {"the file": folder / "mine.yaml", "the folder": f"{folder}/", "the root": folder.parent}
    code, out = said(capsys, paths[of])
    assert code == 0
    assert out == (
        f"{folder}/mine.yaml: ok\n"
        "  template: mine, for stripe: reasons product_not_received; products physical\n"
        "  facts: customer_name may use customer.name\n"
        "  facts: shipping_date needs shipment.date\n"
        "  facts: receipt needs documents.receipt, documents.slip, shipment.date\n"
        "  facts: uncategorized_text needs order.number, order.items; may use shipment.signed_by, boxes\n"
        "  limits: uncategorized_text has 12 to 28 of 20,000 characters without its facts\n"
        "1 ok, 0 refused, 0 ignored\n"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "  customer_nam: x",
            "/evidence/customer_nam: is no evidence field of Stripe; did you mean customer_name?",
        ),
        (
            '  customer_name: "{{ a | dat }}"',
            "/evidence/customer_name: its text is faulty: there is no filter dat; did you mean date?",
        ),
        (
            '  customer_name: "{{ a | default(\N{LEFT SINGLE QUOTATION MARK}x\') }}"',
            "unexpected char '\N{LEFT SINGLE QUOTATION MARK}' at 15; write straight quotes between the",
        ),
        ('  customer_name: "{{ a }"', "unexpected '}'; correct it"),
        (
            '  customer_name: "{{ dispute.reson }}"',
            "no dispute.reson; did you mean dispute.reason?",
        ),
        (
            '  receipt: "{{ documents.receipt }}"',
            "/evidence/receipt: is a text; name a document",
        ),
        (
            "  uncategorized_text: {letter: faulty.txt}",
            "line 3 of faulty.txt: Encountered unknown tag",
        ),
        (
            "  uncategorized_text: {letter: [faulty.txt, faulty.txt]}",
            "line 3 of faulty.txt: Encountered unknown",
        ),
        ("  uncategorized_text: {letter: none.txt}", "none.txt: /: it cannot be read: there is no such file"),
        ("  receipt: {file: C:\\a.pdf}", "is a path outside the case's folder"),
        ("reason: [fraudulent]", "line 7, /reason: is no field of a template; did you mean reasons?"),
        ("products: physical", "line 7, /products: is a text; write a list"),
        ("network_codes: [13.1]", "line 7, /network_codes/0: is a number; put it in quotes"),
        ("  customer_name: [", "is not valid YAML"),
    ],
)
def test_a_mistake_is_said_with_its_line_and_the_cure(line: str, problem: str, folder: Path, capsys) -> None:
    (folder / "faulty.txt").write_text("a\n{% if b %}\n{% endfi %}\n")
    (folder / "good.txt").write_text("a\nb\n")
    evidence = "evidence:" if line.startswith(" ") else "evidence: {}"
    (folder / "mine.yaml").write_text(f"provider: stripe\n\n\n\n\n{evidence}\n{line}", encoding="utf-8")
    code, out = said(capsys, folder / "mine.yaml")
    assert code == 1
    assert problem in out
    if problem.startswith("/"):
        assert f"line 7, {problem}" in out


def test_an_api_that_is_unknown_is_refused(folder: Path, capsys) -> None:
    (folder / "mine.yaml").write_text("provider: Stripe\nevidence: {}")
    assert (
        said(capsys, folder)[1].count("line 1, /provider: is no API known here; must be one of: stripe, moov")
        == 1
    )


def test_what_suits_no_dispute_or_two_is_named(folder: Path, capsys) -> None:
    (folder / "one.yaml").write_text("provider: stripe\nreasons: [fraudulant, general]\nevidence: {}")
    (folder / "two.yml").write_text("provider: stripe\nreasons: [general]\nevidence: {}")
    (folder / "three.yaml").write_text("provider: moov\nevidence: {}")
    (folder / "four.yaml.txt").write_text("provider: moov\nevidence: {}")
    code, out = said(capsys, folder)
    assert code == 0
    assert "fraudulant is no reason that Stripe is known to give; did you mean fraudulent?" in out
    assert "one.yaml: ok" in out
    assert (
        "note: two suits some disputes equally well; a case for one of these has to name its template" in out
    )
    assert out.count("suits some") == 2
    assert "four.yaml.txt: ignored\n  its name does not end in .yaml" in out
    assert out.endswith("3 ok, 0 refused, 1 ignored\n")


def test_a_letter_is_checked_with_its_templates(folder: Path, capsys) -> None:
    (folder / "rebuttal.txt").write_text("{% if %}")
    code, out = said(capsys, folder / "rebuttal.txt")
    assert code == 0
    assert "a letter is checked with the templates that name it" in out
    code, out = said(capsys, folder / "none.yaml")
    assert (code, "there is no such file or folder" in out) == (1, True)


def test_a_text_that_is_too_long_without_its_facts_is_named(folder: Path, capsys) -> None:
    (folder / "mine.yaml").write_text(f"provider: moov\nevidence: {{cover-letter: '{'x' * 751}{{{{ a }}}}'}}")
    code, out = said(capsys, folder)
    assert code == 0
    assert "limits: cover-letter has 751 of 750 characters without its facts" in out
    assert "warning: cover-letter is longer than its field takes; shorten it, or switch on prepare" in out


def test_the_templates_that_ship_are_right(capsys) -> None:
    code, out = said(capsys, SHIPPED)
    assert (code, out.splitlines()[-1]) == (0, "28 ok, 0 refused, 0 ignored")
    assert "warning" not in out
    assert "note" not in out
