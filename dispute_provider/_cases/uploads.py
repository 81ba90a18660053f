"""Read the documents that a request uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dispute_provider._cases.storage import PathRefusedError, open_file, storage_path

if TYPE_CHECKING:
    from dispute_provider._contracts.contract import Operation
    from dispute_provider._contracts.encoding import FilePart

# A blank page, to test an upload without a document.
_BLANK_PAGE = (
    b"%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n"
    b"2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj\n"
    b"3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792]>> endobj\n"
    b"trailer <</Root 1 0 R>>\n%%EOF\n"
)
_BLANK_NAME = "blank.pdf"


def document(
    operation: Operation,
    name: str,
    path: str,
    filename: str | None = None,
    roots: Sequence[str] | None = None,
) -> FilePart:
    """Return a document to upload; its type is detected from its first bytes.

    :param name: name of the argument.
    :param roots: folders that the path must be under; None if the DAG's author gives the path.
    :raises InvalidRequestError: if the document cannot be read.
    """
    from dispute_provider._contracts.encoding import FilePart
    from dispute_provider._evidence.documents import Document
    from dispute_provider.exceptions import InvalidRequestError, Violation

    location = storage_path(path)
    try:
        if roots is None:
            content = location.read_bytes()
        else:
            with open_file(path, roots) as opened:
                content = opened.read()
    except PathRefusedError as error:
        violation = Violation(f"/{name}", error.problem, error.remedy)
        raise InvalidRequestError.before_sending(operation.id, [violation]) from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        violation = Violation(f"/{name}", f"cannot be read: {type(error).__name__}", "check the path")
        raise InvalidRequestError.before_sending(operation.id, [violation]) from None
    found = Document(path, content)
    return FilePart(filename or location.name, found.content, found.content_type)


def documents_in(operation: Operation, typed: Mapping[str, Any]) -> dict[str, FilePart]:
    """Return the documents of a typed request; a blank page for a required one without a path.

    :raises InvalidRequestError: if one cannot be read, or its path is outside the case roots.
    """
    from dispute_provider import _config as config
    from dispute_provider._cases.files import require_within_roots
    from dispute_provider._contracts.encoding import FilePart
    from dispute_provider.exceptions import InvalidCaseError, InvalidRequestError, Violation

    found: dict[str, FilePart] = {}
    for name, schema in operation.schema["properties"].items():
        if "x-maxBytes" not in schema:
            continue
        if not (path := typed.get(name)):
            if name in operation.schema["required"]:
                found[name] = FilePart(_BLANK_NAME, _BLANK_PAGE, "application/pdf")
            continue
        if not isinstance(path, str):
            violation = Violation(f"/{name}", "is not a path", "enter the path of a document")
            raise InvalidRequestError.before_sending(operation.id, [violation])
        try:
            require_within_roots(path)
        except InvalidCaseError as error:
            outside = [replace(violation, pointer=f"/{name}") for violation in error.violations]
            raise InvalidRequestError.before_sending(operation.id, outside) from None
        found[name] = document(operation, name, path, roots=config.case_roots())
    return found
