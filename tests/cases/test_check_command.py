"""``python -m dispute_provider.cases``: what it says about cases, and the schema that it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import papers
import pytest
import yaml
from counting import counting_store
from jsonschema import Draft202012Validator

from dispute_provider._cases.editor_schema import editor_schema
from dispute_provider._contracts import contract
from dispute_provider._evidence.case import Case
from dispute_provider.cases.__main__ import main
from dispute_provider.exceptions import InvalidCaseError

SHIPPED = Path(__file__).parents[2] / "schemas" / "case.editor.schema.json"
CASE = "provider: stripe\ndispute: {}\nproduct: physical\nevidence: {{receipt: {{file: receipt.pdf}}{}}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, dispute: str, more: str = "", name: str = "case.yaml") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(CASE.format(dispute, more), encoding="utf-8")
    (folder / "receipt.pdf").write_bytes(papers.pdf(2))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    return code, capsys.readouterr().out


def test_a_case_is_checked_with_its_verdict_and_its_limits(root, capsys):
    write(root / "stripe" / "du_1", "du_1")
    code, out = said(capsys, "check", str(root))
    assert code == 0
    assert "dispute: stripe du_1" in out
    assert "verdict: missing for every reason" in out
    assert "0 of 150,000 characters · 1 document · under 0.1 of 4.5 MB · 2 of 49 pages" in out
    _, out = said(capsys, "check", str(root), "--reason", "product_not_received", "--network", "mastercard")
    assert "verdict: missing; missing: customer_communication" in out
    assert "2 of 19 pages" in out


def test_a_verdict_is_given_for_each_reason(root, capsys):
    write(root, "du_1", ", customer_communication: {file: receipt.pdf}")
    _, out = said(capsys, "check", str(root / "case.yaml"))
    assert "verdict: weak for credit_not_processed, duplicate, fraudulent, product_not_received" in out


def test_what_is_refused_or_ignored_is_named_with_its_cure(root, capsys):
    write(root / "stripe" / "du_1", "du_1", ", recipt: x")
    write(root / "stripe" / "du_2", "du_3")
    write(root / ".git", "du_4")
    write(root / "2026" / "du_5", "du_5")
    code, out = said(capsys, "check", str(root))
    assert code == 1
    assert "line 4, /evidence/recipt: is no evidence field of Stripe; did you mean receipt?" in out
    assert "it is at the address of stripe du_2, and for stripe du_3; correct the case, or move it" in out
    assert "it is hidden" in out
    assert "folders in it are not searched" in out
    assert out.endswith("0 ok, 2 refused, 2 ignored\n")


def test_a_placeholder_that_nobody_fills_in_is_named(root, capsys):
    write(root, "du_1", ", product_description: 'Order {{ order.number }}', customer_name: '{Jane} {{'")
    code, out = said(capsys, "check", str(root))
    assert code == 0
    [warning] = [line for line in out.splitlines() if "warning" in line]
    assert warning == (
        "  warning: product_description has a placeholder such as {{ order.number }}, and is sent with it: "
        "only templates are filled in; write its value, or move the text to a template"
    )


def test_an_address_that_cannot_be_opened_is_refused_once(capsys, monkeypatch):
    monkeypatch.delenv("AIRFLOW__DISPUTE__CASE_ROOTS", raising=False)
    code, out = said(capsys, "check", "abfs://shop/cases")
    assert (code, out.splitlines()[-1]) == (1, "0 ok, 1 refused, 0 ignored")


def test_a_case_of_a_root_is_named_as_a_path(root, capsys):
    write(root / "stripe" / "du_1", "du_1")
    _, out = said(capsys, "check", str(root))
    assert out.startswith(f"{root}/stripe/du_1/case.yaml: ok")


def test_two_cases_of_one_dispute_are_both_refused(root, capsys):
    write(root / "stripe" / "du_1", "du_1")
    write(root / "order 5", "du_1")
    code, out = said(capsys, "check", str(root))
    assert code == 1
    assert out.count("several cases are for dispute du_1: ") == 2


def test_each_line_of_a_file_is_checked(root, capsys):
    lines = [{"provider": "moov", "dispute": f"d-{n}", "evidence": {"receipt": "Paid"}} for n in range(2)]
    lines.append({**lines[0], "dispute": 7})
    (root / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    code, out = said(capsys, "check", str(root / "cases.jsonl"))
    assert (code, out.splitlines()[-1]) == (1, "2 ok, 1 refused, 0 ignored")
    assert f"line 3 of {root}/cases.jsonl: refused" in out
    assert "/dispute: is a number; put it in quotes" in out


def test_the_command_runs_without_a_configured_airflow(root):
    write(root, "du_1")
    command = [sys.executable, "-m", "dispute_provider.cases", "check", str(root)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("1 ok, 0 refused, 0 ignored\n")


def test_the_shipped_schema_is_the_one_that_the_contracts_give(capsys):
    assert json.loads(SHIPPED.read_text("utf-8")) == editor_schema(), (
        "run: python -m dispute_provider.cases schema > schemas/case.editor.schema.json"
    )
    assert said(capsys, "schema") == (0, SHIPPED.read_text("utf-8"))
    Draft202012Validator.check_schema(editor_schema())


CASES = [
    *contract.read_schema("case.schema.json")["examples"],
    *map(
        yaml.safe_load,
        (
            "{provider: stripe, dispute: d, evidence: {recipt: x}}",
            "{provider: stripe, dispute: d, evidence: {cover-letter: x}}",
            "{provider: stripe, dispute: d, evidence: {receipt: a.pdf}}",
            "{provider: stripe, dispute: d, evidence: {appeal: {card: {reason_for_filing: x}}}}",
            "{provider: moov, dispute: d, evidence: {receipt: [x, {file: a.pdf}]}}",
            "{provider: moov, dispute: d, evidence: {receipt: {fil: a.pdf}}}",
            "{provider: moov, dispute: d, evidence: {customer_name: x}}",
            "{provider: paypal, dispute: d, evidence: {}}",
            "{provider: stripe, dispute: 5, evidence: {}}",
            "{provider: stripe, dispute: d, evidence: {}, metadata: {a: 5}}",
            "{dispute: d, evidence: {}}",
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=json.dumps)
def test_an_editor_accepts_what_staging_accepts(case):
    try:
        Case.parse(case)
        accepted = True
    except InvalidCaseError:
        accepted = False
    assert Draft202012Validator(editor_schema()).is_valid(case) is accepted


def test_a_case_with_facts_is_completed_from_its_template(root, capsys):
    order = "{number: '1', date: 2026-03-01, description: A lamp}"
    case = f"provider: stripe\ndispute: du_1\nproduct: digital\nfacts: {{order: {order}}}\n"
    (root / "case.yaml").write_text(case)
    code, out = said(capsys, "check", str(root))
    assert code == 0
    assert "template: the reason of the dispute decides; state it with --reason" in out
    _, out = said(capsys, "check", str(root), "--reason", "fraudulent")
    assert "template: stripe-fraudulent-digital" in out
    assert "note: access_activity_log needs access.log" in out
    assert "dispute." not in out
    (root / "case.yaml").write_text(case + "template: mine\n")
    code, out = said(capsys, "check", str(root))
    assert code == 1
    assert "there is no template mine; put mine.yaml into the folder templates of a case root" in out
    (root / "templates").mkdir()
    (root / "templates" / "mine.yaml").write_text(
        "provider: stripe\nevidence: {product_description: '{{ order.date }}'}"
    )
    code, out = said(capsys, "check", str(root))
    assert "template: mine" in out
    assert "2 ok, 0 refused, 0 ignored" in out


def test_what_is_wrong_with_a_place_is_said(root, capsys):
    write(root / "moov" / "du_1", "du_1")
    write(root / "stripe" / "du_2 (1)", "du_2")
    write(root / "stripe" / "du_3", "du_3")
    code, out = said(capsys, "check", str(root))
    assert "it is at the address of moov du_1, and for stripe du_1; correct the case, or move it" in out
    assert "its name is not the id of a dispute; rename it" in out
    assert "this dispute's folder is" not in out
    assert (code, out.splitlines()[-1]) == (1, "1 ok, 1 refused, 1 ignored")


def test_a_link_that_leads_out_of_the_root_is_refused_as_in_a_sweep(root, capsys, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere, "du_1")
    (root / "stripe").mkdir()
    (root / "stripe" / "du_1").symlink_to(elsewhere)
    code, out = said(capsys, "check", str(root))
    assert (code, "it is outside the folders that may be read" in out) == (1, True)


def test_a_document_that_is_missing_is_named_with_its_line_and_the_one_that_is_meant(root, capsys):
    write(
        root / "stripe" / "du_1",
        "du_1",
        ", cancellation_policy: {file: Receipt.PDF}, refund_policy: {file: terms.pdf}",
    )
    code, out = said(capsys, "check", str(root))
    assert code == 1
    assert (
        "line 4, /evidence/cancellation_policy: Receipt.PDF: there is no such file; did you mean receipt.pdf?"
        in out
    )
    assert (
        "line 4, /evidence/refund_policy: terms.pdf: there is no such file; put it in the case's folder"
        in out
    )


def test_an_empty_root_says_where_cases_belong(root, capsys):
    code, out = said(capsys, "check", str(root))
    assert (code, out.splitlines()[0]) == (
        0,
        "there is no case; in a case root, they are at <api>/<dispute id>/case.yaml",
    )


@pytest.mark.parametrize("path", ["case.json", "cases.jsonl"])
def test_a_case_in_a_store_is_checked_by_its_address(path, monkeypatch, capsys):
    line = json.dumps({"provider": "stripe", "dispute": "du_1", "evidence": {"customer_name": "Jane"}})
    counting_store(monkeypatch).pipe_file(f"/a/{path}", line.encode())
    code, out = said(capsys, "check", f"memory://a/{path}")
    assert (code, out.splitlines()[-1]) == (0, "1 ok, 0 refused, 0 ignored"), out


@pytest.mark.parametrize("path", ["case.yaml", "cases.jsonl"])
def test_the_package_that_an_address_needs_is_named(path, capsys, monkeypatch):
    monkeypatch.delenv("AIRFLOW__DISPUTE__CASE_ROOTS", raising=False)
    code, out = said(capsys, "check", f"abfs://shop/{path}")
    assert code == 1
    assert "install apache-airflow-providers-microsoft-azure" in out
