"""Stage without this provider: one task for each call.

At most 16 tasks at a time, Airflow's default, or three, which is faster on two cores.
"""

from __future__ import annotations

import json
from pathlib import Path

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from airflow.sdk.configuration import conf

calls = json.loads(Path(conf.get("dispute", "case_roots"), "calls.json").read_text())

for name, most in (("bench_http_operator", 16), ("bench_http_operator_3", 3)):
    with DAG(name, schedule=None, max_active_tasks=most):
        HttpOperator.partial(
            task_id="stage",
            http_conn_id="bench_http",
            method="POST",
            headers=calls["headers"],
            data=calls["data"],
        ).expand(endpoint=calls["endpoints"])
