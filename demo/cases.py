"""The demo's disputes: their data at the sandbox, their cases, and their expected ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from demo.dispute import DemoDispute
from dispute_provider.sandbox import MOOV_MERCHANT
from tests.harness.documents import letter, picture, receipt

SHOP = "acct_1DemoShop"
_HOUR = 3600
_DAY = 24 * _HOUR


def disputes(now: datetime | None = None) -> list[DemoDispute]:
    """Return all disputes, with dates around today."""
    today = now or datetime.now(UTC)

    def day(offset: int) -> str:
        moment = today + timedelta(days=offset)
        return f"{moment.day} {moment:%B %Y}"

    return [*_stripe(day), *_moov(day)]


def _stripe(day: Callable[[int], str]) -> list[DemoDispute]:
    return [
        DemoDispute(
            id="du_demo_kettle",
            about="Yen: a currency without decimals",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 12800, "currency": "jpy", "reason": "product_not_received",
                "network_reason_code": "13.1", "due_in": 6 * _DAY, "outcome": "won",
            },
            about_case={"prepared_by": "Ben", "customer_contacted": True, "product": "physical"},
            evidence={
                "customer_name": "Keiko Tanaka (田中恵子)",
                "customer_email_address": "keiko@example.com",
                "shipping_address": "17 Kitano-cho, Chuo-ku, Kobe 650-0002",
                "shipping_carrier": "Northwind Parcel",
                "shipping_date": day(-24),
                "shipping_tracking_number": "NW4471992017",
                "shipping_documentation": {"file": "doorstep.jpg"},
                "receipt": {"file": "receipt.pdf"},
                "uncategorized_text": f"Delivered on {day(-21)}. The photo shows the parcel at the door.",
            },
            documents={
                "doorstep.jpg": picture("doorstep.jpg"),
                "receipt.pdf": receipt(
                    "Kobe Tea House", "KT-2209", day(-25), "Keiko Tanaka",
                    [("Gyokuro, 100 g", 6800), ("Cast iron kettle, 0.8 l", 6000)], "jpy",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
        DemoDispute(
            id="du_demo_chairs",
            about="A partial amount, 45.00 of 180.00 EUR; the bank decides for the customer",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 4500, "currency": "eur", "reason": "product_unacceptable",
                "network_reason_code": "13.3", "due_in": 9 * _DAY, "outcome": "lost",
            },
            about_case={"prepared_by": "Ben", "customer_contacted": True, "product": "physical"},
            evidence={
                "product_description": "Four folding chairs, beech. One chair, 45.00 EUR, is disputed.",
                "refund_refusal_explanation": "We offered a new chair twice and were not answered.",
                "customer_communication": {"file": "conversation.pdf"},
                "receipt": {"file": "receipt.pdf"},
            },
            documents={
                "conversation.pdf": letter(
                    "Conversation with Zoë Müller",
                    f"{day(-19)}, Zoë Müller: One of the four chairs wobbles.",
                    f"{day(-19)}, shop: We are sorry. We can send a new one tomorrow. Shall we?",
                    f"{day(-15)}, shop: We have not heard from you. The offer stands.",
                ),
                "receipt.pdf": receipt(
                    "Beech & Oak", "BO-118", day(-30), "Zoë Müller",
                    [("Folding chair, beech, 4 at 45.00", 18000)], "eur",
                ),
            },
            stages=("chargeback",), state="submitted", status="lost",
        ),
        DemoDispute(
            id="du_demo_concert",
            about="Due within the hour",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 9600, "currency": "usd", "reason": "fraudulent",
                "due_in": 50 * 60, "outcome": "won",
            },
            about_case={"prepared_by": "Ana", "customer_contacted": False, "product": "service"},
            evidence={
                "customer_name": "Sam Okafor",
                "customer_purchase_ip": "203.0.113.24",
                "access_activity_log": f"{day(-12)} 19:41 ticket 1 scanned, door B\n"
                f"{day(-12)} 19:41 ticket 2 scanned, door B",
                "service_date": day(-12),
                "receipt": {"file": "receipt.pdf"},
            },
            documents={
                "receipt.pdf": receipt(
                    "Riverside Hall", "RH-90112", day(-40), "Sam Okafor",
                    [("Concert, row 7, 2 at 48.00", 9600)], "usd",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
        DemoDispute(
            id="du_demo_course",
            about="A colleague has already written evidence in the Dashboard; it is kept, shown and sent",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 24900, "currency": "gbp", "reason": "subscription_canceled",
                "network_reason_code": "13.2", "due_in": 4 * _DAY, "outcome": "won",
                "evidence": {"product_description": "Language course, twelve months, paid monthly. (Ben)"},
            },
            about_case={"prepared_by": "Ana", "customer_contacted": True, "product": "digital"},
            evidence={
                "cancellation_policy": {"file": "terms.pdf"},
                "cancellation_policy_disclosure": "Shown above the button that orders, and sent by e-mail.",
                "cancellation_rebuttal": f"The course was used until {day(-3)} and never cancelled.",
            },
            documents={
                "terms.pdf": letter(
                    "Terms of cancellation",
                    "The course runs month by month. It ends with the month in which it is cancelled.",
                    "To cancel, open Account, then Courses, then End course. No reason is needed.",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
        DemoDispute(
            id="du_demo_inquiry",
            about="An inquiry that is answered, becomes a chargeback, and is answered again",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 6400, "currency": "usd", "reason": "unrecognized",
                "status": "warning_needs_response", "brand": "amex", "network_reason_code": "127",
                "due_in": 12 * _DAY,
            },
            about_case={"prepared_by": "Ben", "customer_contacted": False, "product": "physical"},
            evidence={
                "customer_name": "Robin Larsen",
                "product_description": "Running shoes, size 43, and two pairs of socks.",
                # In Stripe's test mode, and here, these texts decide how a dispute ends.
                "uncategorized_text": "escalate_inquiry_evidence",
                "receipt": {"file": "receipt.pdf"},
            },
            later={"uncategorized_text": "winning_evidence", "customer_signature": {"file": "signature.png"}},
            documents={
                "receipt.pdf": receipt(
                    "Longstride", "LS-5520", day(-35), "Robin Larsen",
                    [("Running shoes, size 43", 5600), ("Socks, two pairs", 800)], "usd",
                ),
                "signature.png": picture("signature.png"),
            },
            stages=("inquiry", "chargeback"), state="submitted", status="won",
        ),
        DemoDispute(
            id="du_demo_ring",
            about="Dinar: a currency with three decimals",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 37500, "currency": "kwd", "reason": "credit_not_processed",
                "network_reason_code": "13.6", "due_in": 7 * _DAY, "outcome": "won",
            },
            about_case={"prepared_by": "Ana", "customer_contacted": True, "product": "physical"},
            evidence={
                "customer_name": "Fatima Al-Sabah",
                "refund_policy": {"file": "policy.pdf"},
                "refund_policy_disclosure": "Printed on the order form that the customer signed.",
                "refund_refusal_explanation": "The ring was engraved to order and cannot be returned.",
            },
            documents={
                "policy.pdf": letter(
                    "Returns", "Items made to order cannot be returned, including engraved pieces.",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
        DemoDispute(
            id="du_demo_jacket",
            about="The evidence supports the customer: the reviewer rejects it",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 18950, "currency": "aud", "reason": "fraudulent",
                "due_in": 5 * _DAY,
            },
            about_case={"prepared_by": "Ben", "customer_contacted": False, "product": "physical"},
            evidence={
                "billing_address": "4 Acacia Avenue, Perth",
                "shipping_address": "Locker 61, Central Station, Melbourne",
                "receipt": {"file": "receipt.pdf"},
            },
            documents={
                "receipt.pdf": receipt(
                    "Southerly", "SO-771", day(-16), "Jules Martin", [("Rain jacket, M", 18950)], "aud"
                ),
            },
            rejected=True,
            stages=(), state="rejected", status="needs_response",
        ),
        DemoDispute(
            id="du_demo_lamp",
            about="It has no case",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 5900, "currency": "eur", "reason": "duplicate",
                "network_reason_code": "12.6.1", "due_in": 3 * _DAY, "outcome": "won",
            },
            evidence=None,
            stages=(), state="held", status="needs_response",
        ),
        DemoDispute(
            id="du_demo_snowboard",
            about="On a connected account, with its own connection; the only one, so it is reviewed in full",
            connection="stripe_shop",
            made={
                "api": "stripe", "account": SHOP, "amount": 74500, "currency": "cad",
                "reason": "product_not_received", "network_reason_code": "13.1", "due_in": 8 * _DAY,
                "outcome": "won",
            },
            about_case={
                "account": SHOP, "prepared_by": "Ben", "customer_contacted": True, "product": "physical",
            },
            evidence={
                "customer_name": "Noa Tremblay",
                "shipping_carrier": "Northwind Parcel",
                "shipping_date": day(-20),
                "shipping_tracking_number": "NW4471990412",
                "customer_signature": {"file": "signature.png"},
                "receipt": {"file": "receipt.pdf"},
                "uncategorized_text": "Handed over in person against an identity card.\n\n"
                'The customer afterwards, by e-mail: "<3 it, best {{ board }} I *ever* had!"',
            },
            documents={
                "signature.png": picture("signature.png"),
                "receipt.pdf": receipt(
                    "Powder Days", "PD-3044", day(-22), "Noa Tremblay",
                    [("Snowboard, 156 cm", 58000), ("Bindings", 16500)], "cad",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
    ]  # fmt: skip


def _moov(day: Callable[[int], str]) -> list[DemoDispute]:
    return [
        DemoDispute(
            id="d15b07e5-0000-4000-8000-000000000001",
            about="A scanned TIFF, several documents of one kind",
            connection="moov_default",
            made={
                "api": "moov", "amount": 128000, "currency": "USD", "networkReasonCode": "13.1",
                "networkReasonDescription": "Merchandise not received", "due_in": 11 * _DAY,
                "outcome": "won",
            },
            about_case={
                "account": MOOV_MERCHANT, "prepared_by": "Ana", "customer_contacted": True,
                "product": "physical",
            },
            evidence={
                "cover-letter": "Two pallets of flour, received complete and signed for at the loading bay.",
                "proof-of-delivery": {"file": "delivery.tiff"},
                "receipt": [{"file": "order.pdf"}, {"file": "invoice.pdf"}],
            },
            documents={
                "delivery.tiff": picture("delivery.tiff"),
                "order.pdf": letter(
                    "Order 20-118", "Oak Street Bakery orders two pallets of flour, type 00, delivered."
                ),
                "invoice.pdf": receipt(
                    "Mill & Daughters", "20-118", day(-33), "Oak Street Bakery",
                    [("Flour, type 00, 2 pallets", 122000), ("Delivery", 6000)], "usd",
                ),
            },
            stages=("chargeback",), state="submitted", status="won",
        ),
        DemoDispute(
            id="d15b07e5-0000-4000-8000-000000000002",
            about="Texts only; the bank decides for the customer",
            connection="moov_default",
            made={
                "api": "moov", "amount": 3900, "currency": "USD", "networkReasonCode": "13.2",
                "networkReasonDescription": "Cancelled recurring transaction", "due_in": 10 * _DAY,
                "outcome": "lost",
            },
            about_case={"prepared_by": "Ben", "customer_contacted": False, "product": "service"},
            evidence={
                "cover-letter": f"The member trained until {day(-9)} and gave no notice.",
                "cancelation-policy": "Notice in writing by the 20th of a month, for its end.",
                "customer-communication": f'{day(-14)}: "Locker {{{{ 12 }}}} is *stuck*. See you Monday!"',
            },
            stages=("chargeback",), state="submitted", status="lost",
        ),
        DemoDispute(
            id="d15b07e5-0000-4000-8000-000000000003",
            about="A Visa RDR pre-dispute: the network settles it, and it cannot be contested",
            connection="moov_default",
            made={
                "api": "moov", "amount": 1500, "currency": "USD", "networkReasonCode": "10.4",
                "phase": "pre-dispute", "due_in": 2 * _DAY,
            },
            about_case={"prepared_by": "Ben", "product": "digital"},
            evidence={"receipt": {"file": "receipt.pdf"}},
            documents={
                "receipt.pdf": receipt(
                    "Pixel Post", "PP-1", day(-8), "Alex Kim", [("Postcards, digital", 1500)], "usd"
                ),
            },
            stages=(), state="held", status="response-needed",
        ),
    ]  # fmt: skip
