"""What a DAG does without this provider: one task for each call, staging alone."""

from __future__ import annotations

import json
from pathlib import Path

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from airflow.sdk.configuration import conf

calls = json.loads(Path(conf.get("dispute", "case_roots"), "calls.json").read_text())

with DAG("bench_http_operator", schedule=None):
    HttpOperator.partial(
        task_id="stage",
        http_conn_id="bench_http",
        method="POST",
        headers=calls["headers"],
        data=calls["data"],
    ).expand(endpoint=calls["endpoints"])
