"""Pass evidence to endpoint operators in every way that Airflow offers; each text is distinct."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from dispute_provider.operators.moov import MoovUploadDisputeEvidenceTextOperator as UploadText
from dispute_provider.operators.stripe import StripeUpdateDisputeOperator as Update

with DAG(
    "endpoints",
    schedule=None,
    max_active_tasks=4,
    params={name: Param("", type="string") for name in ("stripe", "moov", "token")},
) as dag:
    stripe = "{{ params.stripe }}"
    moov: dict[str, Any] = {"dispute_id": "{{ params.moov }}", "evidence_type": "other"}

    # By default Airflow logs what a task returns.
    @task(show_return_value_in_logs=False)
    def text(way: str, api: str, **context: Any) -> str:
        return f"canary-{way}-{api}-{context['params']['token']}"

    @task(show_return_value_in_logs=False)
    def evidence(way: str, **context: Any) -> dict[str, str]:
        return {"customer_name": f"canary-{way}-stripe-{context['params']['token']}"}

    @task(show_return_value_in_logs=False)
    def many(name: str, way: str, **context: Any) -> list[Any]:
        """Return a list for one mapped task: its arguments, or the value of one argument."""
        api = "stripe" if name == "evidence" else "moov"
        given: Any = f"canary-{way}-{api}-{context['params']['token']}"
        given = {"customer_name": given} if api == "stripe" else given
        return [given if way == "expand" else {name: given}]

    Update(
        task_id="stripe_literal", dispute=stripe, evidence={"customer_name": "canary-literal-stripe-source"}
    )
    Update(task_id="stripe_xcom", dispute=stripe, evidence=evidence("xcom"))
    Update(task_id="stripe_part", dispute=stripe, evidence={"customer_name": text("part", "stripe")})
    Update.partial(task_id="stripe_expand", dispute=stripe).expand(evidence=many("evidence", "expand"))
    Update.partial(task_id="stripe_kwargs", dispute=stripe).expand_kwargs(many("evidence", "kwargs"))
    Update.partial(task_id="stripe_mapped", dispute=stripe).expand(
        evidence=[{"customer_name": "canary-mapped-stripe-source"}]
    )

    UploadText(task_id="moov_literal", text="canary-literal-moov-source", **moov)
    UploadText(task_id="moov_xcom", text=text("xcom", "moov"), **moov)
    UploadText.partial(task_id="moov_expand", **moov).expand(text=many("text", "expand"))
    UploadText.partial(task_id="moov_kwargs", **moov).expand_kwargs(many("text", "kwargs"))
    UploadText.partial(task_id="moov_mapped", **moov).expand(text=["canary-mapped-moov-source"])
