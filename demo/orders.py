"""The demo's shop: a table of orders, their papers and phone photos in a folder, and their disputes."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from demo.dispute import DemoDispute
from dispute_provider.sandbox import MOOV_MERCHANT
from tests.harness.documents import letter, picture, receipt

_DAY = 24 * 3600
_QUERY = """\
-- The facts of all disputed orders. Templates write the evidence from them.
SELECT o.payment AS charge, o.account, o.product, 'Ana' AS prepared_by, 1 AS customer_contacted,
       o.number AS "order.number", o.placed AS "order.date", o.goods AS "order.description",
       c.name AS "customer.name", c.email AS "customer.email", c.ip AS "customer.ip",
       o.carrier AS "shipment.carrier", o.shipped AS "shipment.date",
       o.tracking AS "shipment.tracking_number", c.address AS "shipment.address",
       o.delivered AS "shipment.delivered_on", o.used AS "access.date", o.log AS "access.log",
       o.used AS "service.date", o.answer AS "complaint.answer",
       o.disclosure AS "refund.disclosure", o.refusal AS "refund.refusal",
       o.receipt AS "documents.receipt", o.policy AS "documents.refund_policy",
       o.chat AS "documents.customer_communication",
       o.photo AS "documents.shipping_documentation", o.photo AS "documents.proof_of_delivery"
FROM orders o JOIN customers c ON c.id = o.customer
WHERE o.payment IN :charges
"""
_TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name, email, ip, address);
CREATE TABLE orders (number, payment, account, product, placed, goods, customer, carrier, shipped, tracking,
                     delivered, used, log, answer, disclosure, refusal, receipt, policy, chat, photo);
INSERT INTO customers VALUES
    (1, 'Ida Lund', 'ida@example.com', '203.0.113.80', '3 Harbour Row, Bergen'),
    (2, 'Marco Conti', 'marco@example.com', '203.0.113.81', '12 Via Roma, Turin'),
    (3, 'Nadia Haddad', 'nadia@example.com', '203.0.113.82', '9 Orchard Lane, Leeds'),
    (4, 'Keiko Tanaka (田中恵子)', 'keiko@example.com', '203.0.113.83', '17 Kitano-cho, Chuo-ku, Kobe'),
    (5, 'Zoë Müller', 'zoe@example.com', '203.0.113.84', 'Lindenallee 8, 50668 Köln'),
    (6, 'Sam Okafor', 'sam@example.com', '203.0.113.24', '40 Mill Street, Bristol'),
    (7, 'Fatima Al-Sabah', 'fatima@example.com', '203.0.113.85', '2 Gulf Road, Salmiya'),
    (8, 'Oak Street Bakery', 'orders@oak.example', '203.0.113.86', '118 Oak Street, Portland');
"""
CONNECTION = "demo_shop"
_BOOTS = "7e5a0000-0000-4000-8000-000000000001"
_FLOUR = "7e5a0000-0000-4000-8000-000000000002"
_PAYMENTS = {
    "du_demo_kettle": {"charge": "ch_demo_kettle"},
    "du_demo_chairs": {"charge": "ch_demo_chairs"},
    "du_demo_concert": {"charge": "ch_demo_concert"},
    "du_demo_ring": {"charge": "ch_demo_ring"},
    "d15b07e5-0000-4000-8000-000000000001": {"transfer": _FLOUR},
}
# A 12-megapixel camera of a phone.
_CAMERA = (4032, 3024)


