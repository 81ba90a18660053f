"""Import and compile what tasks of the workflow need, once, in the process that tasks are forked from.

See docs/scale.md for where to import it. It imports no module of Airflow, so that Airflow's settings can
import it.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import msgspec

from dispute_provider._contracts import contract
from dispute_provider._contracts.headers import exceeded_limit, header
from dispute_provider._contracts.reading import read
from dispute_provider._contracts.validation import violations
from dispute_provider._evidence.record import Record
from dispute_provider._ledger.chain import Claimant
from dispute_provider._registry import APIS

# All modules of these. Those of the other packages import Airflow, or are needed by few tasks.
_PACKAGES = ("_contracts", "_evidence", "_ledger", "_transport", "_workflow.reviewing", "_workflow.sending")
_MODULES = (
    *(path.rpartition(".")[0] for path in APIS.values()),
    "dispute_provider._cases.case_batch",
    "dispute_provider._cases.open_disputes",
    "dispute_provider._documents",
    "dispute_provider._signatures",
    "dispute_provider._state.sweep",
    "dispute_provider._workflow.staging.write_evidence",
)

for _package in _PACKAGES:
    _found = import_module(f"dispute_provider.{_package}")
    for _each in walk_packages(_found.__path__, f"{_found.__name__}."):
        import_module(_each.name)
for _path in _MODULES:
    import_module(_path)

# The first use of a type, a role of a header or a schema compiles it.
for _type in (Record, Claimant):
    msgspec.json.Decoder(_type)
for _name in APIS:
    _api = contract.load(_name)
    exceeded_limit(_api, {})
    for _role in ("request-id", "should-retry", "replayed"):
        header(_api, _role, {})
    for _operation in _api.operations.values():
        violations(_operation.schema, {})
        if _operation.success_schema is not None:
            read(_operation.success_schema, {}, is_json=True)
