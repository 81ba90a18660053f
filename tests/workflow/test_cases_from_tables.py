"""Cases made from the rows of a database, by the operator and by the sweep."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from ipaddress import ip_address
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import running
from disputes import snapshot
from running import run
from state_stores import AssetStores

from dispute_provider import CasesFromSqlOperator, StageEvidenceOperator
from dispute_provider._cases.tables import TableError, bind, cases_from_rows
from dispute_provider._evidence.record import Record
from dispute_provider._state import evidence_store
from dispute_provider._tasks.case_sources import cases_from, query_cases

QUERY = """
SELECT o.charge, 'physical' AS product, o.number AS "order.number", o.placed AS "order.date",
       o.description AS "order.description", i.name AS "order.items[]", o.customer AS "customer.name",
       o.email AS "customer.email", o.carrier AS "shipment.carrier", o.shipped AS "shipment.date",
       o.tracking AS "shipment.tracking_number", o.address AS "shipment.address"
FROM orders o LEFT JOIN items i ON i.number = o.number
WHERE o.charge IN :charges ORDER BY o.number, i.name
"""
CANARY = "Canary Roe of 7 Bird Street"
COLUMNS = "charge, number, placed, description, customer, email, carrier, shipped, tracking, address"
CALLS: list[tuple[str, list[str]]] = []


def cases(provider: str, disputes: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a case from a function of the user's own."""
    CALLS.append((provider, [each["id"] for each in disputes]))
    return [
        {"provider": provider, "dispute": each["id"], "evidence": {"uncategorized_text": CANARY}}
        for each in disputes
        if each["amount"] == 700
    ]


def gives_none(provider: str, disputes: list[Any]) -> None:
    """Return nothing, as a function that forgets to."""


def given(provider: str, disputes: list[Any]) -> list[Any]:
    """Return no case."""
    return []


class Shop:
    given = staticmethod(given)


def gives_one(provider: str, disputes: list[Any]) -> dict[str, Any]:
    """Return one case, and no list."""
    return {"provider": provider, "dispute": "du_1", "evidence": {}}


