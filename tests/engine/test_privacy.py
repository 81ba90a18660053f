"""Plant distinct keys and customers' texts, search everything that Airflow keeps for them, and purge it.

This tests the promises of ``docs/privacy.md``: where texts are kept, and how to remove them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from dispute_provider.sandbox import MOOV_ACCOUNT
from tests.engine import scan
from tests.engine.scan import Place
from tests.harness.documents import letter
from tests.harness.lab import KEYS, PUBLIC_KEY, Lab, Run
from tests.harness.rest import REVIEW, SWEEP

pytestmark = pytest.mark.timeout(1200)
APIS = ("stripe", "moov")
TOKEN = secrets.token_hex(4)
CANARY = re.compile(rf"canary-(\w+)-(stripe|moov)-(?:{TOKEN}|source)")
PRIVACY = Path(__file__).parents[2] / "docs" / "privacy.md"

TYPED = {("dag_run", "conf"), ("log", "extra")}
REVIEWED = {("hitl_detail", "body")}
RETURNED = {("xcom", "value")}
LOGGED = {("logs", "task"), ("logs", "processes")}
PLACES: dict[str, set[Place]] = {
    "form": TYPED | REVIEWED,
    "file": REVIEWED | {("hitl_detail_history", "body")},
    "document": {("store", "evidence")},
    "sweep": REVIEWED,
    "dry": TYPED,
    "real": TYPED,
    # The request form asked for them.
    "shown": TYPED | LOGGED,
    "literal": {("dag_code", "source_code")},
    "mapped": {("dag_code", "source_code"), ("serialized_dag", "data")},
    **dict.fromkeys(("xcom", "part", "expand", "kwargs"), RETURNED),
    # A reviewer's note is kept in these places, and so is any text of the customer that it quotes.
    "note": {
        ("log", "extra"),
        ("hitl_detail", "params_input"),
        ("hitl_detail_history", "params_input"),
        ("xcom", "value"),
        *LOGGED,
    },
}

_TASK = "dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
_FORMS = {
    "dags/{dag_id}/dagRuns/{dag_run_id}/hitlDetails",
    f"{_TASK}/{{map_index}}/hitlDetails",
    f"{_TASK}/{{map_index}}/hitlDetails/tries/{{try_number}}",
}
ANSWERS: dict[Place, set[str]] = {
    ("dag_run", "conf"): {"dags/{dag_id}/dagRuns", "dags/{dag_id}/dagRuns/{dag_run_id}"},
    ("log", "extra"): {"eventLogs"},
    ("hitl_detail", "body"): _FORMS,
    ("hitl_detail_history", "body"): _FORMS,
    ("hitl_detail", "params_input"): _FORMS,
    ("hitl_detail_history", "params_input"): _FORMS,
    ("xcom", "value"): {f"{_TASK}/xcomEntries/{{xcom_key}}"},
    ("dag_code", "source_code"): {"dagSources/{dag_id}"},
    ("logs", "task"): {f"{_TASK}/logs/{{try_number}}"},
}


def canary(way: str, api: str) -> str:
    return f"canary-{way}-{api}-{TOKEN}"


def evidence(way: str, api: str) -> dict[str, Any]:
    """Return a short text and a long one: a review shows them in different ways."""
    short, long = {"stripe": ("customer_name", "uncategorized_text"), "moov": ("cover-letter", "other")}[api]
    return {short: canary(way, api), long: "x" * 200 + canary(way, api)}


def by_form(lab: Lab, api: str) -> Run:
    dispute = lab.sandbox.create_dispute(api=api)["id"]
    conf = {"conn_id": f"{api}_default", "dispute": dispute, **evidence("form", api)}
    return lab.run(f"{api}_dispute_evidence", conf, api, dispute)


def by_file(lab: Lab, api: str) -> Run:
    dispute = lab.dispute(api, {**evidence("file", api), "receipt": {"file": "receipt.pdf"}})
    # The text is drawn on the page: a document with anything but pages is refused.
    receipt = letter("Receipt", canary("document", api))
    assert canary("document", api).encode() in receipt
    (lab.case(dispute).parent / "receipt.pdf").write_bytes(receipt)
    return lab.contest(api, dispute, f"{api}_dispute_evidence")


def by_refusal(lab: Lab, api: str) -> Run:
    """Stage a case that the API refuses with an error that quotes the text and the key."""
    dispute = lab.dispute(api, evidence("refused", api))
    operation = {"stripe": "PostDisputesDispute", "moov": "uploadDisputeEvidenceText"}[api]
    message = f"not good: {canary('refused', api)}, by {KEYS[api]}"
    error = {"message": message, "type": "invalid_request_error"} if api == "stripe" else message
    lab.sandbox.fault(
        effect="status", status=400, operation=operation, dispute=dispute, body={"error": error}, times=None
    )
    return lab.contest(api, dispute, f"{api}_dispute_evidence")


def requests(lab: Lab) -> Iterator[Run]:
    """Start test requests: shown, shown with their texts, and sent."""
    for way, options in {"dry": {}, "shown": {"show_texts": True}, "real": {"dry_run": False}}.items():
        dispute = lab.sandbox.create_dispute(api="stripe")["id"]
        evidence = {"customer_name": canary(way, "stripe")}
        arguments = {"dispute": dispute, "evidence": evidence, "submit": False}
        asked = {"operation": "PostDisputesDispute", "arguments": arguments}
        yield lab.run("stripe_request", {**options, **asked})
        dispute = lab.sandbox.create_dispute(api="moov")["id"]
        text = {"disputeID": dispute, "text": canary(way, "moov"), "evidenceType": "other"}
        yield lab.run(
            "moov_request", {**options, "operation": "uploadDisputeEvidenceText", "arguments": text}
        )
    scope = f"/accounts/{MOOV_ACCOUNT}/transfers.read"
    arguments = {"grant_type": "client_credentials", "scope": scope}
    yield lab.run(
        "moov_request", {"dry_run": False, "operation": "createAccessToken", "arguments": arguments}
    )


@pytest.fixture(scope="module")
def planted(lab: Lab) -> list[Run]:
    """Run every kind of DAG to its end, and approve the reviews."""
    earlier = {*lab.ana.runs(REVIEW)}
    for api in APIS:
        lab.dispute(api, evidence("sweep", api))
        connection = {"connection_id": f"{api}_default", "conn_type": api, "host": lab.sandbox.url, "port": 0}
        assert lab.admin.test_connection(connection)["status"]
    sweep = lab.run(SWEEP, {})
    assert sweep.wait_for_end() == "success"
    reviewed = [make(lab, api) for make in (by_form, by_file) for api in APIS]
    dispute_of = {api: lab.sandbox.create_dispute(api=api)["id"] for api in APIS}
    others = [*requests(lab), lab.run("endpoints", {**dispute_of, "token": TOKEN}), sweep]
    assert {run.wait_for_end() for run in others} == {"success"}
    refused = [by_refusal(lab, api) for api in APIS]
    assert {run.wait_for_end() for run in refused} == {"failed"}

    reviewed += [Run(lab, "", "", REVIEW, run) for run in lab.ana.runs(REVIEW) if run not in earlier]
    lab.wait_for_reviews(*reviewed)
    for run in reviewed:
        # The sweep's reviews have no single API.
        run.approve(canary("note", run.api) if run.api else "")
    assert {run.wait_for_end() for run in reviewed} == {"success"}
    # Airflow keeps a cleared review in the history of its task.
    for run in reviewed[2:4]:
        run.clear("review")
        lab.until("the cleared review to run", partial(_is_tried_again, run))
        run.wait_for_end()
    return [*others, *refused, *reviewed]


def _is_tried_again(run: Run) -> bool:
    return bool(run.task("review")["try_number"] == 2)


def kept(lab: Lab) -> Iterator[tuple[Place, str]]:
    home = lab.airflow.home
    return chain(
        scan.database(home),
        scan.logs(home),
        scan.receipts(lab.receipts),
        scan.ledger(lab.ledger),
        scan.store(lab.store),
    )


def places(texts: Iterable[tuple[Place, str]]) -> dict[str, set[Place]]:
    """Return the places where the texts of each way occur, which must be the same for both APIs."""
    found: dict[tuple[str, str], set[Place]] = defaultdict(set)
    for place, text in texts:
        for way, api in CANARY.findall(text):
            found[way, api].add(place)
    for way, api in found:
        assert way == "part" or found[way, "stripe"] == found[way, "moov"], (way, api)
    return {way: found[way, "stripe"] for way, _ in found}


def secret_words(lab: Lab) -> dict[str, str]:
    """Return the secrets that must not be kept, by their description."""
    pair = f"{PUBLIC_KEY}:{KEYS['moov']}"
    return {
        **KEYS,
        "pair of keys, as sent": b64encode(pair.encode()).decode(),
        **{f"derived signing key of {api}": hashlib.sha256(KEYS[api].encode()).hexdigest() for api in APIS},
        **{f"token {number}": token for number, token in enumerate(lab.minted())},
        **{f"signing key {number}": key for number, key in enumerate(lab.signing_keys())},
    }


def test_no_key_is_kept(lab: Lab, planted: list[Run]) -> None:
    words = secret_words(lab)
    assert len(words) > 6
    runs = [(run.dag_id, run.run_id) for run in planted]
    assert scan.occurrences(words.values(), chain(kept(lab), scan.answers(lab.admin, runs))) == {}


def test_texts_are_kept_only_in_the_named_places(lab: Lab, planted: list[Run]) -> None:
    assert places(kept(lab)) == PLACES
    tables = {place for found in PLACES.values() for place in found if place[0] not in ("logs", "store")}
    named = set(map(" ".join, tables))
    assert named == set(re.findall(r"^\| `(\w+ \w+)`", PRIVACY.read_text(), re.MULTILINE))


def test_the_rest_api_shows_only_the_named_places(lab: Lab, planted: list[Run]) -> None:
    answers = scan.answers(lab.admin, [(run.dag_id, run.run_id) for run in planted])
    shown = {way: {path for _, path in found} for way, found in places(answers).items()}
    expected = {
        way: set().union(*(ANSWERS.get(place, set()) for place in found)) for way, found in PLACES.items()
    }
    assert shown == {way: paths for way, paths in expected.items() if paths}


def test_deleting_a_run_leaves_only_its_audit_log(lab: Lab, planted: list[Run]) -> None:
    for run in planted:
        if run.dag_id.endswith("_dispute_evidence"):
            lab.admin.delete(run.dag_id, run.run_id)
    left = places(scan.database(lab.airflow.home))
    assert left["form"] == left["note"] == {("log", "extra")}
    assert "file" not in left


def test_the_purge_leaves_nothing(lab: Lab, planted: list[Run]) -> None:
    (lab.dags / "endpoints.py").unlink()
    (commands,) = re.findall(r"```sh\n(.*?)```", PRIVACY.read_text(), re.DOTALL)
    for line in re.sub(r"-mtime \+\d+ ", "", commands.replace("30 days ago", "now")).splitlines():
        lab.shell(line, DAG="endpoints", LEDGER=str(lab.ledger))
    assert places(kept(lab)) == {}
