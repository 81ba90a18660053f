"""Import and compile what tasks need, once, in the process that tasks are forked from.

The scheduler imports this module itself. See docs/scale.md for Celery workers.
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

# Left out: hooks, which import a second HTTP client, and what only the API server or a child process needs.
_PACKAGES = (
    "_contracts",
    "_evidence",
    "_transport",
    "_ledger",
    "_apis",
    "_cases",
    "_state",
    "_workflow",
    "_tasks",
    "operators",
)

for _package in _PACKAGES:
    _found = import_module(f"dispute_provider.{_package}")
    for _each in walk_packages(_found.__path__, f"{_found.__name__}."):
        import_module(_each.name)

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
