"""The case that somebody typed into a trigger form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


class FormCase:
    """Stands for the case of a run's own form, read when the task runs: its texts pass through no XCom.

    :param api: ``stripe`` or ``moov``; the DAG's params are those of ``forms.case_params(api)``.
    """

    def __init__(self, api: str) -> None:
        self.api = api

    def resolve(self, context: Context) -> list[Any]:
        """The path of a case, or the case itself as a dict."""
        from dispute_provider.forms import case_from_form

        values = context["params"]
        return [values.get("case_path") or case_from_form(self.api, values)]
