"""Cases completed from templates: staged, reviewed and submitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from running import run

from dispute_provider._documents import letter_writer
from dispute_provider._evidence.record import Record
from dispute_provider.operators.evidence import (
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)

TEMPLATE = """
provider: stripe
reasons: [product_not_received]
evidence:
  customer_name: "{{ customer.name }}"
  shipping_carrier: "{{ shipment.carrier }}"
  shipping_date: "{{ shipment.date | date }}"
  uncategorized_text: {letter: rebuttal.txt}
"""
LETTER = """\
{{ dispute.billing.name }} paid {{ dispute.amount | money(dispute.currency) }}
(receipt {{ dispute.receipt_number }}) for {{ order.items | sentence }}.
{% if shipment.signed_by is defined %}
{{ shipment.signed_by }} signed for it.
{% endif %}
"""
HOSTILE = "{{ 7 * 7 }} {% raw %} {{ dispute.id }} <b>&amp; $(id) ${x} \\u0041"
FACTS = {
    "customer": {"name": "Jane Roe"},
    "shipment": {"carrier": "UPS", "date": "2026-03-01"},
    "order": {"items": ["a lamp", "two bulbs", HOSTILE]},
}
WRITTEN = f"Jo Doe paid 120.00 USD\n(receipt 2044-7710) for a lamp, two bulbs and {HOSTILE}."


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_template(tmp_path, "not-received", TEMPLATE)
    (tmp_path / "templates" / "rebuttal.txt").write_text(LETTER)
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_ROOTS", str(tmp_path))
    return tmp_path


@pytest.fixture
def dispute(sandbox: Any, stripe_connection: Any) -> Any:
    sandbox.create_dispute(api="stripe", id="du_1", reason="product_not_received", amount=12000)
    return sandbox


def write_template(root: Path, name: str, text: str) -> None:
    (root / "templates").mkdir(exist_ok=True)
    (root / "templates" / f"{name}.yaml").write_text(text)


def case(facts: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"provider": "stripe", "dispute": "du_1", "facts": FACTS if facts is None else facts, **more}


def stage(*cases: dict[str, Any], conn_id: str = "stripe_default", **more: Any) -> list[Record]:
    operator = StageEvidenceOperator(task_id="stage", cases=list(cases), conn_id=conn_id, **more)
    return [Record.from_dict(each) for each in run(operator)]


def test_a_case_is_completed_reviewed_and_submitted(engine: Any, dispute: Any, root: Path) -> None:
    with DAG("contest_from_template", schedule=None) as dag:
        staged = StageEvidenceOperator(task_id="stage", cases=[case()], conn_id="stripe_default")
        review = ReviewEvidenceOperator(task_id="review", staged=staged.output)
        SubmitEvidenceOperator(task_id="submit", approved=review.output)

    def submit(form: dict[str, Any]) -> dict[str, Any]:
        return {"chosen_options": form["options"][:1], "params_input": {}}

    done = engine.run(dag, submit)
    body = engine.forms[0]["body"].replace("\\", "")
    assert "template not-received (" in body
    assert "used the facts: customer.name, shipment.carrier, shipment.date, dispute.billing.name" in body
    [record] = map(Record.from_dict, engine.result(done, "submit"))
    assert record.state == "submitted"
    held = dispute.dispute("du_1")["evidence"]
    assert held["uncategorized_text"] == WRITTEN
    assert held["shipping_date"] == "1 March 2026"
    # References, digests and names of facts pass between tasks, no texts.
    passed = json.dumps([engine.result(done, task) for task in ("stage", "review", "submit")])
    assert "Jane Roe" not in passed
    assert "two bulbs" not in passed


def test_a_list_and_a_boolean_are_written_as_a_bank_reads_them(dispute: Any, root: Path) -> None:
    text = (
        "{{ box.all }}; {{ box.all | length }}; {{ box.insured }}; {{ [true, 2] | sentence }}; "
        "{{ box.lines | map(attribute='name') | sentence }}; {{ box.lines | map(attribute='name') }}; "
        "{{ none }}{{ [] }}none"
    )
    write_template(root, "parcels", f'provider: stripe\nevidence: {{uncategorized_text: "{text}"}}')
    lines = [{"name": "a lamp"}, {"name": "a bulb"}]
    box = {"all": ["1Z", "2Z", "3Z"], "insured": False, "lines": lines}
    [record] = stage(case({"box": box}, template="parcels"))
    assert record.state == "staged"
    assert dispute.dispute("du_1")["evidence"]["uncategorized_text"] == (
        "1Z, 2Z and 3Z; 3; no; yes and 2; a lamp and a bulb; a lamp and a bulb; none"
    )


def test_evidence_of_the_case_has_precedence(dispute: Any, root: Path) -> None:
    [record] = stage(case(evidence={"customer_name": "J. Roe", "service_date": "1 March"}))
    assert record.state == "staged"
    held = dispute.dispute("du_1")["evidence"]
    assert (held["customer_name"], held["service_date"]) == ("J. Roe", "1 March")
    assert held["uncategorized_text"] == WRITTEN


@pytest.mark.parametrize(
    ("api", "evidence", "named"),
    [
        ("stripe", {"product_description": "Order {{ order.number }}"}, ["Product description"]),
        (
            "stripe",
            {"customer_name": "${NAME}", "uncategorized_text": "{% if a %}b{% endif %}"},
            ["Customer's name", "Additional information"],
        ),
        ("moov", {"cover-letter": ["Fine.", "Order {{order.number|upper}}"]}, ["Cover letter"]),
        ("stripe", {"uncategorized_text": 'He wrote {"a": {"b": 1}} and 100% {sic} $(id) {{ 7 }}'}, []),
    ],
)
def test_a_placeholder_without_a_template_is_sent_as_it_stands_with_a_warning(
    api: str, evidence: Any, named: list[str], sandbox: Any, stripe_connection: Any, moov_connection: Any
) -> None:
    created = sandbox.create_dispute(api=api)
    given = {"provider": api, "dispute": created["id"], "evidence": evidence}
    [record] = stage(given, conn_id=f"{api}_default")
    assert record.state == "staged", record.reason
    said = "has a placeholder such as {{ order.number }}, and is sent with it: only templates are filled in"
    assert list(record.warnings) == [f"{name} {said}" for name in named]


def test_missing_facts_are_named_and_their_evidence_is_left_out(dispute: Any, root: Path) -> None:
    facts = {"customer": {"name": ""}, "shipment": {"carrier": "UPS", "date": None}, "order": {}}
    [record] = stage(case(facts))
    assert record.state == "staged"
    assert record.verdict == "weak"
    named = [each for each in record.missing if "template" in each]
    assert named == [
        "Customer's name: template not-received needs customer.name",
        "Shipping date: template not-received needs shipment.date",
        "Additional information: template not-received needs order.items",
    ]
    held = dispute.dispute("du_1")["evidence"]
    assert held["shipping_carrier"] == "UPS"
    assert "uncategorized_text" not in held


def test_evidence_that_lacks_facts_is_not_ready(dispute: Any, root: Path) -> None:
    [complete] = stage(case(product="service"))
    [record] = stage(case({**FACTS, "customer": {}}, product="service"))
    assert complete.missing != record.missing
    assert record.verdict != "ready"
    [refused] = stage(case({**FACTS, "customer": {}}), require_verdict="ready")
    assert "require_verdict is ready" in refused.reason


def test_a_case_for_which_nothing_can_be_written_is_refused(dispute: Any, root: Path) -> None:
    [record] = stage(case({}))
    assert record.state == "refused"
    assert "the template not-received lacks facts: customer.name, shipment.carrier, shipment.date, " in (
        record.reason
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("reasons: [product_not_received]", "required but missing: provider"),
        ("provider: stripe\nfor: x\nevidence: {}", "line 2, /for: is no field of a template"),
        ("provider: stripe\nevidence: [", "line 2 is not valid YAML"),
        (
            'provider: stripe\nevidence: {customer_name: "{% if %}"}',
            "its text for customer_name: Exp",
        ),
        (
            'provider: stripe\nevidence: {customer_name: "{{ customer }}"}',
            "customer has several values; name",
        ),
        (
            'provider: stripe\nevidence: {customer_name: "{{ 1 // 0 }}"}',
            "its text for customer_name: ZeroDivisionError; correct it",
        ),
        (
            'provider: stripe\nevidence: {customer_nam: "x"}',
            "it is no evidence field of Stripe; did you mean",
        ),
        (
            'provider: stripe\nevidence: {receipt: {file: "../{{ customer.name }}"}}',
            "outside the case's folder",
        ),
        ("provider: stripe\nevidence: {customer_name: {letter: ../a.txt}}", "is not the name of a file"),
        (
            "provider: stripe\nevidence: {customer_name: {letter: none.txt}}",
            "it cannot be read: there is no such file",
        ),
        ("provider: stripe\nevidence: {customer_name: \"{{ ''.__class__ }}\"}", "templates may not use"),
        (f'provider: stripe\nevidence: {{customer_name: "{"x" * 150_001}"}}', "150,000"),
    ],
)
def test_a_faulty_template_is_named_with_its_fault(
    dispute: Any, root: Path, template: str, reason: str
) -> None:
    write_template(root, "faulty", template)
    [record] = stage(case(template="faulty"))
    assert record.state == "refused"
    assert reason in record.reason
    assert "faulty" in record.reason
    assert "Jane" not in record.reason


@pytest.mark.parametrize(
    ("written", "taken_by", "said"),
    [
        ("03/07/2026", "date", "is written as 99/99/9999, which is no date that is read alike everywhere"),
        ("1st of March", "date", "is written as 9aa aa Aaaaa, which is no date"),
        ("Jane Roe of 7 Bird Street", "date", "is written as Aaaa Aaa aa 9 Aaaa A…, which is no date"),
        (20260301.5, "date", "is written as a number, which is no date"),
        ("98.70", "money('eur')", "is written as 99.99, which is no whole number of minor units"),
        ("a lamp", "sentence", "is written as a aaaa, which is no list (template own); write a list"),
    ],
)
def test_a_fact_in_another_form_is_named_with_its_form_and_the_cure(
    dispute: Any, root: Path, written: Any, taken_by: str, said: str
) -> None:
    write_template(
        root, "own", f'provider: stripe\nevidence: {{customer_name: "{{{{ order.placed | {taken_by} }}}}"}}'
    )
    [record] = stage(case({"order": {"placed": written}}, template="own"))
    assert record.state == "refused"
    assert f"/facts/order/placed: {said}" in record.reason
    assert "; write " in record.reason
    assert "own.yaml" not in record.reason
    assert str(written) not in record.reason


def test_a_fact_in_another_form_is_named_with_its_line(dispute: Any, root: Path) -> None:
    write_template(root, "own", "provider: stripe\nevidence: {service_date: '{{ order.placed | date }}'}")
    path = root / "case.yaml"
    path.write_text("provider: stripe\ndispute: du_1\ntemplate: own\nfacts:\n  order: {placed: 3.7.2026}\n")
    [record] = stage(str(path))
    assert "line 5, /facts/order/placed: is written as 9.9.9999" in record.reason


def test_a_text_that_is_too_long_for_its_field_is_refused_with_the_limit(
    sandbox: Any, moov_connection: Any, root: Path
) -> None:
    made = sandbox.create_dispute(api="moov")
    write_template(root, "long", 'provider: moov\nevidence: {cover-letter: "{{ order.story }}"}')
    facts = {"order": {"story": "x" * 751}}
    given = {"provider": "moov", "dispute": made["id"], "template": "long", "facts": facts}
    [record] = stage(given, conn_id="moov_default")
    assert record.state == "refused"
    assert "/evidence/cover-letter: as the template long writes it, it has 751 characters" in record.reason
    facts["order"]["story"] = "x" * 750
    [record] = stage(given, conn_id="moov_default")
    assert record.state == "staged"


def test_a_letter_that_never_ends_or_fills_memory_stops_only_its_own_case(
    dispute: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_writer, "SECONDS", 1.0)
    nested = "".join(f"{{% for {c} in order.items[2] %}}" for c in "abcdefgh") + "{% endfor %}" * 8
    names = {"loops": nested, "computes": "{{ 10 ** (10 ** 8) }}", "fills": "{{ 'a' * 10 ** 10 }}"}
    cases = [case()]
    for name, text in names.items():
        write_template(
            root, name, f'provider: stripe\nreasons: [{name}]\nevidence: {{customer_name: "{text}"}}'
        )
        dispute.create_dispute(api="stripe", id=f"du_{name}")
        cases.append({**case(template=name), "dispute": f"du_{name}"})
    first, *others = stage(*cases)
    assert first.state == "staged"
    for record in others:
        assert record.state == "refused"
        assert "it needs more than 1 seconds or 1 GiB of memory; simplify it" in record.reason


def test_the_closest_template_is_taken_and_two_equally_close_refuse(dispute: Any, root: Path) -> None:
    closer = TEMPLATE + "products: [digital]"
    write_template(root, "closer", closer)
    [record] = stage(case(product="digital"))
    assert any(note.startswith("template closer (") for note in record.notes)
    [record] = stage(case(product="physical"))
    assert any(note.startswith("template not-received (") for note in record.notes)
    write_template(root, "other", closer)
    [record] = stage(case(product="digital"))
    assert record.state == "refused"
    assert "the templates closer and other in " in record.reason
    assert "name one of them in the case with template" in record.reason
    [record] = stage(case(product="digital", template="other"))
    assert record.state == "staged"


def test_a_shipped_template_is_used_if_no_root_has_one_that_suits(
    sandbox: Any, stripe_connection: Any, root: Path
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", reason="fraudulent")
    [record] = stage(case({"order": {"number": "1", "date": "2026-03-01", "description": "A lamp"}}))
    assert "no template suits a stripe dispute with reason fraudulent" in record.reason
    order = {"number": "1", "date": "2026-03-01", "description": "A lamp"}
    [record] = stage(case({"order": order, "access": {"date": "2026-03-02"}}, product="digital"))
    assert record.state == "staged"
    assert any(note.startswith("template stripe-fraudulent-digital (") for note in record.notes)
    assert "Jo Doe" in sandbox.dispute("du_1")["evidence"]["uncategorized_text"]


def test_an_answered_dispute_needs_no_template(dispute: Any, root: Path) -> None:
    dispute.edit_dispute("du_1", status="under_review")
    [record] = stage(case({}))
    assert record.state == "already-submitted"


def test_a_sweep_reviews_a_completed_case_again_only_if_something_changed(
    sweep: Any, sandbox: Any, cases: Path
) -> None:
    sandbox.create_dispute(api="stripe", id="du_1", reason="product_not_received", amount=12000)
    write_template(cases, "not-received", TEMPLATE)
    (cases / "templates" / "rebuttal.txt").write_text(LETTER)
    path = cases / "stripe" / "du_1" / "case.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(case()))
    for _ in range(2):
        sweep.run()
        assert len(sweep.reviews()) == 1
    (cases / "templates" / "rebuttal.txt").write_text(LETTER + "Sincerely")
    sweep.run()
    assert len(sweep.reviews()) == 2
