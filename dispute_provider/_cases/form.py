"""Take a case from the trigger form of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

if TYPE_CHECKING:
    from airflow.sdk import Context


def form_params(api: str | None = None) -> dict[str, Param]:
    """Return the params for the location of a case; ``forms.case_params`` has those for its contents.

    :param api: the name of the API whose limits for documents the form states, such as ``stripe``; None, the
        default, states none.
    """
    from dispute_provider._explain.forms import document_limits

    documents = "Folder under [dispute] case_roots with the documents named below."
    return {
        "case_path": Param(
            None,
            type=["null", "string"],
            title="Case file",
            description="Path of a case file under [dispute] case_roots. If set, no other field is read.",
        ),
        "folder": Param(
            None,
            type=["null", "string"],
            title="Folder of the documents",
            description=f"{documents} {document_limits(api)}" if api else documents,
        ),
    }


class FormCase:
    """The case in the form of a run, read when the task runs so that its texts do not pass through XCom.

    :param api: the name of the API, such as ``stripe``; the DAG's params must be those of
        ``forms.case_params(api)``.
    """

    def __init__(self, api: str) -> None:
        self.api = api

    def resolve(self, context: Context) -> list[Any]:
        """Return the path of a case, or the case as a dict.

        Unless the form names who prepared the case, it is the user who triggered the run.
        """
        values = context["params"]
        # A path that is pasted may have a space or a line break behind it.
        if path := (values.get("case_path") or "").strip():
            return [path]
        from dispute_provider._explain.forms import case_from_form

        case = case_from_form(self.api, values)
        person = getattr(context["dag_run"], "triggering_user_name", None)
        return [case if "prepared_by" in case or not person else {**case, "prepared_by": person}]