def disputes(others: Sequence[DemoDispute]) -> list[DemoDispute]:
    """Return the disputes of the orders and the others; case files are written only for the others.

    :param others: all disputes with case files, of which five are for orders in the table, too.
    """
    common: dict[str, Any] = {"evidence": None, "state": "submitted", "stages": ("chargeback",)}
    ordered = [
        replace(each, evidence=None, made={**each.made, **_PAYMENTS[each.id]})
        if each.id in _PAYMENTS
        else each
        for each in others
    ]
    return [
        *ordered,
        DemoDispute(
            id="du_demo_lantern",
            about="A case from the table of orders, with papers from a folder",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 8900, "currency": "eur", "reason": "product_not_received",
                "network_reason_code": "13.1", "charge": "ch_demo_lantern", "due_in": 7 * _DAY,
                "outcome": "won",
            },
            status="won", **common,
        ),
        DemoDispute(
            id="du_demo_font",
            about="A digital order from the table; its facts are enough for a letter",
            connection="stripe_default",
            made={
                "api": "stripe", "amount": 3200, "currency": "eur", "reason": "fraudulent",
                "charge": "ch_demo_font", "due_in": 8 * _DAY, "outcome": "lost",
            },
            status="lost", **common,
        ),
        DemoDispute(
            id="d15b07e5-0000-4000-8000-000000000004",
            about="A case from the same table, at Moov",
            connection="moov_default",
            made={
                "api": "moov", "amount": 14500, "currency": "USD", "networkReasonCode": "13.1",
                "networkReasonDescription": "Merchandise not received", "transfer": _BOOTS,
                "due_in": 9 * _DAY, "outcome": "won",
            },
            status="won", **common,
        ),
    ]  # fmt: skip


def write_shop(folder: Path, cases: Path, now: datetime | None = None) -> str:
    """Write the table of orders, its query and the papers; return the source for ``case_sources``.

    :param folder: of the database and the query.
    :param cases: the case root, from which the papers are named.
    """
    today = now or datetime.now(UTC)

    def day(offset: int) -> str:
        return (today + timedelta(days=offset)).date().isoformat()

    _write_papers(cases / "papers", day)
    folder.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "shop.db") as database:
        database.executescript(_TABLES)
        names = [each[1] for each in database.execute("PRAGMA table_info(orders)")]
        places = ", ".join(f":{name}" for name in names)
        filled = [{**dict.fromkeys(names), **row} for row in _rows(day)]
        database.executemany(f"INSERT INTO orders VALUES ({places})", filled)  # noqa: S608  # our own names
    database.close()
    query = folder / "orders.sql"
    query.write_text(_QUERY)
    return f"sql:{CONNECTION}:{query}"


def _write_papers(papers: Path, day: Callable[[int], str]) -> None:
    """Write receipts, policies and conversations, and photos as phones and messengers make them."""
    papers.mkdir(parents=True, exist_ok=True)
    sold = {
        "lamp": ("Harbour Lamps", "Ida Lund", [("1 brass lamp", 8900)], "eur"),
        "boots": ("Orchard Boots", "Nadia Haddad", [("1 pair of boots", 14500)], "usd"),
        "kettle": (
            "Kobe Tea House", "Keiko Tanaka",
            [("Gyokuro, 100 g", 6800), ("Cast iron kettle, 0.8 l", 6000)], "jpy",
        ),
        "chairs": ("Beech & Oak", "Zoë Müller", [("Folding chair, beech, 4 at 45.00", 18000)], "eur"),
        "concert": ("Riverside Hall", "Sam Okafor", [("Concert, row 7, 2 at 48.00", 9600)], "usd"),
        "flour": (
            "Mill & Daughters", "Oak Street Bakery",
            [("Flour, type 00, 2 pallets", 122000), ("Delivery", 6000)], "usd",
        ),
    }  # fmt: skip
    for name, (shop, customer, items, currency) in sold.items():
        content = receipt(shop, f"{name.upper()}-1", day(-30), customer, items, currency)
        (papers / f"{name}.pdf").write_bytes(content)
    policy = letter("Returns", "Items made to order cannot be returned, including engraved pieces.")
    (papers / "policy.pdf").write_bytes(policy)
    chat = letter(
        "Conversation with Zoë Müller",
        f"{day(-19)}, Zoë Müller: One of the four chairs wobbles.",
        f"{day(-19)}, shop: We are sorry. We can send a new one tomorrow. Shall we?",
        f"{day(-15)}, shop: We have not heard from you. The offer stands.",
    )
    (papers / "chairs-chat.pdf").write_bytes(chat)
    (papers / "pallets.tiff").write_bytes(picture("delivery.tiff"))
    (papers / "doorstep.jpg").write_bytes(picture("doorstep.jpg"))
    for name, content in _photos(picture("doorstep.jpg")).items():
        (papers / name).write_bytes(content)