def fails(provider: str, disputes: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return a case and then raise an error, as a generator with a mistake in it does."""
    yield {"provider": provider, "dispute": "du_1", "evidence": {}}
    raise KeyError(CANARY)


def takes_nothing() -> list[Any]:
    """Return no case, and take no parameters."""
    return []


def gives_padded(provider: str, disputes: list[Any]) -> list[dict[str, Any]]:
    """Return a case that names its dispute as a line of a file does."""
    text = {"uncategorized_text": "Delivered."}
    return [{"provider": provider, "dispute": f" {each['id']}\n", "evidence": text} for each in disputes]


def gives_what_no_case_holds(provider: str, disputes: list[Mapping[str, Any]]) -> list[Any]:
    """Return a good case for each dispute but du_1 to du_5, whose cases have a value that none can hold."""
    endless: dict[str, Any] = {}
    endless["itself"] = endless
    unusable: dict[str, Any] = {
        "du_1": {"evidence": {"customer_name": {CANARY}}},
        "du_2": {"facts": {"customer": {"name": CANARY.encode()}}},
        "du_3": {"evidence": {}, "facts": {"orders": [{"paid": object()}]}},
        "du_4": {"evidence": {"uncategorized_text": f"{CANARY} \ud83d"}},
        "du_5": {"facts": endless},
    }
    facts = {
        "amount": Decimal("9.90"),
        "paid": date(2026, 3, 1),
        "sum": nan,
        "ip": ip_address("2001:db8::1"),
    }
    good = {"product": "physical", "facts": facts}
    text = {"evidence": {"uncategorized_text": CANARY}}
    found = [{"provider": provider, "dispute": each["id"], **good, **text} for each in disputes]
    return [None, *({**case, **unusable.get(str(case["dispute"]), {})} for case in found), CANARY]


def gives_another(provider: str, disputes: list[Any]) -> list[dict[str, Any]]:
    """Return a case that names its dispute by the payment, and one as it should."""
    case = gives_one(provider, disputes)
    return [{**case, "dispute": "ch_1"}, case]


@pytest.fixture
def shop(cases: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """A shop's database, to which the connection ``shop_db`` leads, and the query beside the cases."""
    (cases / "orders.sql").write_text(QUERY)
    database = sqlite3.connect(cases / "shop.db")
    database.execute(f"CREATE TABLE orders ({COLUMNS})")
    database.execute("CREATE TABLE items (number, name)")
    connection = {"conn_type": "sqlite", "host": str(cases / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__DISPUTE__EVIDENCE_STORE", str(cases.parent / f"{cases.name}-store"))
    return database


def add_order(shop: sqlite3.Connection, charge: str, number: str, **more: Any) -> None:
    facts = {
        "charge": charge,
        "number": number,
        "placed": "2026-03-01",
        "description": "a lamp",
        "customer": CANARY,
        "email": "canary@example.com",
        "carrier": "UPS",
        "shipped": "2026-03-03",
        "tracking": "1Z999AA10123456784",
        "address": CANARY,
        **more,
    }
    with shop:
        shop.execute(f"INSERT INTO orders VALUES ({', '.join('?' * len(facts))})", list(facts.values()))
        shop.executemany("INSERT INTO items VALUES (?, ?)", [(number, "a lamp"), (number, "a bulb")])


def create(sandbox: Any, dispute: str, **more: Any) -> str:
    made = sandbox.create_dispute(api="stripe", id=dispute, reason="product_not_received", **more)
    return str(made["object"]["charge"])


def from_sql(sql: str = QUERY) -> list[dict[str, str]]:
    operator = CasesFromSqlOperator(task_id="cases", conn_id="stripe_default", sql_conn_id="shop_db", sql=sql)
    found: list[dict[str, str]] = run(operator)
    return found


def stage(given: list[Any]) -> dict[str, Record]:
    operator = StageEvidenceOperator(task_id="stage", cases=given, conn_id="stripe_default")
    return {record.dispute: record for record in map(Record.from_dict, run(operator))}


def test_the_operator_makes_cases_from_one_query(sandbox: Any, stripe_connection: Any, shop: Any) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    add_order(shop, create(sandbox, "du_2"), "10433", shipped=None, tracking="")
    create(sandbox, "du_3")
    add_order(shop, "ch_of_nobody", "10434")
    references = from_sql()
    assert [each.keys() for each in references] == [{"stored_case", "source", "dispute"}] * 2
    assert CANARY not in json.dumps(references)
    records = stage(references)
    assert {name: record.state for name, record in records.items()} == {"du_1": "staged", "du_2": "staged"}
    assert sandbox.dispute("du_1")["evidence"]["shipping_address"] == CANARY
    lacking = [each for each in records["du_2"].missing if "template" in each]
    assert lacking == [
        "Shipping date: template stripe-product-not-received-physical needs shipment.date",
        "Tracking number: template stripe-product-not-received-physical needs shipment.tracking_number",
        "Additional information: template stripe-product-not-received-physical needs shipment.date, "
        "shipment.tracking_number",
    ]


def test_two_orders_of_one_dispute_refuse_both(sandbox: Any, stripe_connection: Any, shop: Any) -> None:
    charge = create(sandbox, "du_1")
    add_order(shop, charge, "10432")
    add_order(shop, charge, "10433")
    record = stage(from_sql())["du_1"]
    assert record.state == "refused"
    assert "2 cases of this task are for the same dispute" in record.reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT number FROM orders", "it returns neither a column dispute nor a column charge"),
        (
            "SELECT charge FROM orders WHERE charge = :id",
            "it has the unknown parameter :id; there are :disputes",
        ),
        (
            "SELECT charge, x'00' AS photo FROM orders",
            "its column photo is of the type bytes; cast it to text",
        ),
        ('SELECT charge, 1 AS "a", 2 AS "a.b" FROM orders', "its columns a.b and a cannot stand together"),
        (
            "SELECT missing FROM orders",
            "the query on shop_db fails with OperationalError no such column: missing. To do: check that",
        ),
        ("SELECT * FROM order_lines", "the query on shop_db fails with OperationalError no such table"),
        ("SELECT charge, 1 AS id, 2 AS id FROM orders", "its column id is there twice; rename one of them"),
        ("SELECT charge, ' :id' FROM orders", "it has the unknown parameter :id; .* is written"),
        ("\ufeff \n", "it is empty; write one SELECT"),
        ("-- SELECT charge FROM orders", "it returns no table; write one SELECT and nothing else"),
        (
            'SELECT charge AS "Charge", number AS id FROM orders',
            "it returns neither a column dispute nor a column charge, but Charge, id; name the column",
        ),
    ],
)
def test_a_query_that_cannot_be_used_says_why(
    sandbox: Any, stripe_connection: Any, shop: Any, sql: str, reason: str
) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    with pytest.raises(Exception, match="^" + reason):
        from_sql(sql)


@pytest.mark.parametrize(
    ("sql", "facts"),
    [
        # Oracle and Snowflake return names without quotes in upper case.
        ('SELECT charge AS CHARGE, number AS NUMBER, 7 AS "Kg" FROM orders', {"number": "10432", "Kg": 7}),
        ("SELECT charge || '   ' AS charge, number FROM orders", {"number": "10432"}),
        ("SELECT NULL AS dispute, charge, number FROM orders", {"number": "10432"}),
        ("\ufeffSELECT charge, number FROM orders;", {"number": "10432"}),
        ("SELECT charge, 7 % 4 AS rest, '5 %' AS off FROM orders", {"rest": 3, "off": "5 %"}),
        ("SELECT charge, 7 % 4 AS rest FROM orders WHERE charge IN :charges", {"rest": 3}),
        ("SELECT charge, 'at \\:noon' AS off FROM orders", {"off": "at :noon"}),
    ],
)
def test_what_databases_and_editors_do_to_a_query_does_not_matter(
    sandbox: Any, stripe_connection: Any, shop: Any, sql: str, facts: dict[str, Any]
) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    [reference] = from_sql(sql)
    stored = evidence_store.get(reference["stored_case"])
    assert stored
    assert json.loads(stored) == {"provider": "stripe", "dispute": "du_1", "facts": facts}


def test_a_table_of_evidence_without_facts_needs_no_template(
    sandbox: Any, stripe_connection: Any, shop: Any
) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    columns = 'charge, customer AS "evidence.customer_name", number AS "metadata.order"'
    [reference] = from_sql(f'SELECT {columns}, NULL AS "order.number" FROM orders')
    assert stage([reference])["du_1"].state == "staged"
    assert sandbox.dispute("du_1")["evidence"] == {"customer_name": CANARY}


def test_a_percent_sign_is_written_once_with_parameters_and_without() -> None:
    # psycopg reads %% as % only if there are parameters.
    assert bind("SELECT 7 % 4", "stripe", [], "%s") == ("SELECT 7 % 4", [])
    query, values = bind("SELECT 7 % 4 WHERE api = :provider", "stripe", [], "%s")
    assert (query % tuple(values), values) == ("SELECT 7 % 4 WHERE api = stripe", ["stripe"])


def test_whole_numbers_become_what_their_place_in_a_case_takes(
    sandbox: Any, stripe_connection: Any, shop: Any
) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    columns = """10432 AS "metadata.order", 77 AS "evidence.shipping_tracking_number", 7 AS prepared_by,
        'label.png' AS "evidence.shipping_documentation.file", 1 AS customer_contacted,
        1 AS "evidence.shipping_documentation.optional", 3 AS "order.pieces" """
    [reference] = from_sql(f"SELECT charge, 'physical' AS product, {columns} FROM orders")
    stored = json.loads(evidence_store.get(reference["stored_case"]) or b"")
    assert stored["metadata"] == {"order": "10432"}
    assert stored["evidence"] == {
        "shipping_tracking_number": "77",
        "shipping_documentation": {"file": "label.png", "optional": True},
    }
    assert (stored["prepared_by"], stored["customer_contacted"]) == ("7", True)
    assert stored["facts"] == {"order": {"pieces": 3}}
    assert stage([reference])["du_1"].state == "staged"


_BOTH = {"facts": {"order": {"date": "2026-03-01", "number": "1"}}}
_FILES = ["a.pdf", "b.pdf"]


@pytest.mark.parametrize(
    ("columns", "case"),
    [
        (
            {"evidence.receipt.file[]": _FILES},
            {"evidence": {"receipt": [{"file": "a.pdf"}, {"file": "b.pdf"}]}},
        ),
        ({"evidence.receipt.exhibits[]": _FILES}, {"evidence": {"receipt": {"exhibits": _FILES}}}),
        (
            {"product": ["physical  "], "evidence.customer_name": [" "], "order.note": [""]},
            {"product": "physical", "facts": {"order": {"note": ""}}},
        ),
        ({"template": [""], "evidence.customer_name": ["Jane "]}, {"evidence": {"customer_name": "Jane "}}),
        ({"order.date": ["2026-03-01"], "order": [{"number": "1"}]}, _BOTH),
        ({"order": [{"number": "1"}], "order.date": ["2026-03-01"]}, _BOTH),
        (
            {"facts.order.number": ["1"], "facts": [{"note": "a"}]},
            {"facts": {"order": {"number": "1"}, "note": "a"}},
        ),
        ({"\ufefforder.number": ["1"]}, {"facts": {"order": {"number": "1"}}}),
    ],
    ids=repr,
)
def test_columns_become_a_case(columns: dict[str, list[Any]], case: dict[str, Any]) -> None:
    rows = [["du_1", *row] for row in zip(*columns.values(), strict=True)]
    found = cases_from_rows(["dispute", *columns], rows, "stripe", [snapshot("du_1").dispute])
    assert found.cases == [{"provider": "stripe", "dispute": "du_1", **case}]


def test_the_columns_in_which_rows_of_a_dispute_differ_are_named(shop: Any, caplog: Any) -> None:
    rows = "VALUES ('du_1', 1, 'a.pdf', 'x'), ('du_1', 1, 'b.pdf', 'y'), ('du_2', 2, 'c.pdf', 'z')"
    columns = 'column1 AS dispute, column2 AS n, column3 AS "documents.receipt", column4 AS "order.items[]"'
    disputes = [snapshot(name).dispute for name in ("du_1", "du_2")]
    with caplog.at_level("WARNING"):
        query_cases("shop_db", f"SELECT {columns} FROM ({rows})", "stripe", disputes)
    said = (
        "the rows of du_1 differ in documents.receipt, so they are several cases, and none is staged; to take"
    )
    assert said in caplog.text
    assert "name it as in documents.receipt[]" in caplog.text
    assert "du_2" not in caplog.text


def test_a_number_without_end_is_refused() -> None:
    with pytest.raises(TableError, match="its column n is an infinite number; cast it to text"):
        cases_from_rows(["dispute", "n"], [["du_1", inf]], "stripe", [snapshot("du_1").dispute])


def test_a_list_of_parameters_may_stand_in_brackets(shop: Any) -> None:
    disputes = [snapshot(f"du_{n}", charge=f"ch_{n}").dispute for n in range(3)]
    with shop:
        shop.executemany("INSERT INTO orders (charge) VALUES (?)", [[f"ch_{n}"] for n in range(3)])
    sql = "SELECT charge, 1 AS n FROM orders WHERE charge in ( :charges ) ORDER BY 1"
    assert [each["dispute"] for each in query_cases("shop_db", sql, "stripe", disputes)] == [
        "du_0",
        "du_1",
        "du_2",
    ]


def test_rows_of_other_disputes_are_counted_and_two_thousand_ids_are_bound(
    sandbox: Any, stripe_connection: Any, shop: Any, caplog: Any
) -> None:
    disputes = [snapshot(f"du_{n}", charge=f"ch_{n}").dispute for n in range(2000)]
    with shop:
        shop.executemany("INSERT INTO orders (charge) VALUES (?)", [[f"ch_{n}"] for n in range(1990, 2010)])
    sql = "SELECT charge, 1 AS n FROM orders WHERE charge IN :charges OR charge IN :disputes OR 1"
    with caplog.at_level("INFO"):
        found = query_cases("shop_db", sql, "stripe", disputes)
    assert [each["dispute"] for each in found] == [f"du_{n}" for n in range(1990, 2000)]
    assert "returned 20 rows, 10 of them for none of the disputes that were asked about" in caplog.text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sql:nowhere:{file}", "connection nowhere cannot be used: .*To do: check that it exists"),
        ("sql:shop_db:/none/x.sql", "its query /none/x.sql: it cannot be read: there is no such file"),
        ("sql:shop_db", "it names no file; write it as sql:connection:file"),
        (
            "sql:shop_db:abfs://shop/x.sql",
            "its query abfs://shop/x.sql: Airflow cannot open abfs://.*; install",
        ),
        ("Address", "there is no function Address; name it as .*, or write address or sql:"),
        (
            "shop_without_a_package.cases",
            "the module of shop_.* needs no_such_package, which is not installed",
        ),
        (
            "shop_with_a_mistake.cases",
            "the module of shop_.*cases cannot be imported: SyntaxError; correct it",
        ),
        ("sql:shop_db:{latin}", "is not UTF-8; save the file as UTF-8"),
        ("shop.nothing.cases", "there is no function shop.nothing.cases; name it as package.module.function"),
        (f"{__name__}.nothing", "there is no function .*; name it as"),
        (f"{__name__}.gives_none", "it returns NoneType; return a list of cases, each a dict"),
        (f"{__name__}.gives_one", "it returns dict; return a list of cases, each a dict"),
        (f"{__name__}.CALLS", "CALLS is no function, but list; name a function"),
        (f"{__name__}.fails", r"it fails with KeyError in line \d+ of test_cases_from_tables.py; correct it"),
        (f"{__name__}.takes_nothing", "it fails with TypeError when it is called with the API's name and a"),
    ],
)
def test_a_source_that_cannot_be_used_says_why(
    shop: Any, cases: Path, source: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(cases)
    (cases / "shop_without_a_package.py").write_text("import no_such_package")
    (cases / "shop_with_a_mistake.py").write_text("def cases(")
    (cases / "latin.sql").write_bytes("SELECT 'Zoë'".encode("latin-1"))
    source = source.format(file=cases / "orders.sql", latin=cases / "latin.sql")
    with pytest.raises(TableError, match=said):
        cases_from(source, "stripe", [snapshot("du_1").dispute])


@pytest.mark.parametrize("ending", ["raise KeyError", "import no_such_package", "pass"])
def test_a_module_is_run_once(ending: str, shop: Any, cases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(cases)
    name = f"shop_counts_{ending[-4:]}"
    ran = cases / "ran.txt"
    (cases / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('once ')\n{ending}\n")
    with pytest.raises(TableError):
        cases_from(f"{name}.cases", "stripe", [snapshot("du_1").dispute])
    assert ran.read_text() == "once "


@pytest.mark.parametrize(
    "place", ["{module}.given", "{module}:given", "{module}.Shop.given", "{module}:Shop.given"]
)
def test_a_function_may_be_in_a_class(place: str, shop: Any) -> None:
    assert cases_from(place.format(module=__name__), "stripe", [snapshot("du_1").dispute]) == []


def test_a_case_for_a_dispute_that_was_not_asked_about_is_named(shop: Any, caplog: Any) -> None:
    with caplog.at_level("INFO"):
        found = cases_from(f"{__name__}.gives_another", "stripe", [snapshot("du_1").dispute])
    assert [each.dispute for each in found] == ["du_1"]
    assert "gives_another has a case for ch_1, which is not open or has one already" in caplog.text


def test_spaces_around_the_dispute_of_a_function_s_case_do_not_matter(
    sweep: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_SOURCES", f"{__name__}.gives_padded")
    create(sandbox, "du_1")
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_1"]]


def test_one_unusable_value_costs_only_its_own_dispute(
    sweep: Any, sandbox: Any, shop: Any, stripe_connection: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    source = f"{__name__}.gives_what_no_case_holds"
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_SOURCES", source)
    for n in range(1, 8):
        create(sandbox, f"du_{n}")
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_6", "du_7"]]
    logged = "".join(capfd.readouterr())
    for dispute, said in {
        "du_1": "/evidence/customer_name: is of the type set",
        "du_2": "/facts/customer/name: is of the type bytes",
        "du_3": "/facts/orders/0/paid: is of the type object",
        "du_4": "/evidence/uncategorized_text: is a text with half a character",
        "du_5": "it nests lists or objects",
        f"item 9 of {source}": "is of the type str; return each case as a dict",
    }.items():
        lines = [each for each in logged.splitlines() if f"dispute={dispute} " in each and said in each]
        assert lines
        assert all(source in line for line in lines)
    assert CANARY not in logged


def test_by_default_cases_are_kept_in_the_ledger_that_all_workers_share(
    sandbox: Any, stripe_connection: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ASSETS", AssetStores())
    monkeypatch.delenv("AIRFLOW__DISPUTE__EVIDENCE_STORE")
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "ledger"))
    add_order(shop, create(sandbox, "du_1"), "10432")
    [reference] = from_sql()
    sha256 = reference["stored_case"]
    assert (tmp_path / "ledger" / "evidence" / sha256[:2] / sha256).is_file()
    assert stage([reference])["du_1"].state == "staged"
    # A worker with a folder of its own stores nothing there.
    monkeypatch.setenv("AIRFLOW__DISPUTE__LEDGER", str(tmp_path / "another"))
    with pytest.raises(
        Exception, match=r"folder of the ledger, and the ledger is missing.*To do: set \[dispute\]"
    ):
        from_sql()
    assert not (tmp_path / "another").exists()


def test_a_sweep_asks_the_sources_in_their_order(
    sweep: Any, engine: Any, sandbox: Any, shop: Any, cases: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    sources = f"address, sql:shop_db:{cases}/orders.sql, sql:nowhere:x.sql, {__name__}.cases"
    monkeypatch.setenv("AIRFLOW__DISPUTE__CASE_SOURCES", sources)
    # du_1 has a file and an order, du_2 and du_3 have an order, du_4 only a function's case, du_5 nothing.
    charges = {f"du_{n}": create(sandbox, f"du_{n}", amount=700 if n == 4 else 900) for n in range(1, 6)}
    for n in (1, 2, 3):
        add_order(shop, charges[f"du_{n}"], f"1043{n}")
    folder = cases / "stripe" / "du_1"
    folder.mkdir(parents=True)
    case = {"provider": "stripe", "dispute": "du_1", "evidence": {"uncategorized_text": "A file."}}
    (folder / "case.json").write_text(json.dumps(case))
    CALLS.clear()
    sweep.run()
    assert list(sweep.reviews().values()) == [["du_1", "du_2", "du_3", "du_4"]]
    assert CALLS == [("stripe", ["du_4", "du_5"])] or CALLS == [("stripe", ["du_5", "du_4"])]
    path = f"/api/v2/dags/dispute_review/dagRuns/{next(iter(sweep.reviews()))}"
    records = {each["dispute"]: each for each in engine.api.get(path).json()["conf"]["staged"]}
    assert f"case from sql:shop_db:{cases}/orders.sql" in records["du_2"]["notes"]
    assert f"case from {__name__}.cases" in records["du_4"]["notes"]
    assert any("du_1/case.json" in note for note in records["du_1"]["notes"])
    assert sandbox.dispute("du_1")["evidence"]["uncategorized_text"] == "A file."
    assert sandbox.dispute("du_3")["evidence"]["shipping_address"] == CANARY
    # Its facts are nowhere in Airflow's database and in no log.
    logged = "".join(capfd.readouterr())
    assert "the source of cases sql:nowhere:x.sql cannot be used" in logged
    home = Path(os.environ["AIRFLOW_HOME"])
    held = b"".join(each.read_bytes() for each in home.glob("*.db*"))
    assert b"du_3" in held
    for canary in (CANARY, "canary@example.com", "1Z999AA10123456784"):
        assert canary.encode() not in held
        assert canary not in logged
    # Nothing changed, so no other review is opened; an order that changed is reviewed again.
    sweep.run()
    assert len(sweep.reviews()) == 1
    with shop:
        shop.execute("UPDATE orders SET carrier = 'DHL' WHERE number = '10433'")
    sweep.run()
    assert sorted(sweep.reviews().values()) == [["du_1", "du_2", "du_3", "du_4"], ["du_3"]]


def test_a_stored_case_that_is_lost_is_held_with_what_to_do(
    sandbox: Any, stripe_connection: Any, shop: Any, cases: Path
) -> None:
    add_order(shop, create(sandbox, "du_1"), "10432")
    [reference] = from_sql()
    sha256 = reference["stored_case"]
    (cases.parent / f"{cases.name}-store" / sha256[:2] / sha256).unlink()
    [record] = stage([reference]).values()
    assert record.state == "held"
    assert f"evidence_store has no case {sha256[:12]} from the query on shop_db" in record.reason
    assert "clear the task that made it" in record.reason
    forged = {"stored_case": "../../etc/passwd", "source": "x"}
    [record] = stage([forged]).values()
    assert record.state == "held"
