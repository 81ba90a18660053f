"""Keep the former module paths working for one version, with a warning that names the new path.

docs/upgrading.md lists them. Remove this module in 0.2.0.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]
# Modules that became private, by the package that they are in; a package stands for all that is in it.
_PRIVATE = {
    "": "apis cases config contracts documents evidence explain ledger registry signatures state tasks "
    "transport ui workflow",
    "hooks.": "base blocking connections",
    "operators.": "api report_outcome review_evidence stage_evidence submit_evidence",
    "sandbox.": "accounts app clock control faults forms idempotency journal moov objects oddities server "
    "setup state stripe wire",
}
MOVED = {
    # Modules that had moved before, and may have been private since.
    "contract": "_contracts.contract",
    "evidence.money": "_explain.money",
    "forms": "_explain.forms",
    "operators.case_files": "_cases.files",
    "operators.form_case": "_cases.form",
    "operators.links": "_tasks.links",
    "operators.people": "_tasks.notifications",
    "operators.record_lists": "_tasks.record_lists",
    "operators.retry": "_tasks.retry",
    "reference": "_explain.reference",
    **{
        f"{package}{name}": f"{package}_{name}"
        for package, names in _PRIVATE.items()
        for name in names.split()
    },
}
"""Former module paths and present ones, both below ``dispute_provider``."""


def install() -> None:
    """Have Python look here for modules of this package that it does not find."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def present_path(former: str) -> str | None:
    """Return the present path of a module by its former one; None if it has no former path."""
    package, _, name = former.partition(".")
    if package == _PACKAGE:
        for path, present in MOVED.items():
            if name == path or name.startswith(f"{path}."):
                return f"{package}.{present}{name.removeprefix(path)}"
    return None


class _Finder(MetaPathFinder, Loader):
    """Finds former modules; each looks its names up in the present module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        present = present_path(fullname)
        found = find_spec(present) if present else None
        if found is None:
            return None
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, self, origin=present, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        from dispute_provider import _PUBLIC

        former, present = module.__name__, str(module.__spec__ and module.__spec__.origin)
        if former.removeprefix(f"{_PACKAGE}.") in _PUBLIC:
            # A public name, whose module may be imported as well: ``import dispute_provider.config``.
            sys.modules[former] = import_module(present)
            return

        def attribute(name: str) -> Any:
            found = None if name.startswith("__") else getattr(import_module(present), name, None)
            # After this error, Python looks for a former submodule of that name.
            if found is None or isinstance(found, ModuleType):
                raise AttributeError(f"module {former!r} has no attribute {name!r}")
            _warn(f"{former}.{name}", present, name)
            return found

        vars(module)["__getattr__"] = attribute


def _warn(former: str, present: str, name: str) -> None:
    from airflow.exceptions import AirflowProviderDeprecationWarning

    public = _public_path(present, name)
    advice = (
        f"use {public}"
        if public
        else "it is private now and may change; docs/upgrading.md has the public names"
    )
    warnings.warn(
        f"{former} is deprecated and will be removed in 0.2.0: {advice}",
        AirflowProviderDeprecationWarning,
        stacklevel=3,
    )


def _public_path(module: str, name: str) -> str | None:
    """Return the public path of an object by its module and its name there; None if it has none."""
    from dispute_provider import _PUBLIC

    module = module.removeprefix(f"{_PACKAGE}.")
    for public, place in _PUBLIC.items():
        if place == f"{module}:{name}":
            return f"{_PACKAGE}.{public}"
    parent = f"{_PACKAGE}.{module}".rpartition(".")[0]
    return f"{parent}.{name}" if name in getattr(import_module(parent), "__all__", ()) else None