def _photos(doorstep: bytes) -> dict[str, bytes]:
    """Return the picture as a phone stores it, too large for Stripe, and as a messenger sends it."""
    with Image.open(io.BytesIO(doorstep)) as opened:
        small = opened.convert("RGB")
    # The noise of a sensor, without which the file would be small.
    noise = Image.effect_noise(_CAMERA, 24).convert("RGB")
    large = Image.blend(small.resize(_CAMERA), noise, 0.2)
    found = {}
    for name, photo, quality in (("IMG_2214.jpg", large, 95), ("IMG-20261101-WA0007.webp", small, 80)):
        written = io.BytesIO()
        photo.save(written, "WEBP" if name.endswith("webp") else "JPEG", quality=quality)
        found[name] = written.getvalue()
    return found


def _rows(day: Callable[[int], str]) -> list[dict[str, Any]]:
    """Return the orders; columns that are missing are null."""
    shipped = {
        "carrier": "Northwind Parcel", "shipped": day(-28), "tracking": "NW4471993001", "delivered": day(-26),
    }  # fmt: skip
    return [
        {
            "number": "LAMP-1", "payment": "ch_demo_lantern", "product": "physical", "placed": day(-30),
            "goods": "1 brass lamp", "customer": 1, **shipped, "receipt": "papers/lamp.pdf",
            "photo": "papers/IMG-20261101-WA0007.webp",
        },
        {
            "number": "FONT-1", "payment": "ch_demo_font", "product": "digital", "placed": day(-20),
            "goods": "1 font family, 12 styles", "customer": 2, "used": day(-20),
            "log": f"{day(-20)} 10:02 download, 203.0.113.81",
        },
        {
            "number": "BOOTS-1", "payment": _BOOTS, "account": MOOV_MERCHANT, "product": "physical",
            "placed": day(-30), "goods": "1 pair of boots", "customer": 3, **shipped,
            "receipt": "papers/boots.pdf", "photo": "papers/doorstep.jpg",
        },
        {
            "number": "KETTLE-1", "payment": "ch_demo_kettle", "product": "physical", "placed": day(-25),
            "goods": "1 cast iron kettle, 100 g of Gyokuro", "customer": 4, **shipped,
            "receipt": "papers/kettle.pdf", "photo": "papers/IMG_2214.jpg",
        },
        {
            "number": "CHAIRS-1", "payment": "ch_demo_chairs", "product": "physical", "placed": day(-30),
            "goods": "4 folding chairs, beech. One chair, 45.00 EUR, is disputed.", "customer": 5, **shipped,
            "answer": "We offered a new chair twice and were not answered.",
            "disclosure": "Printed on the order form.", "receipt": "papers/chairs.pdf",
            "policy": "papers/policy.pdf", "chat": "papers/chairs-chat.pdf",
        },
        {
            "number": "CONCERT-1", "payment": "ch_demo_concert", "product": "service", "placed": day(-40),
            "goods": "2 tickets, row 7; scanned at door B", "customer": 6, "used": day(-12),
            "receipt": "papers/concert.pdf",
        },
        {
            "number": "RING-1", "payment": "ch_demo_ring", "product": "physical", "placed": day(-30),
            "goods": "1 ring, engraved to order", "customer": 7, **shipped,
            "disclosure": "Printed on the order form that the customer signed.",
            "refusal": "The ring was engraved to order and cannot be returned.",
            "policy": "papers/policy.pdf",
        },
        {
            "number": "FLOUR-1", "payment": _FLOUR, "account": MOOV_MERCHANT, "product": "physical",
            "placed": day(-33), "goods": "2 pallets of flour, type 00", "customer": 8, **shipped,
            "receipt": "papers/flour.pdf", "photo": "papers/pallets.tiff",
        },
    ]  # fmt: skip


def connection(folder: Path) -> dict[str, Any]:
    """Return the connection to the database, for Airflow's REST API."""
    return {"connection_id": CONNECTION, "conn_type": "sqlite", "host": str(folder / "shop.db")}
