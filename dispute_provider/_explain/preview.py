"""Preview a request without sending it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import FORM, JSON, FilePart, part_text
from dispute_provider._contracts.redaction import SECRET, redacted_arguments
from dispute_provider._contracts.request import Request, encode
from dispute_provider._explain.wording import curl, form_lines, python_call
from dispute_provider.exceptions import Violation


@dataclass(frozen=True, slots=True)
class Preview:
    """A request as it would be sent.

    :param operation: the ``operationId``.
    :param violations: every reason why the request is refused; empty if it would be sent.
    :param body: the body as readable lines; empty if there is none, or if the request is refused.
    :param body_bytes: size of the actual body, in bytes.
    :param python: the call as Python code for a DAG.
    :param curl: the call as a cURL command; empty if the request is refused.
    """

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    violations: Sequence[str]
    body: Sequence[str]
    body_bytes: int
    python: str
    curl: str

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the preview line by line, for a log."""
        yield f"{self.method} {self.url}"
        yield from (f"{name}: {value}" for name, value in self.headers.items())
        yield ""
        yield from self.body
        yield ""
        yield from (f"refused: {violation}" for violation in self.violations)
        if not self.violations:
            yield f"The request is valid. Its body has {self.body_bytes:,} bytes."
        yield from ("", "In Python:", *self.python.splitlines())
        if self.curl:
            yield from ("", "As cURL:", *self.curl.splitlines())


def preview(
    operation: Operation,
    arguments: Mapping[str, Any],
    violations: Sequence[Violation],
    *,
    server: str,
    authorization: str,
    conn_id: str,
    operator: str | None,
    typed: Mapping[str, Any],
    show_texts: bool = False,
) -> Preview:
    """Return the preview of a request.

    :param arguments: all arguments, including those from the connection; a file as a FilePart.
    :param violations: the violations in the arguments.
    :param server: URL of the server, without a path.
    :param authorization: the scheme of the authorization; empty if the key is sent without one.
    :param conn_id: id of the Airflow connection.
    :param operator: dotted name of the operator's class; None if there is none.
    :param typed: the arguments that the user entered; a file as its path.
    :param show_texts: whether to show customer text; False by default, which shows its length and the start
        of its sha256.
    """
    shown = redacted_arguments(operation, arguments, show_texts=show_texts)
    call = python_call(
        operation, redacted_arguments(operation, typed, show_texts=show_texts), conn_id, operator
    )
    if violations:
        return Preview(
            operation=operation.id,
            method=operation.method,
            url=server + operation.path,
            headers={},
            violations=[str(violation) for violation in violations],
            body=[],
            body_bytes=0,
            python=call,
            curl="",
        )
    request, masked = encode(operation, arguments), encode(operation, shown)
    return Preview(
        operation=operation.id,
        method=operation.method,
        url=server + masked.path,
        headers={
            **request.headers,
            **_own(masked),
            operation.contract.key_header: f"{authorization} {SECRET}".lstrip(),
        },
        violations=[],
        body=_body(masked),
        body_bytes=len(request.body or b""),
        python=call,
        curl=curl(operation, {**shown, **_at_paths(arguments, typed)}, server),
    )


def _at_paths(arguments: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, FilePart]:
    """Return the files of a request under the paths that were typed, where a command finds them."""
    files = {name: value for name, value in arguments.items() if isinstance(value, FilePart)}
    return {name: replace(part, filename=typed.get(name, part.filename)) for name, part in files.items()}


def _own(request: Request) -> dict[str, str]:
    """Return the header parameters of a request."""
    return {name: value for name, value in request.headers.items() if name in request.operation.parameters}


def _body(request: Request) -> list[str]:
    if request.body is None:
        return []
    if request.operation.media_type == FORM:
        return form_lines(request.body)
    if request.operation.media_type == JSON:
        return json.dumps(request.content, indent=2, ensure_ascii=False).splitlines()
    types = request.operation.part_types
    return [f"{name}: {_part(value, types.get(name, ()))}" for name, value in request.content.items()]


def _part(value: Any, types: Sequence[str]) -> str:
    if not isinstance(value, FilePart):
        return part_text(value, types)[1]
    digest = hashlib.sha256(value.content).hexdigest()
    return f"{value.filename}, {value.content_type}, {len(value.content):,} bytes, sha256 {digest}"
