"""Refuse cases, and name them in errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dispute_provider._evidence.case_size import TOO_DEEP
from dispute_provider._evidence.documents import shown
from dispute_provider.exceptions import InvalidCaseError, Violation

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def refused(source: str, problem: str, remedy: str) -> InvalidCaseError:
    """Return an error that refuses a case as a whole, for one reason."""
    return InvalidCaseError(shown(source), [Violation("", problem, remedy)])


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn any exception while a case is read into a refusal, so that the rest of its batch goes on.

    File systems and parsers raise exceptions of many types. Their messages are dropped, because they may
    quote the case.

    :param source: the case's name in the error.
    :raises InvalidCaseError: in place of any other exception.
    """
    try:
        yield
    except InvalidCaseError:
        raise
    except RecursionError:
        raise refused(source, *TOO_DEEP) from None
    except OSError as error:
        raise refused(source, *unreadable(error)) from None
    except Exception as error:
        problem = f"it cannot be read: {type(error).__name__}"
        raise refused(source, problem, "check its path and its contents") from None


def unreadable(error: OSError) -> tuple[str, str]:
    """Return why a file cannot be read, and what to do about it."""
    match error:
        case FileNotFoundError():
            why, remedy = "there is no such file or folder", "check its path, and where a link leads"
        case NotADirectoryError():
            why, remedy = "a part of its path is a file and no folder", "check its path"
        case IsADirectoryError():
            why = "it is a folder"
            remedy = "put a file there, or let the workers list the folder if it is the case's"
        case PermissionError():
            why, remedy = "permission is denied", "give the workers permission to read it"
        case _:
            why, remedy = type(error).__name__, "check the path and the permissions"
    return f"it cannot be read: {why}", remedy


def dispute_id(given: str) -> str:
    """Return a dispute's id as its API spells it: a UUID in lower case (RFC 9562), any other id unchanged."""
    return given.lower() if _UUID.fullmatch(given) else given


def name_of(data: Any) -> str:
    """Return the name of an unchecked case for errors: its dispute, if it has one."""
    named = data.get("dispute") if isinstance(data, Mapping) else None
    return named if isinstance(named, str) and named else "without a dispute id"
