"""What people get wrong in case files, and what they are told to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dispute_provider._cases import files
from dispute_provider._cases.text import located, parse_json, parse_yaml
from dispute_provider._evidence.case import Case
from dispute_provider.exceptions import InvalidCaseError

STRIPE = "provider: stripe\ndispute: du_1\nevidence:\n"
MOOV = "provider: moov\ndispute: 04c2664e-e55c-545c-8673-a0a201003253\nevidence:\n"
DOCUMENT_FIELDS = "a document belongs in one of: appeal/card/supporting_files, cancellation_policy"


def refusal_of(text: str) -> InvalidCaseError:
    """Return the refusal of a case in YAML, with its lines."""
    content = text.encode()
    with pytest.raises(InvalidCaseError) as refused:
        Case.parse(parse_yaml(content, "case"), source="case")
    return located(refused.value, content)


# The start of a case, a line of its evidence, where the mistake is, and what is said about it.
MISTAKES = [
    (STRIPE, "  service_date: 20260322", "service_date", "is a number; put it in quotes"),
    (STRIPE, "  customer_name: yes", "customer_name", "is a boolean, as YAML reads yes, no, on and off"),
    (STRIPE, "  customer_name:", "customer_name", "is empty; write its value, or remove the line"),
    (
        STRIPE,
        "  receipt: receipt.pdf",
        "receipt",
        "name a document in the case's folder: {file: receipt.pdf}",
    ),
    (STRIPE, "  receipt: [{file: a.pdf}, {file: b.pdf}]", "receipt", "join several into one PDF"),
    (STRIPE, "  receipt: {file: [a.pdf, b.pdf]}", "receipt/file", "join several into one PDF"),
    (STRIPE, "  uncategorized_text: {file: a.pdf}", "uncategorized_text", DOCUMENT_FIELDS),
    (STRIPE, "  uncategorized_text: rebuttal.docx", "uncategorized_text", "is the name of a file"),
    (STRIPE, "  Recipt: {file: a.pdf}", "Recipt", "did you mean receipt?"),
    (STRIPE, "  Customer Name: Jane", "Customer Name", "did you mean customer_name?"),
    (STRIPE, "  cover-letter: Delivered.", "cover-letter", "is no evidence field of Stripe; must be one of"),
    (STRIPE, "  receipt: {file: 5}", "receipt/file", "is a number"),
    (MOOV, "  receipt: receipt.pdf", "receipt", "name the document: {file: receipt.pdf}"),
    (MOOV, "  receipt: {file: [a.pdf, b.pdf]}", "receipt/file", "[{file: receipt.pdf}, …]"),
    (MOOV, "  receipt: [Paid., 12]", "receipt/1", "is a number; put it in quotes"),
    (MOOV, "  cover_letter: Delivered.", "cover_letter", "did you mean cover-letter?"),
    (MOOV, "  customer_name: Jane", "customer_name", "is no evidence field of Moov; must be one of"),
]


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@pytest.mark.parametrize(("start", "line", "where", "said"), MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_its_cure(start, line, where, said, suffix, tmp_path: Path):
    text = f"{start}{line}\n"
    if suffix == ".json":
        text = json.dumps(yaml.safe_load(text), indent=2)
    (tmp_path / f"case{suffix}").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidCaseError) as refused:
        files.read_case(str(tmp_path / f"case{suffix}"))
    [violation] = [each for each in refused.value.violations if each.pointer == f"/evidence/{where}"]
    assert said in f"{violation.problem}; {violation.remedy}"
    member = where.partition("/")[0]
    assert violation.line is not None
    assert member in text.splitlines()[violation.line - 1] or violation.line > 4
    assert f"line {violation.line}, /evidence/{where}: " in str(refused.value)


def test_all_mistakes_of_a_case_are_said_at_once():
    evidence = {"recipt": "x", "foo": "y", "customer_name": 5, "receipt": {"fil": "a.pdf"}}
    with pytest.raises(InvalidCaseError) as refused:
        Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": evidence})
    assert {each.pointer for each in refused.value.violations} == {f"/evidence/{name}" for name in evidence}


@pytest.mark.parametrize(
    ("parse", "content", "said"),
    [
        (parse_yaml, "a: 1\nb: 2\na: 3", "line 3: 'a' is given twice, first in line 1"),
        (parse_yaml, "a: {b: 1, b: 1}", "line 1: 'b' is given twice"),
        (parse_yaml, "a:\n- b: 1\n  c: 2\n  b: 3", "line 4: 'b' is given twice, first in line 2"),
        (parse_json, '{"a": 1,\n"b": {"c": "\\"c\\": 1", "c":\n2}}', "line 2: 'c' is given twice"),
        (
            parse_json,
            '{\n"a": 1,\n"b": [{"a": 1}, {"a": 2}],\n"a": 3}',
            "line 4: 'a' is given twice, first in line 2",
        ),
        (parse_json, '{"a": 1, "\\u0061": 2}', "'a' is given twice"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_both_lines(parse, content, said):
    with pytest.raises(InvalidCaseError) as refused:
        parse(content.encode(), "case")
    assert said in str(refused.value)
    assert "keep one of them" in str(refused.value)


KEYS = st.text(st.sampled_from('ab"\\:{}[],\n é'), max_size=3)
VALUES = st.recursive(
    st.text(max_size=3) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5), st.sampled_from([None, 2]))
def test_json_is_refused_exactly_if_a_key_is_given_twice(members, indent):
    written = [f"{json.dumps(key)}: {json.dumps(value, indent=indent)}" for key, value in members]
    content = ("{" + ",\n".join(written) + "}").encode()
    names = [key for key, _ in members]
    if len(set(names)) == len(names):
        assert parse_json(content, "case") == dict(members)
    else:
        with pytest.raises(InvalidCaseError, match="is given twice"):
            parse_json(content, "case")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
def test_each_encoding_with_a_byte_order_mark_is_read(encoding, parse):
    content = '{"evidence": "Zoë ☂"}'.encode(encoding)
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    assert parse(marks.get(encoding, b"") + content, "case") == {"evidence": "Zoë ☂"}


@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
def test_another_encoding_is_refused_with_its_line(parse):
    with pytest.raises(InvalidCaseError, match="line 2, byte 10 is not UTF-8; save the file as UTF-8"):
        parse('{"a": 1,\n "b": "Zoë"}'.encode("latin-1"), "case")


# A line before the evidence, where the mistake is, and what is said about it.
FACTS = [
    ("dispute: 12345", "dispute", "is a number; put it in quotes"),
    ("dispute: yes", "dispute", "is a boolean, as YAML reads yes, no, on and off; put it in quotes"),
    ("dispute:", "dispute", "is empty; write its value, or remove the line"),
    ("prepared_by: 7", "prepared_by", "is a number; put it in quotes"),
    ('customer_contacted: "yes"', "customer_contacted", "is a text; write true or false, without quotes"),
    ("metadata: {order: 10432}", "metadata/order", "is a number; put it in quotes"),
    ("metadata: {10432: order}", "metadata/10432", "has a key without quotes; put it in quotes"),
    ("metadata:", "metadata", "is empty; list its values below it, or write {}"),
]


@pytest.mark.parametrize(("line", "where", "said"), FACTS)
def test_a_fact_without_its_quotes_is_refused_with_its_cure(line, where, said):
    start = "" if line.startswith("dispute") else "dispute: du_1\n"
    told = str(refusal_of(f"provider: stripe\n{start}{line}\nevidence: {{recipt: x}}\n"))
    assert f"line {2 + bool(start)}, /{where}: {said}" in told
    # One mistake does not hide another.
    assert "did you mean receipt?" in told


def test_a_date_without_quotes_stays_as_it_was_written():
    content = b"provider: stripe\ndispute: 2026-01-31\nevidence: {service_date: 2026-02-03}\n"
    case = Case.parse(parse_yaml(content, "case"))
    assert (case.dispute, case.evidence[0].value) == ("2026-01-31", "2026-02-03")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f"{STRIPE}  shipping_address: 12 Main St #5\n", 4, "what follows # is a comment"),
        (f"{STRIPE}  customer_name: Jane\n---\n{STRIPE}", 5, "a second case starts here"),
        (f"{STRIPE}\tcustomer_name: Jane\n", 4, "is not valid YAML; indent with spaces"),
        (f"{STRIPE}  customer_name: 'Jane\n  product_description: lamp\n", 4, "close quotes and brackets"),
    ],
)
def test_a_text_that_yaml_reads_otherwise_is_refused_with_its_line(text, line, said) -> None:
    with pytest.raises(InvalidCaseError, match=said) as refused:
        parse_yaml(text.encode(), "case")
    assert f"line {line}" in str(refused.value)


@pytest.mark.parametrize("comment", [" # paid", "  #", " #-----", "\n#5"])
def test_a_comment_remains_one(comment) -> None:
    text = f"{STRIPE}  customer_name: Jane{comment}\n"
    assert parse_yaml(text.encode(), "case")["evidence"] == {"customer_name": "Jane"}


@pytest.mark.parametrize(
    ("line", "where", "said"),
    [
        ("Dispute: du_1", "Dispute", "is no field of a case; did you mean dispute?"),
        ("api: stripe", "api", "is no field of a case; did you mean provider?"),
        (
            "customer_name: Jane",
            "customer_name",
            "is evidence, and not in evidence; indent it below evidence:",
        ),
        (
            "note: hello",
            "note",
            "is no field of a case; must be one of: account, customer_contacted, dispute",
        ),
        ("metadata: [a]", "metadata", "is a list; list its values as name: value, without dashes"),
        ("facts: order", "facts", "is a text; list its values below it, with a space after each colon"),
        ("facts: {order.number: '1'}", "facts", "write order.number as order: {number: …}"),
        ("template: mine.yaml", "template", "must be the name of a template's file, without .yaml"),
        ("customer_contacted: 1", "customer_contacted", "is a number; write true or false, without quotes"),
    ],
)
def test_a_mistake_beside_the_evidence_is_refused_with_its_line_and_its_cure(line, where, said) -> None:
    [violation] = refusal_of(f"provider: stripe\ndispute: du_1\n{line}\nevidence: {{}}\n").violations
    assert (violation.line, violation.pointer) == (3, f"/{where}")
    assert said in f"{violation.problem}; {violation.remedy}"


def test_an_unknown_api_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidCaseError, match="is no API known here; must be one of: stripe, moov"):
        Case.parse({"provider": "paypal", "dispute": "du_1", "evidence": {}})


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ('{"dispute": "du_1",}', "remove the comma before the closing bracket"),
        ('{"prepare": ["clean",]}', "remove the comma before the closing bracket"),
        ('{// order 5\n"dispute": "du_1"}', "remove the comment, or name the file case.yaml"),
        ("{'dispute': 'du_1'}", 'write double quotes: "'),
        ("{\u201cdispute\u201d: 1}", 'write straight quotes: "'),
        ('{"dispute" "du_1"}', "correct it"),
    ],
)
def test_a_usual_mistake_in_json_has_its_cure(text: str, cure: str) -> None:
    with pytest.raises(InvalidCaseError) as refused:
        parse_json(text.encode(), "case")
    assert cure in str(refused.value)


@pytest.mark.parametrize(
    "facts", ["{a: 1 Main St, Springfield}", "{a: {b: x, y  }}", "{a: [{b: 1, c}]}", "{a: \u00e9, d, e: 1}"]
)
def test_a_text_that_ends_at_a_comma_is_refused(facts: str) -> None:
    [violation] = refusal_of(f"provider: stripe\ndispute: du_1\nfacts: {facts}").violations
    assert "a comma ends the text before this, and this has no value" in violation.problem


@pytest.mark.parametrize(
    "facts",
    ["{a: , b: }", '{"a":1,"b":null}', "{a: [b, c], 'd' : , e: 'f, g'}", "{a: 1,}", "{a: &x b, c: *x}"],
)
def test_a_value_that_is_left_empty_stays_so(facts: str) -> None:
    assert parse_yaml(f"facts: {facts}".encode(), "case")["facts"] == yaml.safe_load(facts)
