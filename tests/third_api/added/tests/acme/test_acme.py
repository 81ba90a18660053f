"""An API that differs in all that an API can differ in, and needs no change of the package."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from acme_server import KEY, Acme
from airflow.sdk import DAG, BaseHook
from PIL import Image
from running import run
from support import register

from dispute_provider._contracts import contract
from dispute_provider._evidence.case import Case
from dispute_provider._evidence.policy import ApprovalPolicy
from dispute_provider._evidence.snapshot import Evidence
from dispute_provider._explain.forms import case_from_form, case_params
from dispute_provider._tasks.ledgers import environment_of
from dispute_provider.exceptions import (
    ApiError,
    AuthenticationError,
    InvalidCaseError,
    InvalidRequestError,
    NotFoundError,
)
from dispute_provider.hooks._connections import api_of
from dispute_provider.operators.call import CallOperator
from dispute_provider.operators.evidence import (
    ReportOutcomeOperator,
    ReviewEvidenceOperator,
    StageEvidenceOperator,
    SubmitEvidenceOperator,
)
from dispute_provider.operators.request import RequestOperator, form

DAGS = Path(__file__).parents[2] / "dags"
SECRET = "Jane Roe of 1 Elm Street"
POLICY = ApprovalPolicy("small sums", {"eur": 10_000}, verdicts=("ready", "weak", "missing", "unknown", None))


def gif() -> bytes:
    written = io.BytesIO()
    Image.new("P", (8, 8)).save(written, "GIF")
    return written.getvalue()


def xcom(run: Any, task: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(XComModel).filter_by(run_id=run.run_id, task_id=task, key="return_value")
        value = session.scalars(query).one().value
    return json.loads(value) if isinstance(value, str) else value


def make(operation_id: str, **values: Any) -> Any:
    """What a test request returns whose form was left as it is, but for these values."""
    params = {name: param.value for name, param in form(contract.load("acme")[operation_id]).items()}
    operator = RequestOperator(task_id="request", api="acme", operation_id=operation_id)
    return run(operator, params=params | values)


def call(operation_id: str, **options: Any) -> Any:
    return run(CallOperator(task_id="call", api="acme", operation_id=operation_id, **options))


@pytest.mark.usefixtures("airflow_database")
def test_from_the_case_to_the_receipt(acme: Acme, acme_connection: str, cases: Path) -> None:
    ref = acme.open_case("cs_1")
    (cases / "door.gif").write_bytes(gif())
    case = {
        "provider": "acme",
        "dispute": ref,
        "evidence": {"explanation": f"Delivered to {SECRET}.", "proof": {"file": "door.gif"}},
    }
    (cases / "case.json").write_text(json.dumps(case))
    with DAG("contest_acme", schedule=None) as dag:
        stage = StageEvidenceOperator(
            task_id="stage", cases=[str(cases / "case.json")], conn_id=acme_connection
        )
        review = ReviewEvidenceOperator(task_id="review", staged=stage.output, policy=POLICY)
        submit = SubmitEvidenceOperator(task_id="submit", approved=review.output)
        ReportOutcomeOperator(task_id="outcome", results=submit.output)
    register(dag)

    finished = dag.test()

    [record] = xcom(finished, "submit")
    assert (finished.state, record["state"], acme.sent) == ("success", "submitted", [ref])
    assert acme.papers["fl_1"]["state"] == "ready"
    assert acme.cases[ref]["draft"] == {"explanation": f"Delivered to {SECRET}.", "proof": "fl_1"}
    [staged] = xcom(finished, "stage")
    assert (staged["amount"], staged["currency"]) == (4999, "eur")
    assert SECRET not in json.dumps([staged, record])
    again = dag.test()
    assert xcom(again, "submit") == [] or xcom(again, "submit")[0]["state"] != "submitted"
    assert acme.sent == [ref]


def test_the_list_is_paginated_by_a_header(acme: Acme, acme_connection: str) -> None:
    for number in range(5):
        acme.open_case(f"cs_{number}")
    acme.cases["cs_3"]["amount"] = None
    listing = BaseHook.get_hook(acme_connection).with_api(lambda api: api.list_open())
    assert [each.id for each in listing.disputes] == ["cs_0", "cs_1", "cs_2", "cs_4"]
    assert [each.dispute for each in listing.unreadable] == ["cs_3"]


def test_a_case_form() -> None:
    fields = case_params("acme").keys()
    assert {"dispute", "explanation", "trackingCode", "proof"} <= fields
    # Acme has no accounts, and its contract no x-case-account.
    assert "account" not in fields
    typed = {"dispute": "cs_1", "explanation": "Delivered.", "proof": "door.gif"}
    assert case_from_form("acme", typed)["evidence"] == {
        "explanation": "Delivered.",
        "proof": {"file": "door.gif"},
    }


def test_a_case_with_an_account_is_refused(acme: Acme, acme_connection: str) -> None:
    case = {"provider": "acme", "dispute": "cs_1", "account": "m_1", "evidence": {"explanation": "x"}}
    with pytest.raises(InvalidCaseError, match="/account: is not used: Acme has no accounts; remove it"):
        Case.parse(case)


def test_cases_are_listed_in_several_states(acme: Acme, acme_connection: str) -> None:
    for number, state in enumerate(["OPEN", "WON", "LOST"]):
        acme.open_case(f"cs_{number}", state=state)
    answer = call("listCases", arguments={"state": ["OPEN", "WON"]})
    assert [case["caseRef"] for case in answer["cases"]] == ["cs_0", "cs_1"]


def test_the_dags_include_it() -> None:
    from airflow.dag_processing.dagbag import DagBag

    for file in ("api_requests.py", "dispute_evidence.py"):
        bag = DagBag(dag_folder=str(DAGS / file), bundle_name="dags-folder")
        assert bag.import_errors == {}
        own = {name: dag for name, dag in bag.dags.items() if name.startswith("acme_")}
        [dag] = own.values()
        assert dag.dag_display_name in ("Acme request", "Acme · Contest a dispute")


def test_each_request_can_be_previewed(acme: Acme, acme_connection: str) -> None:
    for operation_id in contract.load("acme").operations:
        shown = make(operation_id)
        assert (shown["violations"], acme.calls) == ([], [])
        assert shown["curl"].startswith("curl -X")
        assert "CallOperator" in shown["python"] or "call(" in shown["python"]


class TestConfirming:
    def test_the_reference_must_be_typed_again(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case("cs_1")
        with pytest.raises(InvalidRequestError, match="/confirm"):
            make("sendAnswer", dry_run=False, case="cs_1", confirm="cs_2")
        assert acme.calls == []
        sent = make("sendAnswer", dry_run=False, case="cs_1", confirm="cs_1", requestKey=None)
        assert (sent["sent"], acme.sent) == (True, ["cs_1"])
        [key] = acme.keys
        assert key.startswith("submit-")


class TestAFinalCall:
    """Acme names the case in the body of a submission, and answers without the case."""

    def test_a_submission_returns_the_case_as_read_back(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case("cs_1", claim=SECRET)
        answer = call("sendAnswer", arguments={"case": "cs_1"})
        assert (answer["caseRef"], answer["state"], acme.sent) == ("cs_1", "ANSWERED", ["cs_1"])
        assert SECRET not in json.dumps(answer)

    def test_a_concession_without_a_body_returns_the_case(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case("cs_1", claim=SECRET)
        answer = call("concedeCase", arguments={"caseRef": "cs_1"})
        assert (answer["caseRef"], answer["state"]) == ("cs_1", "CONCEDED")
        assert SECRET not in json.dumps(answer)

    def test_of_a_test_request(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case("cs_1", claim=SECRET)
        sent = make("concedeCase", dry_run=False, caseRef="cs_1", confirm="cs_1", requestKey=None)
        assert sent["answer"]["state"] == "CONCEDED"
        assert SECRET not in json.dumps(sent)


class TestTheKey:
    """Acme takes its key in a header of its own, without a scheme."""

    def test_a_preview_does_not_contain_it(
        self, acme_connection: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = make("getCase")
        assert shown["headers"]["Acme-Key"] == "[redacted: a secret]"
        assert '-H "Acme-Key: $ACME_KEY"' in shown["curl"]
        assert KEY not in json.dumps(shown) + capsys.readouterr().out

    def test_an_error_does_not_quote_it(self, acme_connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = "another_key_0123456789"
        stored = json.loads(os.environ["AIRFLOW_CONN_ACME_DEFAULT"])
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(stored | {"password": wrong}))
        with pytest.raises(AuthenticationError) as refused:
            call("getCase", arguments={"caseRef": "cs_1"})
        assert wrong not in str(refused.value)

    def test_airflow_s_own_operators_send_it(self, acme: Acme, acme_connection: str) -> None:
        hook = BaseHook.get_hook(acme_connection)
        hook.method = "GET"
        assert hook.run("/merchant", headers={"Acme-Revision": "3"}).json()["merchantRef"] == "m_1"


class TestTheRegion:
    """Acme's server depends on the account, which does not make another environment of it."""

    @pytest.fixture(autouse=True)
    def region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stored = {"conn_type": "acme", "password": KEY, "extra": {"region": "eu"}}
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(stored))

    def test_a_preview_shows_its_server(self) -> None:
        assert make("getCase")["url"] == "https://eu.api.acme.example/cases/cs_1"

    def test_airflow_s_own_operators_use_it(self) -> None:
        hook = BaseHook.get_hook("acme_default")
        hook.get_conn()
        assert hook.base_url == "https://eu.api.acme.example"

    def test_its_disputes_have_the_same_chains_as_elsewhere(self) -> None:
        assert environment_of(BaseHook.get_hook("acme_default").settings) == "test"


