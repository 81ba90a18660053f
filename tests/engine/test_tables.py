"""Contest sixty disputes of both APIs from a table of 500 orders in PostgreSQL, and search for its texts."""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from dispute_provider._evidence.record import Record
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_MERCHANT, STRIPE_ACCOUNT, Sandbox
from tests.engine import scan
from tests.engine.conftest import connections
from tests.engine.scan import Place
from tests.harness.documents import letter
from tests.harness.lab import KEYS, PUBLIC_KEY, Lab, Run
from tests.harness.rest import REVIEW, SWEEP
from tests.harness.site import running
from tests.scale.services import Postgres

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")
ORDERS, DISPUTES = 500, 30
"""All orders; open disputes of each API: the last has no order, and the order before it lacks facts."""
TOKEN = secrets.token_hex(4)
CANARY = re.compile(rf"canary-([a-z]+)-{TOKEN}")
DATES = {"placed": "2026-03-01", "shipped": "2026-03-03", "delivered": "2026-03-06"}
# Dates of an order are no texts, and the other columns say which case it is.
TEXTS = ("number", "goods", "customer", "email", "ip", "address", "carrier", "tracking", "log")
COLUMNS = (*TEXTS, *DATES, "receipt", "payment", "account", "product")
QUERY = """\
-- facts of disputed orders
SELECT payment AS charge, account, product, number AS "order.number", placed AS "order.date",
       goods AS "order.description", customer AS "customer.name", email AS "customer.email",
       ip AS "customer.ip", address AS "shipment.address", carrier AS "shipment.carrier",
       shipped AS "shipment.date", tracking AS "shipment.tracking_number",
       delivered AS "shipment.delivered_on", log AS "access.log", shipped AS "access.date",
       receipt AS "documents.receipt"
FROM orders WHERE payment IN :charges
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Postgres]:
    """A database with an empty table of orders, which logs its statements."""
    # Not below pytest's folder, which other users cannot enter.
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        postgres = Postgres(Path(folder))
        postgres.start()
        try:
            with postgres.connect() as connection:
                connection.execute(f"CREATE TABLE orders ({', '.join(f'{each} text' for each in COLUMNS)})")
                connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
                connection.execute("GRANT SELECT ON orders TO reader")
                connection.execute("ALTER ROLE reader SET log_statement = 'all'")
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture(scope="module")
def site(shop: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An Airflow whose sweep takes all cases from the table; everything else is as by default."""
    folder = tmp_path_factory.mktemp("tables")
    query = folder / "orders.sql"
    query.write_text(QUERY)
    settings = {
        "AIRFLOW__DISPUTE__CONNECTIONS": "stripe_default,moov_default",
        "AIRFLOW__DISPUTE__SWEEP_SCHEDULE": "0 0 29 2 *",
        "AIRFLOW__DISPUTE__CASE_SOURCES": f"sql:shop_db:{query}",
        "AIRFLOW__DISPUTE__LEDGER": str(folder / "ledger"),
        "AIRFLOW__DISPUTE__RECEIPTS": str(folder / "receipts"),
    }
    dags = Path(__file__).parents[2] / "dags"
    with Sandbox() as sandbox:
        sandbox.add_account(api="stripe", id=STRIPE_ACCOUNT, keys={KEYS["stripe"]: "write"})
        sandbox.add_account(api="moov", id=MOOV_ACCOUNT, keys={PUBLIC_KEY: KEYS["moov"]})
        with running(sandbox, folder, [dags], settings, needed=(SWEEP, REVIEW)) as site:
            for connection in connections(sandbox.url):
                site.admin.add("connections", connection)
            host = {"host": "127.0.0.1", "port": shop.port, "login": "reader", "password": "reader"}
            database = {"connection_id": "shop_db", "conn_type": "postgres", "schema": "postgres", **host}
            site.admin.add("connections", database)
            yield site


def charge_of(api: str, number: int) -> str:
    return f"ch_{number:03}" if api == "stripe" else f"7e5a0000-0000-4000-8000-{number:012}"


def create(site: Lab, api: str, number: int) -> str:
    fields = {
        "stripe": {"reason": "product_not_received", "charge": charge_of(api, number)},
        "moov": {"networkReasonCode": "13.1", "transfer": charge_of(api, number)},
    }
    return str(site.sandbox.create_dispute(api=api, **fields[api])["id"])


