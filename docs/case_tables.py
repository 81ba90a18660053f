"""The tables of docs/cases.md: mistakes in case files, and what is said about each."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dispute_provider._cases.case_folders import find
from dispute_provider._cases.text import located, parse_yaml
from dispute_provider._evidence.case import Case
from dispute_provider._explain.markdown import table
from dispute_provider.exceptions import InvalidCaseError, Violation

VALUES = [
    ("stripe", "dispute: 12345"),
    ("stripe", "dispute: yes"),
    ("stripe", 'customer_contacted: "yes"'),
    ("stripe", "metadata: {order: 10432}"),
    ("stripe", "evidence:"),
    ("stripe", "evidence: {service_date: 20260322}"),
    ("stripe", "evidence: {customer_name: }"),
    ("stripe", 'evidence: {customer_name: " "}'),
    ("stripe", "evidence: {recipt: {file: order.pdf}}"),
    ("stripe", "evidence: {Customer Name: Jane}"),
    ("stripe", "evidence: {cover-letter: Delivered.}"),
    ("stripe", "evidence: {receipt: order.pdf}"),
    ("stripe", "evidence: {receipt: {file: 'https://shop.example/10432.pdf'}}"),
    ("stripe", "evidence: {receipt: {file: 'C:\\shop\\10432.pdf'}}"),
    ("stripe", "evidence: {receipt: {file: 'scans\\10432.pdf'}}"),
    ("stripe", "evidence: {receipt: [{file: a.pdf}, {file: b.pdf}]}"),
    ("stripe", "evidence: {receipt: {file: a.pdf}, receipt: {file: b.pdf}}"),
    ("stripe", "evidence: {uncategorized_text: rebuttal.docx}"),
    ("stripe", "evidence: {customer_name: *Jane}"),
    ("stripe", "evidence: {shipping_address: 12 Main St #5}"),
    ("stripe", "facts: {shipment: {address: 1 Main St, Springfield}}"),
    ("stripe", "evidence: {customer_name: \u201cJane: Roe\u201d}"),
    ("stripe", 'evidence: {receipt: {file: "Z:\\shop\\order.pdf"}}'),
    ("stripe", "evidence: {receipt: {file: '%USERPROFILE%\\order.pdf'}}"),
    ("stripe", "evidence: {file: order.pdf}"),
    ("stripe", "Dispute: du_1"),
    ("stripe", "customer_name: Jane"),
    ("moov", "evidence: {receipt: order.pdf}"),
    ("moov", "evidence: {receipt: {file: [a.pdf, b.pdf]}}"),
    ("moov", "evidence: {cover_letter: Delivered.}"),
]
FILES = [
    "case.yaml.txt",
    "stripe/du_1/case.yaml~",
    "stripe/du_1/case.txt",
    "cases.jsonl",
    "Stripe/du_1/case.yaml",
    "stripe/2026-11/du_1/case.yaml",
    ".git/case.yaml",
    ".case.yaml",
    "2026-11/du_1/case.yaml",
    "stripe/du_1.yaml",
    "stripe/du_1/order.yaml",
    "moov/du_1/case.yaml",
]


def values() -> str:
    """Return what is said about each mistake in a value."""
    rows = []
    for api, line in VALUES:
        rows.append([f"`{line}`" + (" (Moov)" if api == "moov" else ""), _said(api, line)])
    return table(["Written", "Said"], rows)


def _said(api: str, line: str) -> str:
    name = line.partition(":")[0]
    lines = [each for each in (f"provider: {api}", "dispute: du_1") if not each.startswith(name)]
    content = "\n".join([*lines, line, *(["evidence: {}"] if name != "evidence" else [])]).encode()
    try:
        Case.parse(parse_yaml(content, "case"), source="case")
    except InvalidCaseError as error:
        [first, *_] = located(error, content).violations
        where = "" if first.pointer else "/: "
        return str(Violation(first.pointer, first.problem, first.remedy)).removeprefix(where)
    raise AssertionError(f"{line} is no mistake")


def files() -> str:
    """Return why each file that looks like a case is not read as one."""
    rows = []
    for name in FILES:
        with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(1) as threads:
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            [found] = find(root, threads, "stripe", ["du_1"])
            rows.append([f"`{name}`", f"listed: {found.ignored}"])
    rows += [
        ["a broken file that names an open dispute", "refused, with the line and the cure"],
        ["a broken file that names none, or another program's YAML", "listed: it is refused, and why"],
        [
            "a copy beside a case, such as `case (1).yaml`",
            "listed: the case beside it is read; remove one of the two",
        ],
        ["a link to a folder around it", "listed; not entered"],
        ["a case that names an open dispute by its payment", "listed, with the dispute's id"],
        ["two cases of one dispute", "refused, both, with both places"],
        ["a case at the address of another dispute", "not used; the dispute is listed as one without a case"],
    ]
    return table(["File", "What happens"], rows)
