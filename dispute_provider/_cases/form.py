"""The case that somebody typed into a trigger form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from airflow.sdk import Context


def form_params() -> dict[str, Param]:
    """The params that say where a case comes from; those of its contents are ``forms.case_params``."""
    return {
        "case_path": Param(
            None,
            type=["null", "string"],
            title="Case file",
            description="Path of a case under [dispute] case_roots; where given, the rest is not read.",
        ),
        "folder": Param(
            None,
            type=["null", "string"],
            title="Folder of the documents",
            description="Folder under [dispute] case_roots that the documents named below stand in.",
        ),
    }


class FormCase:
    """Stands for the case of a run's own form, read when the task runs: its texts pass through no XCom.

    :param api: ``stripe`` or ``moov``; the DAG's params are those of ``forms.case_params(api)``.
    """

    def __init__(self, api: str) -> None:
        self.api = api

    def resolve(self, context: Context) -> list[Any]:
        """The path of a case, or the case itself as a dict, prepared by whoever filled in the form."""
        values = context["params"]
        if path := values.get("case_path"):
            return [path]
        from dispute_provider._explain.forms import case_from_form

        case = case_from_form(self.api, values)
        person = getattr(context["dag_run"], "triggering_user_name", None)
        return [case if "prepared_by" in case or not person else {**case, "prepared_by": person}]
