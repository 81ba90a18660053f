"""Case files, wherever ``ObjectStoragePath`` reaches."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispute_provider.exceptions import InvalidCaseError, Violation

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from dispute_provider.evidence.case import Case

_SUFFIXES = (".json", ".yaml", ".yml")
LARGEST_CASE = 4 * 1024 * 1024


def case_roots() -> list[str]:
    """The folders under which cases may be read at run time: ``[dispute] case_roots``."""
    from airflow.sdk.configuration import conf

    return [
        root.strip() for root in conf.get("dispute", "case_roots", fallback="").split(",") if root.strip()
    ]


def require_within_roots(path: str) -> None:
    """Refuse a path that a form, a row or another task named, unless it stands under a case root.

    :raises InvalidCaseError: if it does not; otherwise a form could read any file of a worker.
    """
    if not any(is_within(path, root) for root in case_roots()):
        remedy = "move the case under a folder of [dispute] case_roots, or add its folder there"
        raise InvalidCaseError(path[:200], [Violation("", "it stands outside of the case roots", remedy)])


def is_within(path: str, root: str) -> bool:
    """Whether a path stands under a root, links and ``..`` resolved where they can be."""
    if _is_local(path) != _is_local(root):
        return False
    if _is_local(path):
        return _resolved(path).is_relative_to(_resolved(root))
    return ".." not in path.split("/") and path.startswith(root.rstrip("/") + "/")


def _is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _resolved(path: str) -> Path:
    """Where a path leads; links in a circle, which Path.resolve does not survive, lead to themselves."""
    return Path(os.path.realpath(path.removeprefix("file://")))


def find_cases(folder: str) -> Iterator[str]:
    """The case files of a folder, in order: its own JSON and YAML files, and ``case.*`` one folder down."""
    for entry in sorted(storage_path(folder).iterdir(), key=str):
        if entry.is_dir():
            files = sorted(entry.iterdir(), key=str)
            yield from (str(file) for file in files if file.stem == "case" and file.suffix in _SUFFIXES)
        elif entry.suffix.lower() in _SUFFIXES:
            yield str(entry)


def read_case(path: str) -> Case:
    """Read one case file.

    :raises InvalidCaseError: if it cannot be read, or with every violation in it.
    """
    from dispute_provider.evidence.case import Case

    file = storage_path(path)
    try:
        size = file.stat().st_size
        if size > LARGEST_CASE:
            problem = f"it has {size:,} bytes, a case has at most {LARGEST_CASE:,}"
            raise InvalidCaseError(path, [Violation("", problem, "name the case file, not a document")])
        data = _parse(file.read_text(encoding="utf-8"), file.suffix.lower())
    except OSError as error:
        problem = f"it cannot be read: {type(error).__name__}"
        raise InvalidCaseError(path, [Violation("", problem, "check the path and the permissions")]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidCaseError(path, [Violation("", _where(error), "correct the file")]) from None
    return Case.parse(data, folder=str(file.parent), source=path)


def storage_path(path: str) -> ObjectStoragePath:
    """A place in object storage; a plain path is one on this machine."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(path if "://" in path else f"file://{Path(path).absolute()}")


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return json.loads(text)
    import yaml

    class Loader(yaml.SafeLoader):
        """Dates stay as written: the bank is to read just what the case says."""

        yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own way to configure a loader
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"line {mark.line + 1} is no YAML" if mark else "it is no YAML") from None


def _where(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno} is no JSON"
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
