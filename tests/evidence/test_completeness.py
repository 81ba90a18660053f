"""Compare the verdicts with the tables of the APIs' guides, copied here by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from dispute_provider._contracts import contract
from dispute_provider._contracts.contract import Contract
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.completeness import (
    Assessment,
    Verdict,
    assess,
    fee_refusal,
    reason_in_words,
    recommended,
)
from dispute_provider._evidence.snapshot import Dispute, Evidence, Programme

SCHEMAS = Path(__file__).parents[2] / "schemas"
STRIPE, MOOV = contract.load("stripe"), contract.load("moov")
DISPUTE = Dispute(
    provider="stripe",
    account=None,
    id="du_1",
    stage="chargeback",
    status="needs_response",
    submissions=0,
    submitted=False,
    submitted_at=None,
    closed=None,
    due=datetime(2026, 12, 1, 14, 30, tzinfo=UTC),
    amount=1200,
    currency="usd",
    reason="fraudulent",
    network="visa",
    payment_method="card",
)
KINDS = ("physical", "digital", "service")

# One row per line: reasons, first letters of the products, evidence.
STRIPE_ROWS = """
credit_not_processed p    refund_policy refund_policy_disclosure refund_refusal_explanation customer_communication
credit_not_processed d,s  refund_policy refund_policy_disclosure refund_refusal_explanation customer_communication cancellation_policy cancellation_policy_disclosure cancellation_rebuttal
duplicate p      duplicate_charge_id duplicate_charge_explanation duplicate_charge_documentation customer_communication shipping_documentation
duplicate d      duplicate_charge_id duplicate_charge_explanation duplicate_charge_documentation customer_communication
duplicate s      duplicate_charge_id duplicate_charge_explanation duplicate_charge_documentation customer_communication service_documentation
fraudulent,unrecognized,product_not_received p  customer_communication customer_signature shipping_address shipping_documentation shipping_date shipping_carrier shipping_tracking_number
fraudulent,unrecognized d        customer_purchase_ip customer_name customer_email_address access_activity_log
product_not_received d           customer_purchase_ip customer_name customer_email_address access_activity_log customer_communication
fraudulent,unrecognized,product_not_received s  customer_communication customer_signature service_date service_documentation
product_unacceptable p,s         product_description uncategorized_file customer_communication refund_policy refund_policy_disclosure
product_unacceptable d           product_description uncategorized_file customer_communication refund_policy refund_policy_disclosure access_activity_log
subscription_canceled p,d        cancellation_policy cancellation_policy_disclosure cancellation_rebuttal customer_communication
subscription_canceled s          cancellation_policy cancellation_policy_disclosure cancellation_rebuttal customer_communication service_date service_documentation
noncompliant p,d,s               enhanced_evidence.visa_compliance.fee_acknowledged
general,bank_cannot_process,check_returned,customer_initiated,debit_not_authorized,incorrect_account_details,insufficient_funds p,d,s
"""  # noqa: E501  # a table
BACKGROUND = {
    "billing_address", "customer_name", "customer_email_address", "customer_purchase_ip",
    "customer_signature", "customer_communication", "receipt", "product_description",
}  # fmt: skip
IN_EVERY_ROW = {"uncategorized_text", "uncategorized_file"}

# Categories as in the guide; for "as 10.x" or "as 13.x", the row of that range that the code
# means, or several if the code does not determine it.
MOOV_ROWS = {
    "present": "receipt cover-letter",
    "absent": "proof-of-delivery receipt customer-communication generic-evidence",
    "authorization": "receipt",
    "processing": "receipt",
    "duplicate": "receipt receipt generic-evidence",
    "not received": "proof-of-delivery customer-communication",
    "cancelled": "cancelation-policy terms-of-service customer-communication",
    "not as described": "receipt terms-of-service customer-communication generic-evidence",
    "no credit": "receipt cancelation-policy",
    "no reply": "cover-letter",
}
MOOV_CODES = {
    "10.1 10.2 10.3 4870 4871 F10 F14 F30 F31 UA01 UA05 UA06": "present",
    "10.4 F29 UA02": "absent",
    "4837 4840 4849 F24": "present+absent",
    "11.1 11.2 11.3 4807 4808 4812 AT DA NA EX": "authorization",
    "12.1 12.2 12.3 12.4 12.5 12.7 4831 4842 4846 P05": "processing",
    "12.6 12.6.1 12.6.2 P08 DP": "duplicate",
    "4834": "processing+duplicate",
    "13.1 13.9 C08 RG": "not received",
    "13.2 13.7 C05 C18 C28 AP": "cancelled",
    "13.3 13.4 13.5 C31 C32 RM": "not as described",
    "13.6 13.8 C02 RN2": "no credit",
    "C04": "cancelled+no credit",
    "4853 4854": "not received+cancelled+not as described+no credit",
    "R03 R13": "no reply",
}
# Every known code, to compare with the table above.
NAMED = """10.1 10.2 10.3 10.4 11.1 12.1 12.6 13.1 13.9 13.2 13.7 13.3 13.4 13.5 13.6 13.8
4837 4840 4849 4863 4870 4871 4807 4808 4812 4853 4854 4831 4834 4842 4846 F10 F14 F24 F29 F30 F31
C02 C04 C05 C08 C18 C28 C31 C32 P05 P08 R03 R13 UA01 UA02 UA05 UA06 AT DA NA EX RM AP DP RG RN2"""


def stripe_rows() -> dict[tuple[str, str], list[str]]:
    rows = {}
    for line in STRIPE_ROWS.strip().splitlines():
        reasons, kinds, *names = line.split()
        for reason in reasons.split(","):
            rows |= {(reason, kind): names for kind in KINDS if kind[0] in kinds.split(",")}
    return rows


def moov_rows() -> dict[str, list[str]]:
    rows = {}
    for codes, categories in MOOV_CODES.items():
        names: list[str] = []
        for category in categories.split("+"):
            row = MOOV_ROWS[category].split()
            names += [name for name in dict.fromkeys(row) for _ in range(row.count(name) - names.count(name))]
        rows |= dict.fromkeys(codes.split(), names)
    return rows


def pieces(names: Iterable[str]) -> list[Evidence]:
    """Return evidence of these names; a path becomes structured evidence."""
    found = []
    for name in names:
        first, *path = name.split(".")
        value: Any = True
        for step in reversed(path):
            value = {step: value}
        found.append(Evidence(first, value=value) if path else Evidence(first, text="x"))
    return found


def about(reason: str, product: str | None, names: Iterable[str], **facts: Any) -> Assessment:
    return assess(STRIPE, replace(DISPUTE, reason=reason, **facts), product, pieces(names))


def about_code(code: str, names: Iterable[str]) -> Assessment:
    return assess(MOOV, replace(DISPUTE, reason="x", network_code=code, network=None), None, pieces(names))


def missing(assessment: Assessment) -> list[str]:
    return sorted(name for name, _ in assessment.missing)


class TestAppeals:
    @pytest.mark.parametrize("reason", ["fraudulent", "general", "noncompliant", "of a later version"])
    @pytest.mark.parametrize("product", [None, "physical"])
    def test_the_evidence_for_an_appeal_is_the_same_for_every_reason(
        self, reason: str, product: str | None
    ) -> None:
        names = ["appeal/card/reason_for_filing", "appeal/card/supporting_files"]
        for count, verdict in enumerate(("missing", "weak", "ready")):
            found = about(reason, product, names[:count], stage="appeal")
            assert (found.verdict, missing(found), found.more) == (verdict, names[count:], ())
            assert found.warnings == ("The card network decides an appeal, and can charge a high fee for it",)

    def test_an_appeal_of_a_compliance_case_needs_no_accepted_fee(self) -> None:
        dispute = replace(DISPUTE, reason="noncompliant", network="visa", stage="appeal")
        assert fee_refusal(STRIPE, dispute, []) is None
        assert fee_refusal(STRIPE, replace(dispute, stage="compliance"), [])


class TestReasons:
    def test_there_are_fifteen_reasons_with_three_products_each(self) -> None:
        known = STRIPE.document["components"]["schemas"]["Dispute"]["properties"]["reason"]["x-knownValues"]
        assert {reason for reason, _ in stripe_rows()} == set(known) == set(table(STRIPE)["codes"])
        assert len(stripe_rows()) == 45

    @pytest.mark.parametrize(("reason", "kind"), list(stripe_rows()))
    def test_a_row(self, reason: str, kind: str) -> None:
        row = stripe_rows()[reason, kind]
        nothing = about(reason, kind, [])
        assert nothing.verdict == ("missing" if row else "unknown")
        assert missing(nothing) == sorted(row)
        assert all(why for _, why in nothing.missing)
        everything = about(reason, kind, row)
        assert (everything.verdict, everything.missing) == ("ready" if row else "unknown", ())
        for name in row:
            rest = about(reason, kind, [other for other in row if other != name])
            assert (rest.verdict, missing(rest)) == ("weak" if len(row) > 1 else "missing", [name])

    @pytest.mark.parametrize(("reason", "kind"), list(stripe_rows()))
    def test_evidence_that_helps_with_any_reason_does_not_affect_the_verdict(
        self, reason: str, kind: str
    ) -> None:
        row = set(stripe_rows()[reason, kind])
        assert set(about(reason, kind, []).more) == (BACKGROUND | IN_EVERY_ROW) - row
        others = about(reason, kind, (BACKGROUND | IN_EVERY_ROW) - row)
        assert others.verdict == ("missing" if row else "unknown")
        assert others.more == ()

    @pytest.mark.parametrize("reason", sorted({reason for reason, _ in stripe_rows()}))
    def test_a_case_without_a_product(self, reason: str) -> None:
        """Only evidence recommended for every product counts as missing, and only all of it is ready."""
        rows = [stripe_rows()[reason, kind] for kind in KINDS]
        shared = set(rows[0]).intersection(*rows[1:])
        decides = any(set(row) != shared for row in rows)
        nothing = about(reason, None, [])
        assert nothing.verdict == ("missing" if any(rows) else "unknown")
        assert missing(nothing) == sorted(shared)
        assert any("states no product" in note for note in nothing.notes) == decides
        if not any(rows):
            return
        for row in rows:
            expected = "ready" if all(set(other) <= set(row) for other in rows) else "weak"
            assert about(reason, None, row).verdict == expected
        assert about(reason, None, {name for row in rows for name in row}).verdict == "ready"

    def test_an_unknown_reason(self) -> None:
        new = about("buyer_remorse", "physical", ["receipt"])
        assert (new.verdict, new.missing) == ("unknown", ())
        assert new.notes == ("No evidence is recommended for the reason Buyer remorse",)

    @given(st.lists(st.sampled_from([*BACKGROUND, *IN_EVERY_ROW, "shipping_date"]), unique=True))
    def test_more_evidence_never_worsens_the_verdict(self, names: list[str]) -> None:
        order = ["missing", "weak", "ready"]
        for kind in KINDS:
            before, after = (
                about("fraudulent", kind, names),
                about("fraudulent", kind, [*names, "customer_name"]),
            )
            assert order.index(after.verdict) >= order.index(before.verdict)
            assert set(after.missing) <= set(before.missing)


class TestCodes:
    def test_every_known_code_has_a_list(self) -> None:
        assert set(NAMED.split()) <= {*moov_rows(), "4863"}

    @pytest.mark.parametrize("code", list(moov_rows()))
    def test_a_code(self, code: str) -> None:
        row = moov_rows()[code]
        nothing = about_code(code, [])
        assert (nothing.verdict, missing(nothing)) == ("missing", sorted(set(row)))
        everything = about_code(code, row)
        assert (everything.verdict, everything.missing) == ("ready", ())
        for name in set(row):
            rest = row.copy()
            rest.remove(name)
            assert about_code(code, rest).verdict == ("weak" if rest else "missing")
            assert missing(about_code(code, rest)) == [name]

    def test_a_duplicate_needs_two_receipts(self) -> None:
        half = about_code("12.6.1", ["receipt", "generic-evidence"])
        assert (half.verdict, missing(half)) == ("weak", ["receipt"])
        assert "Add two receipts, one for each payment" in half.notes

    def test_a_code_of_two_networks_is_unknown(self) -> None:
        found = about_code("4863", ["receipt"])
        assert (found.verdict, found.missing) == ("unknown", ())
        assert "Mastercard" in found.notes[0] and "Discover" in found.notes[0] and "Receipt" in found.notes[0]

    def test_a_code_for_several_kinds_of_dispute_has_a_note(self) -> None:
        (note, *_) = about_code("4837", []).notes
        assert note.startswith("The code 4837 covers card-present fraud or card-absent fraud; ")

    @pytest.mark.parametrize(
        "code", ["", "10", "10.5", "13.10", "13", "1.1", "48370", "ATM", "99", "UA", "F"]
    )
    def test_an_unknown_code(self, code: str) -> None:
        assert about_code(code, ["receipt"]).verdict == "unknown"

    @pytest.mark.parametrize("code", ["c08", " C08 ", "C08-1"])
    def test_how_a_code_is_written(self, code: str) -> None:
        assert missing(about_code(code, [])) == ["customer-communication", "proof-of-delivery"]


class TestFees:
    VISA = "enhanced_evidence.visa_compliance.fee_acknowledged"
    MASTERCARD = "enhanced_evidence.mastercard_compliance.fee_acknowledged"
    COMPLIANCE = (
        {"reason": "noncompliant"},
        {"stage": "compliance"},
        {"reason": "noncompliant", "stage": "inquiry"},
    )

    def refused(self, names: Iterable[str], **facts: Any) -> str | None:
        return fee_refusal(STRIPE, replace(DISPUTE, **facts), pieces(names))

    @pytest.mark.parametrize("facts", COMPLIANCE)
    @pytest.mark.parametrize(
        ("network", "own", "other"), [("visa", VISA, MASTERCARD), ("mastercard", MASTERCARD, VISA)]
    )
    def test_each_network_s_fee_is_accepted_in_its_own_field(
        self, facts: dict[str, str], network: str, own: str, other: str
    ) -> None:
        silent = self.refused(["customer_name"], network=network, **facts)
        assert silent is not None and "500 USD" in silent and f"set {own} to true" in silent
        assert other not in silent
        wrong = self.refused([other], network=network, **facts)
        assert (
            wrong is not None and f"remove {other} from the case" in wrong and f"set {own} to true" in wrong
        )
        both = self.refused([own, other], network=network, **facts)
        assert both is not None and f"remove {other} from the case" in both and f"set {own}" not in both
        assert self.refused([own], network=network, **facts) is None

    @pytest.mark.parametrize(
        "value", [{}, {"visa_compliance": {}}, {"visa_compliance": {"fee_acknowledged": False}}]
    )
    def test_false_does_not_accept_a_fee(self, value: Mapping[str, Any]) -> None:
        case = [Evidence("enhanced_evidence", value=value)]
        assert fee_refusal(STRIPE, replace(DISPUTE, reason="noncompliant"), case)

    def test_a_case_file_accepts_the_fee(self) -> None:
        evidence = {"enhanced_evidence": {"visa_compliance": {"fee_acknowledged": True}}}
        case = Case.parse({"provider": "stripe", "dispute": "du_1", "evidence": evidence})
        dispute = replace(DISPUTE, reason="noncompliant")
        assert fee_refusal(STRIPE, dispute, case.evidence) is None
        assert assess(STRIPE, dispute, None, case.evidence).verdict == "ready"

    def test_the_api_names_the_programme(self) -> None:
        """For a dispute without a network, or with another reason."""
        programmes = (Programme("mastercard_compliance", "requires_fee_acknowledgement"),)
        assert self.refused([self.MASTERCARD], network=None, programmes=programmes) is None
        refused = self.refused([], network=None, programmes=programmes)
        assert refused is not None and "Mastercard" in refused

    @pytest.mark.parametrize("network", [None, "amex"])
    def test_a_fee_of_an_unknown_network_cannot_be_accepted(self, network: str | None) -> None:
        refused = self.refused([self.VISA], reason="noncompliant", network=network)
        assert (
            refused is not None
            and "does not name the network" in refused
            and f"remove {self.VISA} from the case" in refused
        )
        assert about("noncompliant", None, [], network=network).verdict == "unknown"

    def test_accepting_a_fee_that_does_not_apply_is_refused(self) -> None:
        assert self.refused([self.VISA]) == (
            f"its case accepts Visa's fee, which does not apply; remove {self.VISA} from the case"
        )
        assert self.refused(["customer_name"]) is None

    def test_an_api_without_fees(self) -> None:
        assert fee_refusal(MOOV, replace(DISPUTE, reason="noncompliant"), []) is None

    @pytest.mark.parametrize("names", [[], [VISA]])
    def test_the_fee_is_a_warning_with_or_without_acceptance(self, names: list[str]) -> None:
        (warning,) = about("noncompliant", None, names).warnings
        assert "Visa" in warning and "500 USD" in warning
        assert about("fraudulent", None, names).warnings == ()


class TestKlarna:
    def test_evidence_of_an_inquiry_is_ignored(self) -> None:
        (warning,) = about("fraudulent", "digital", [], payment_method="klarna", stage="inquiry").warnings
        assert "Klarna" in warning and "ignore" in warning

    @pytest.mark.parametrize(
        ("method", "stage"), [("klarna", "chargeback"), ("card", "inquiry"), (None, "inquiry")]
    )
    def test_other_disputes_have_no_warning(self, method: str | None, stage: str) -> None:
        assert about("fraudulent", "digital", [], payment_method=method, stage=stage).warnings == ()


class TestCompellingEvidence:
    PROGRAMMES = (Programme("visa_compelling_evidence_3", "requires_action"),)

    def test_a_note_suggests_it_if_the_dispute_may_qualify(self) -> None:
        (note,) = about("fraudulent", "digital", [], programmes=self.PROGRAMMES).notes
        assert note.startswith("Visa Compelling Evidence 3.0")
        closed = (Programme("visa_compelling_evidence_3", "not_qualified"),)
        for programmes in ((), closed, (Programme("visa_compliance"),)):
            notes = about("fraudulent", "digital", [], programmes=programmes).notes
            assert not any("Compelling" in note for note in notes)

    def test_a_case_that_has_it_needs_no_note(self) -> None:
        claim = "enhanced_evidence.visa_compelling_evidence_3.prior_undisputed_transactions"
        assert about("fraudulent", "digital", [claim], programmes=self.PROGRAMMES).notes == ()


class TestData:
    """The rules in the contracts; each API has its own."""

    @pytest.mark.parametrize("api", [STRIPE, MOOV], ids=["stripe", "moov"])
    def test_the_rules_match_their_schema(self, api: Contract) -> None:
        schema = json.loads((SCHEMAS / "completeness.schema.json").read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        assert [error.message for error in Draft202012Validator(schema).iter_errors(table(api))] == []

    @pytest.mark.parametrize("api", [STRIPE, MOOV], ids=["stripe", "moov"])
    def test_the_rules_name_existing_lists_and_fields(self, api: Contract) -> None:
        data = table(api)
        named = {name for code in data["codes"].values() for name in code}
        assert named == set(data["lists"]) and set(data.get("unsure", {})) <= set(data["codes"])
        wanted = {name for each in data["lists"].values() for row in rows_of(each) for name in row}
        wanted |= {*data["background"], *data["more"]}
        wanted |= {name for each in data.get("stages", {}).values() for name in each["evidence"]}
        assert wanted == set(data["why"])
        evidence = api.resolve(api.named_schemas["CaseEvidence"])["properties"]
        for path in wanted:
            schema: Any = {"properties": evidence}
            for step in re.split(r"[./]", path):
                schema = api.resolve(api.resolve(schema)["properties"][step])
        for fee in data.get("fees", {}).get("networks", {}).values():
            assert fee["agreement"] in wanted

    def test_an_api_without_rules(self) -> None:
        document = {key: value for key, value in STRIPE.document.items() if key != "x-completeness"}
        bare = Contract("stripe", document)
        found = assess(bare, DISPUTE, "physical", pieces(["receipt"]))
        assert found == Assessment(Verdict.UNKNOWN, notes=("No recommendations are known for Stripe",))
        assert fee_refusal(bare, replace(DISPUTE, reason="noncompliant"), []) is None


def table(api: Contract) -> dict[str, Any]:
    found: dict[str, Any] = api.document["x-completeness"]
    return found


def rows_of(each: Mapping[str, Any]) -> list[list[str]]:
    if "evidence" in each:
        return [each["evidence"]]
    return list((each.get("byProduct") or each["byNetwork"]).values())


@pytest.mark.parametrize(
    ("api", "reason", "words"),
    [
        ("stripe", "product_not_received", "Product not received"),
        ("moov", "10.4", "Card-absent fraud"),
        ("moov", "13.1", "Not received"),
        ("moov", "98.76", "98.76"),
    ],
)
def test_a_code_is_written_as_what_its_evidence_is_for(api: str, reason: str, words: str) -> None:
    assert reason_in_words(contract.load(api), reason) == words


@pytest.mark.parametrize("api", [STRIPE, MOOV], ids=lambda api: api.api)
def test_what_a_reviewer_is_told_has_no_name_of_a_field(api: Contract) -> None:
    table = api.document["x-completeness"]
    rules = [rule for each in table["lists"].values() for rule in each.get("notes", ())]
    told = " ".join([*(rule["text"] for rule in [*rules, *table["warnings"]]), *table["why"].values()])
    names = [name for name in table["why"] if re.search(r"[-_./]", name)]
    assert names
    assert not [name for name in names if name in told]
    assert not re.findall(r"\w+_\w+", told)


def test_the_evidence_of_all_products_is_recommended_before_one_is_known() -> None:
    found = recommended(
        contract.load("stripe"), stage="chargeback", reason="product_not_received", network_code="13.1"
    )
    assert {"shipping_tracking_number", "access_activity_log", "service_date"} <= found.keys()
    assert all(found.values())
    moov = recommended(contract.load("moov"), stage="chargeback", reason="13.1", network_code="13.1")
    assert list(moov) == ["proof-of-delivery", "customer-communication"]
    assert recommended(contract.load("moov"), stage=None, reason=None, network_code=None) == {}
