"""The demo continues with any change that its user makes to the sandbox."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import Asked, Peer, Reply

from demo.cases import disputes
from demo.flow import Flow
from tests.harness.processes import Airflow
from tests.harness.progress import Progress
from tests.harness.rest import Rest

RUNS = {
    "dispute_sweep": [{"dag_run_id": "sweep", "state": "success"}],
    "dispute_review": [{"dag_run_id": f"review_{number}", "state": "running"} for number in range(3)],
}


class Stage:
    """Airflow's REST API for the demo, with a user who changes the sandbox between two of its requests.

    :param act: the user's change; the second request after it ends the demo.
    """

    def __init__(self, act: Any) -> None:
        self.act = act
        self.requests = 0

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.split("?")[0].removeprefix("/api/v2/dags/")
        if path == "/auth/token":
            return self._json({"access_token": "x"})
        if path.endswith("hitlDetails"):
            self.requests += 1
            if self.requests == 1:
                self.act()
            if self.requests == 3:
                # Ends the demo, which would run until Ctrl-C.
                return Reply(403)
            return self._json({"hitl_details": [{}] * len(RUNS["dispute_review"])})
        dag = path.split("/")[0]
        if asked.method == "POST":
            return self._json({"dag_run_id": "sweep"})
        return self._json({"dag_runs": RUNS[dag]})

    def _json(self, answer: Any) -> Reply:
        return Reply(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def _post(url: str, path: str, body: Any) -> None:
    httpx.post(f"{url}/_sandbox/{path}", json=body).raise_for_status()


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("disputes", {"api": "stripe", "id": "du_by_hand"}, "du_by_hand: new, needs_response"),
        ("disputes", [{"api": "moov"}, {"api": "stripe"}], "new, response-needed"),
        ("reset", {}, ""),
    ],
)
def test_a_user_s_changes_to_the_sandbox_do_not_end_the_demo(path, body, message, sandbox, tmp_path, capsys):
    made = disputes()
    sandbox.create_disputes([{"id": dispute.id, **dispute.made} for dispute in made])
    stage = Stage(lambda: _post(sandbox.url, path, body))
    with Peer(stage.answer) as peer:
        airflow = Airflow(tmp_path / "airflow", _free_port(), Path("dags"), {})
        rest = Rest(peer.url, "ana", "secret")
        flow = Flow(made, tmp_path / "cases", sandbox, airflow, rest)
        flow.open_reviews(Progress(60))
        with pytest.raises(httpx.HTTPStatusError):
            flow.stand_by(Progress(60))
        rest._client.close()
    assert stage.requests == 3
    assert message in capsys.readouterr().out


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
