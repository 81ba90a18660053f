"""Acme's evidence in Airflow's UI: what the page of a task is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from acme_server import Acme, connected
from papers import picture
from running import run
from viewing import Site

from dispute_provider import StageEvidenceOperator


@pytest.mark.usefixtures("store")
def test_the_page_shows_the_texts_and_pages_of_a_case(
    site: Site, cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = Acme()
    (cases / "door.gif").write_bytes(picture("GIF"))
    evidence = {"explanation": "Left at the door.", "proof": {"file": "door.gif"}}
    case = {"provider": "acme", "dispute": acme.open_case("cs_1"), "evidence": evidence}
    (cases / "case.json").write_text(json.dumps(case))
    with connected(acme, monkeypatch) as conn_id:
        staging = StageEvidenceOperator(task_id="stage", cases=[str(cases / "case.json")], conn_id=conn_id)
        site.returns("stage", run(staging))
        page = site.client("ana")

        listed = page.get(site.address("stage")).json()["disputes"]
        assert [(each["dispute"], each["provider"]) for each in listed] == [("cs_1", "acme")]
        address = f"{site.address('stage')}/disputes/{listed[0]['key']}"
        shown = page.get(address).json()
        pieces = {piece["name"]: piece for piece in shown["pieces"]}
        assert pieces["explanation"]["text"] == "Left at the door."
        sha256 = pieces["proof"]["document"]["sha256"]
        drawn = page.get(f"{site.address('stage')}/documents/{sha256}/pages/1")
        assert (drawn.status_code, drawn.content[:4]) == (200, b"\x89PNG")
        assert not any(piece["changed"] for piece in shown["pieces"])

        acme.cases["cs_1"]["draft"]["explanation"] = "A colleague's text."
        changed = {piece["name"] for piece in page.get(address).json()["pieces"] if piece["changed"]}
        assert changed == {"explanation"}
