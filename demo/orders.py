"""The demo's shop: a table of orders, a folder of their papers, and the disputes of these orders."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from demo.dispute import DemoDispute
from dispute_provider.sandbox import MOOV_MERCHANT
from tests.harness.documents import picture, receipt

_DAY = 24 * 3600
_QUERY = """\
-- The facts of all disputed orders. Templates write the evidence from them.
SELECT o.payment AS charge, o.account, o.product, 'Ana' AS prepared_by,
       o.number AS "order.number", o.placed AS "order.date", o.goods AS "order.description",
       c.name AS "customer.name", c.email AS "customer.email", c.ip AS "customer.ip",
       o.carrier AS "shipment.carrier", o.shipped AS "shipment.date",
       o.tracking AS "shipment.tracking_number", c.address AS "shipment.address",
       o.delivered AS "shipment.delivered_on", o.used AS "access.date", o.log AS "access.log",
       o.receipt AS "documents.receipt",
       o.photo AS "documents.shipping_documentation", o.photo AS "documents.proof_of_delivery"
FROM orders o JOIN customers c ON c.id = o.customer
WHERE o.payment IN :charges
"""
_TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name, email, ip, address);
CREATE TABLE orders (number, payment, account, product, placed, goods, customer, carrier, shipped, tracking,
                     delivered, used, log, receipt, photo);
INSERT INTO customers VALUES
    (1, 'Ida Lund', 'ida@example.com', '203.0.113.80', '3 Harbour Row, Bergen'),
    (2, 'Marco Conti', 'marco@example.com', '203.0.113.81', '12 Via Roma, Turin'),
    (3, 'Nadia Haddad', 'nadia@example.com', '203.0.113.82', '9 Orchard Lane, Leeds');
"""
CONNECTION = "demo_shop"
_BOOTS = "7e5a0000-0000-4000-8000-000000000001"


def disputes() -> list[DemoDispute]:
    """Return the disputes of the orders; no case files are written for them."""
    common: dict[str, Any] = {"evidence": None, "state": "submitted", "stages": ("chargeback",)}
    return [
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

    papers = cases / "papers"
    papers.mkdir(parents=True, exist_ok=True)
    sold = {
        "lamp": ("Harbour Lamps", "Ida Lund", 8900, "eur"),
        "boots": ("Orchard Boots", "Nadia Haddad", 14500, "usd"),
    }
    for name, (shop, customer, price, currency) in sold.items():
        content = receipt(shop, f"{name.upper()}-1", day(-30), customer, [(f"1 {name}", price)], currency)
        (papers / f"{name}.pdf").write_bytes(content)
    (papers / "doorstep.jpg").write_bytes(picture("doorstep.jpg"))
    shipped = {
        "carrier": "Northwind Parcel", "shipped": day(-28), "tracking": "NW4471993001", "delivered": day(-26),
    }  # fmt: skip
    photo = "papers/doorstep.jpg"
    rows = [
        {
            "number": "LAMP-1", "payment": "ch_demo_lantern", "product": "physical", "placed": day(-30),
            "goods": "1 brass lamp", "customer": 1, **shipped, "receipt": "papers/lamp.pdf", "photo": photo,
        },
        {
            "number": "FONT-1", "payment": "ch_demo_font", "product": "digital", "placed": day(-20),
            "goods": "1 font family, 12 styles", "customer": 2, "used": day(-20),
            "log": f"{day(-20)} 10:02 download, 203.0.113.81",
        },
        {
            "number": "BOOTS-1", "payment": _BOOTS, "account": MOOV_MERCHANT, "product": "physical",
            "placed": day(-30), "goods": "1 pair of boots", "customer": 3, **shipped,
            "receipt": "papers/boots.pdf", "photo": photo,
        },
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / "shop.db") as database:
        database.executescript(_TABLES)
        names = [each[1] for each in database.execute("PRAGMA table_info(orders)")]
        places = ", ".join(f":{name}" for name in names)
        filled = [{**dict.fromkeys(names), **row} for row in rows]
        database.executemany(f"INSERT INTO orders VALUES ({places})", filled)  # noqa: S608  # our own names
    database.close()
    query = folder / "orders.sql"
    query.write_text(_QUERY)
    return f"sql:{CONNECTION}:{query}"


def connection(folder: Path) -> dict[str, Any]:
    """Return the connection to the database, for Airflow's REST API."""
    return {"connection_id": CONNECTION, "conn_type": "sqlite", "host": str(folder / "shop.db")}
