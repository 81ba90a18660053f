"""Airflow finds the viewer, and no process of Airflow pays for it without need."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

from viewing import DAG, PREFIX, Site

from dispute_provider._plugin import DisputeEvidencePlugin

PROBE = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import dispute_provider._plugin
print(*sorted(set(sys.modules) - before))
"""


def test_it_imports_nothing_but_itself_and_the_mark_of_listeners() -> None:
    output = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout
    assert set(output.splitlines()[-1].split()) <= {
        "airflow._shared.listeners",
        "airflow.listeners",
        "dispute_provider",
        "dispute_provider._plugin",
        "dispute_provider._preloading",
    }


def test_its_entry_point_is_the_one_that_airflow_reads() -> None:
    [ours] = [each for each in entry_points(group="airflow.plugins") if each.name == "dispute_evidence"]
    assert ours.load() is DisputeEvidencePlugin


def plugin(site: Site) -> Any:
    plugins = site.client("ada").get("/api/v2/plugins").json()
    assert not site.client("ada").get("/api/v2/plugins/importErrors").json()["import_errors"]
    return next(each for each in plugins["plugins"] if each["name"] == "dispute_evidence")


def test_airflow_shows_a_tab_at_every_task(site: Site) -> None:
    view, _ = plugin(site)["external_views"]
    assert (view["name"], view["destination"], view["url_route"]) == ("Evidence", "task_instance", "evidence")
    assert re.findall(r"\{(\w+)\}", view["href"]) == ["DAG_ID", "RUN_ID", "TASK_ID", "MAP_INDEX"]
    # Relative to Airflow's own address, which may have a path.
    assert f"/{view['href']}".startswith(f"{PREFIX}/view?")


def test_airflow_has_the_desk_in_its_navigation(site: Site) -> None:
    _, desk = plugin(site)["external_views"]
    assert (desk["name"], desk["destination"], desk["nav_top_level"]) == ("Disputes", "nav", True)
    client = site.client("ana")
    assert '<script type="module" src="desk.js">' in client.get(f"/{desk['href']}").text
    for icon in (desk["icon"], desk["icon_dark_mode"]):
        assert client.get(f"/{icon}").headers["content-type"] == "image/svg+xml"


def test_the_tab_leads_to_the_page(site: Site) -> None:
    href = plugin(site)["external_views"][0]["href"]
    for name, value in {"DAG_ID": DAG, "RUN_ID": site.run_id, "TASK_ID": "stage"}.items():
        href = href.replace(f"{{{name}}}", value)
    answer = site.client("ana").get(f"/{href}")
    assert (answer.status_code, '<script type="module" src="view.js">' in answer.text) == (200, True)
