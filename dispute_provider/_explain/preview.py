"""Show a request instead of sending it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dispute_provider._contracts.contract import Operation, Request, encode
from dispute_provider._contracts.encoding import FORM, JSON, FilePart, part_text
from dispute_provider._contracts.redaction import SECRET, redacted_arguments
from dispute_provider._explain.wording import curl, form_lines, python_call
from dispute_provider.exceptions import Violation


@dataclass(frozen=True, slots=True)
class Preview:
    """One request as it would go out.

    :param violations: every reason why it would not go out; empty where it would.
    :param body: the body for people, a line each; empty where there is none or the request is refused.
    :param body_bytes: size of the real body.
    :param python: the call for a DAG.
    :param curl: the call for a shell; empty where the request is refused.
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
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """All of it, for a log."""
        yield f"{self.method} {self.url}"
        yield from (f"{name}: {value}" for name, value in self.headers.items())
        yield ""
        yield from self.body
        yield ""
        yield from (f"refused: {violation}" for violation in self.violations)
        if not self.violations:
            yield f"It would be sent, with a body of {self.body_bytes:,} bytes."
        yield from ("", "As an operator:", *self.python.splitlines())
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
    """Show a request.

    :param arguments: all of them, those of the connection too; a file as its part.
    :param server: scheme and host that it would go to.
    :param authorization: the scheme of the Authorization header.
    :param operator: dotted name of the operator's class, None where there is none.
    :param typed: the caller's own arguments; a file as its path.
    :param show_texts: show what customers wrote; otherwise its length and the start of its sha256.
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
        headers={**request.headers, **_own(masked), "Authorization": f"{authorization} {SECRET}"},
        violations=[],
        body=_body(masked),
        body_bytes=len(request.body or b""),
        python=call,
        curl=curl(operation, shown, server),
    )


def _own(request: Request) -> dict[str, str]:
    """The header parameters of a request."""
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
