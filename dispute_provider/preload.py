"""Import and compile what tasks of the workflow need, once, in the process that tasks are forked from.

See docs/scale.md for where to import it. It imports no module of Airflow, so that Airflow's settings can
import it.
"""

from __future__ import annotations

from importlib import import_module

from dispute_provider._contracts import contract
from dispute_provider._contracts.reading import read
from dispute_provider._contracts.validation import violations
from dispute_provider._registry import APIS

for _path in (
    *(path.rpartition(".")[0] for path in APIS.values()),
    "dispute_provider._documents",
    "dispute_provider._workflow.reviewing.read_for_review",
    "dispute_provider._workflow.reviewing.review",
    "dispute_provider._workflow.sending.concede",
    "dispute_provider._workflow.sending.submit",
    "dispute_provider._workflow.staging.write_evidence",
):
    import_module(_path)

for _name in APIS:
    for _operation in contract.load(_name).operations.values():
        # The first use of a schema compiles it.
        violations(_operation.schema, {})
        if _operation.success_schema is not None:
            read(_operation.success_schema, {}, is_json=True)