class TestTheKeyInTheBody:
    def test_an_upload_gets_one(self, acme: Acme, acme_connection: str, tmp_path: Path) -> None:
        path = tmp_path / "door.gif"
        path.write_bytes(gif())
        arguments = {"details": {"name": "door.gif", "note": SECRET}, "content": str(path)}
        first = call("sendPaper", arguments=arguments)
        assert call("sendPaper", arguments=arguments) == first
        assert len(acme.papers) == 1
        assert acme.papers["fl_1"]["note"] == SECRET, "a JSON part arrived as JSON"
        assert SECRET not in json.dumps(first)

    def test_an_optional_file_is_sent_only_if_it_is_given(
        self, acme: Acme, acme_connection: str, cases: Path
    ) -> None:
        (cases / "cover.gif").write_bytes(gif())
        values = {"dry_run": False, "details.name": "a.pdf", "requestKey": None}
        make("sendPaper", **values)
        make("sendPaper", **values, cover=str(cases / "cover.gif"))
        assert [paper["covered"] for paper in acme.papers.values()] == [False, True]

    def test_a_form_has_a_list_of_objects(self, acme: Acme, acme_connection: str) -> None:
        field = form(contract.load("acme")["sendPaper"])["details.parts"]
        assert field.schema["items"] == {"type": "object"}
        shown = make("sendPaper", **{"details.parts": [{"page": 1, "subject": SECRET}]})
        [details] = [line for line in shown["body"] if line.startswith("details: ")]
        assert json.loads(details.partition(": ")[2])["parts"][0]["page"] == 1
        assert SECRET not in json.dumps(shown)

    def test_a_key_given_by_the_caller(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case("cs_1")
        call("sendAnswer", arguments={"case": "cs_1", "requestKey": "mine"})
        assert list(acme.keys) == ["mine"]


class TestRedaction:
    def test_of_an_answer(self, acme: Acme, acme_connection: str) -> None:
        acme.open_case(
            "cs_1",
            claim=SECRET,
            holder={"fullName": SECRET},
            draft={"explanation": SECRET},
            unknown={"deep": [SECRET]},
        )
        answer = call("getCase", arguments={"caseRef": "cs_1"})
        assert (answer["caseRef"], answer["motive"]) == ("cs_1", "GOODS_NOT_RECEIVED")
        assert SECRET not in json.dumps(answer)
        whole = call("getCase", arguments={"caseRef": "cs_1"}, return_evidence=True)
        assert whole["claim"] == SECRET

    def test_of_a_preview(self, acme_connection: str, capsys: pytest.CaptureFixture[str]) -> None:
        shown = make("sendPaper", **{"details.note": SECRET, "details.name": "a.gif"})
        assert SECRET not in json.dumps(shown) + capsys.readouterr().out
        [details] = [line for line in shown["body"] if line.startswith("details: ")]
        assert json.loads(details.partition(": ")[2])["name"] == "a.gif"


class TestALinkToADocument:
    """Acme's documents are downloaded from a link, which grants access and must not get the key."""

    @pytest.fixture
    def paper(self, acme: Acme) -> Evidence:
        acme.papers["fl_9"] = {"fileRef": "fl_9", "state": "ready", "format": "image/gif", "content": gif()}
        return Evidence("proof", id="fl_9")

    def fetch(self, conn_id: str, paper: Evidence) -> bytes:
        content: bytes = BaseHook.get_hook(conn_id).with_api(lambda api: api.fetch("cs_1", paper))
        return content

    def test_it_is_downloaded_without_the_key(self, acme_connection: str, paper: Evidence) -> None:
        assert self.fetch(acme_connection, paper) == gif()

    def test_it_is_not_stored(self, acme_connection: str, paper: Evidence) -> None:
        assert call("getPaper", arguments={"paperRef": "fl_9"})["link"] == "[redacted: a secret]"

    @pytest.mark.parametrize(
        ("link", "problem"),
        [
            ("{url}/links/fl_9?token=old", "was answered with 403. To do: try again; such links expire"),
            ("http://files.acme.example/fl_9?token=t", "does not use https"),
            ("file:///etc/passwd?token=t", "does not use https"),
            ("http://127.0.0.1:9/fl_9?token=t", "no connection"),
        ],
    )
    def test_an_error_does_not_quote_it(
        self, acme: Acme, acme_connection: str, paper: Evidence, link: str, problem: str
    ) -> None:
        acme.papers["fl_9"]["link"] = link.format(url=acme.url)
        with pytest.raises(ApiError, match=re.escape(problem)) as refused:
            self.fetch(acme_connection, paper)
        assert "token" not in str(refused.value)


def test_an_error_is_read_in_acme_s_form(acme: Acme, acme_connection: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        call("getCase", arguments={"caseRef": "cs_9"})
    error = refused.value
    assert (error.message, error.code, error.param) == ("there is no such case", "no_such_case", "x")
    assert error.request_id == "tr_1"


def test_advice_by_code(acme: Acme, acme_connection: str) -> None:
    acme.open_case("cs_1", state="ANSWERED")
    with pytest.raises(Exception, match="ask Acme to thaw the case"):
        call("saveDraft", arguments={"caseRef": "cs_1", "explanation": "x"})


def test_the_shown_commands_do_what_the_operator_does(
    acme_connection: str,
) -> None:
    """The shell's command of an upload sends its JSON part as JSON."""
    shown = make("sendPaper", requestKey="k-9", **{"details.name": 'do"or;.gif', "details.note": None})
    command = shlex.split(shown["curl"].replace("\\\n", " "))
    assert command[:3] == ["curl", "-X", "POST"]
    [details] = [part for part in command if part.startswith("details=")]
    assert details == 'details="{\\"name\\":\\"do\\\\\\"or;.gif\\"}";type=application/json'


def test_a_connection_of_its_type_opens_it(acme_connection: str) -> None:
    assert api_of(acme_connection).name == "acme"
    assert BaseHook.get_hook(acme_connection).test_connection() == (True, "Reached Acme merchant m_1.")