def fill(shop: Postgres, papers: Path) -> None:
    """Write the orders: of most disputes, and of many customers who are content."""
    papers.mkdir()
    rows = []
    for number in range(ORDERS):
        api = APIS[number % 2]
        place = number // 2
        if place == DISPUTES - 1:
            place = ORDERS
        paper = papers / f"{number}.pdf"
        if place < DISPUTES:
            paper.write_bytes(letter("Receipt", f"Paid by canary-document-{TOKEN}, order {number}."))
        row: dict[str, Any] = {
            **{name: f"canary-{name}-{TOKEN} {number}" for name in TEXTS},
            **DATES,
            "payment": charge_of(api, place if place < DISPUTES else ORDERS + number),
            "account": MOOV_MERCHANT if api == "moov" else None,
            "product": "physical",
            "receipt": f"papers/{paper.name}",
        }
        if place == DISPUTES - 2:
            row |= {"tracking": None, "shipped": None}
        rows.append([row[name] for name in COLUMNS])
    with shop.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO orders VALUES ({', '.join(['%s'] * len(COLUMNS))})", rows)


def queries(shop: Postgres) -> int:
    """Return how often the query was run."""
    return (shop.folder / "postgres.log").read_text(errors="replace").count("-- facts of disputed orders")


def places(site: Lab) -> dict[str, set[Place]]:
    """Return where each column's text is kept."""
    found: dict[str, set[Place]] = defaultdict(set)
    home = site.airflow.home
    kept = chain(
        scan.database(home),
        scan.logs(home),
        scan.receipts(site.receipts),
        scan.ledger(site.ledger),
        scan.store(site.store),
    )
    for place, text in kept:
        for column in CANARY.findall(text):
            found[column].add(place)
    return dict(found)


def test_sixty_disputes_are_contested_from_a_table(site: Lab, shop: Postgres) -> None:
    disputes = {api: [create(site, api, number) for number in range(DISPUTES)] for api in APIS}
    fill(shop, site.cases / "papers")
    began = time.monotonic()
    sweep = site.run(SWEEP, {})
    assert sweep.wait_for_end() == "success"
    reviews = [Run(site, "", "", REVIEW, run) for run in site.ana.runs(REVIEW)]
    assert len(reviews) == 2
    site.wait_for_reviews(*reviews)
    opened = time.monotonic() - began

    # Each case that has its facts is in review; of the others, what is missing is named.
    assert queries(shop) == len(APIS)
    found: list[dict[str, Any]] = []
    staged: dict[str, Record] = {}
    for index in range(len(APIS)):
        found += site.ana.xcom(SWEEP, sweep.run_id, "contest.find", "without_case", index)
        records = site.ana.xcom(SWEEP, sweep.run_id, "contest.stage", map_index=index)
        staged |= {each["dispute"]: Record.from_dict(each) for each in records}
    assert sorted(each["dispute"] for each in found) == sorted(disputes[api][-1] for api in APIS)
    assert set(staged) == {dispute for api in APIS for dispute in disputes[api][:-1]}
    assert Counter(str(record.state) for record in staged.values()) == {"staged": 2 * (DISPUTES - 1)}
    for api in APIS:
        lacking = [name for name in disputes[api][:-1] if "needs shipment" in str(staged[name].missing)]
        assert lacking == [disputes[api][-2]]
    assert all(record.documents for record in staged.values())

    # Ana approves two thirds.
    approved = set()
    for review in reviews:
        form = site.ana.form(REVIEW, review.run_id)
        assert form is not None
        named = {name: option for name in staged for option in form["options"] if name in option}
        chosen = [name for number, name in enumerate(named) if number % 3]
        approved |= {*chosen}
        site.ana.respond(REVIEW, review.run_id, [named[name] for name in chosen], "")
    assert {review.wait_for_end() for review in reviews} == {"success"}
    submitted = {name for name in staged if site.submissions(name)}
    assert submitted == approved
    assert all(len(site.submissions(name)) == 1 for name in approved)
    ends = Counter(str(record.state) for review in reviews for record in review.records)
    assert ends["submitted"] == len(approved)

    # Nothing has changed, so another sweep asks once more and opens no review.
    assert site.run(SWEEP, {}).wait_for_end() == "success"
    assert queries(shop) == 2 * len(APIS)
    assert len(site.ana.runs(REVIEW)) == 2

    kept = places(site)
    print(
        f"\n{ORDERS} orders, {2 * DISPUTES} disputes: {len(staged)} in review after {opened:.0f} s, "
        f"{len(approved)} submitted, {queries(shop)} queries in 2 sweeps of 2 connections"
    )
    for column, at in sorted(kept.items()):
        print(f"  {column}: {', '.join(sorted(' '.join(place) for place in at))}")
    assert set(kept) <= {*TEXTS, "document"}
    shown = {("hitl_detail", "body"), ("store", "evidence")}
    assert set().union(*kept.values()) == shown
    assert kept["document"] == {("store", "evidence")}
