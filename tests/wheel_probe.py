"""Print what Airflow finds of the installed wheel; test_wheel.py runs this where the wheel is installed."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any


def found() -> dict[str, Any]:
    from airflow import settings as airflow_settings
    from airflow.api_fastapi.app import create_app
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.revoked_token import RevokedToken
    from airflow.providers_manager import ProvidersManager
    from fastapi.testclient import TestClient

    distribution = metadata.distribution("dispute-provider")
    providers = ProvidersManager()
    examples = str(files("dispute_provider.example_dags"))
    bag = DagBag(dag_folder=examples)
    # The one table that logging in looks at: a whole database would take longer than all the rest.
    RevokedToken.metadata.create_all(airflow_settings.engine, tables=[RevokedToken.__table__])
    with TestClient(create_app(apps="core")) as client:
        client.headers["Authorization"] = f"Bearer {client.get('/auth/token').json()['access_token']}"
        forms = client.get("/ui/connections/hook_meta").json()
    return {
        "package": str(files("dispute_provider")),
        "files": [str(file) for file in distribution.files or ()],
        "requires": distribution.requires,
        "provider": providers.providers["dispute-provider"].data,
        "version": providers.providers["dispute-provider"].version,
        "hooks": {kind: providers.hooks[kind].hook_class_name for kind in ("stripe", "moov")},
        "notifiers": providers.notification,
        "links": sorted(providers.extra_links_class_names),
        "forms": {form["connection_type"]: form for form in forms},
        "dags": sorted(bag.dag_ids),
        "import_errors": bag.import_errors,
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(found()))
