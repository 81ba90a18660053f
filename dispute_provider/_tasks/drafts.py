"""Complete a request that was typed into a form, and check it without sending it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowException

from dispute_provider._cases.uploads import documents_in
from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.redaction import SECRET
from dispute_provider._contracts.request import Request
from dispute_provider._explain.preview import Preview, preview
from dispute_provider._tasks.operator_names import operator_name
from dispute_provider.exceptions import DisputeError, InvalidRequestError, Violation


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as its connection would send it.

    :param typed: the arguments that were typed; a file is its path or its name.
    :param arguments: all arguments, those of the connection included; a file is a FilePart.
    :param violations: every reason why it would not be sent.
    :param server: URL of the server, without a path.
    :param scheme: of the authorization; empty if the key is sent without one.
    """

    operation: Operation
    conn_id: str
    typed: Mapping[str, Any]
    arguments: Mapping[str, Any]
    violations: tuple[Violation, ...]
    server: str
    scheme: str

    def preview(self, *, show_texts: bool = False, operator: str | None = None) -> Preview:
        """Return the draft for people.

        :param show_texts: whether to show customer text; False by default.
        :param operator: dotted name of the operator for the call. Default: None, the package's own.
        """
        return preview(
            self.operation,
            self.arguments,
            self.violations,
            server=self.server,
            authorization=self.scheme,
            conn_id=self.conn_id,
            operator=operator or operator_name(self.operation),
            typed=self.typed,
            show_texts=show_texts,
        )


def draft(operation: Operation, conn_id: str, typed: Mapping[str, Any]) -> Draft:
    """Return a request, completed and checked.

    :param typed: the arguments by the contract's names; a file is its path.
    """
    # Imported here, because they import an HTTP client.
    from dispute_provider._apis.idempotency import own_key
    from dispute_provider.hooks._connections import api_for

    violations = typed_secrets(operation, typed)
    server, scheme = operation.server, ""
    arguments = {**dict.fromkeys(secrets_of(operation), SECRET), **typed}
    try:
        documents = documents_in(operation, typed)
        arguments |= documents
        typed = {**{name: part.filename for name, part in documents.items()}, **typed}
    except InvalidRequestError as error:
        violations += error.violations
    try:
        api = api_for(conn_id, operation.api)
        arguments = api.complete(operation.id, arguments)
        server = api.settings.server_of(operation)
        scheme = "Bearer" if api.settings.oauth and operation.takes_token else api.settings.scheme
    except (DisputeError, AirflowException) as error:
        violations.append(Violation("/conn_id", str(error), "correct the connection"))
    try:
        request = Request.of(operation, **arguments)
        key = own_key(conn_id, request)
        arguments = dict((request.with_key(key) if key else request).arguments)
    except InvalidRequestError as error:
        named = {violation.pointer for violation in violations}
        violations += [violation for violation in error.violations if violation.pointer not in named]
    return Draft(operation, conn_id, typed, arguments, tuple(violations), server, scheme)


def secrets_of(operation: Operation) -> list[str]:
    """Return the required arguments that are secret, which a form must not ask for."""
    required = operation.body_schema.get("required", ())
    return [name for name in required if operation.role(name) == "secret"]


def typed_secrets(operation: Operation, typed: Mapping[str, Any]) -> list[Violation]:
    """Return a violation for each secret among the arguments that were typed."""
    return [
        Violation(
            f"/{name}", "is a secret, and Airflow stores what is typed", "remove it: it is added when sent"
        )
        for name in typed
        if operation.role(name) == "secret"
    ]
