"""Turn the arguments of a call into a validated, encoded request. Pure.

Requests are validated strictly, and an error lists every violation. No error quotes text from a customer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from dispute_provider._contracts.contract import Operation
from dispute_provider._contracts.encoding import encode_body, query_string, segment
from dispute_provider._contracts.json_data import Json
from dispute_provider.exceptions import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Request:
    """A validated, encoded request, complete except for the host and the authentication.

    :param path: the escaped path with the query.
    :param headers: the header parameters of the contract, and the content type; never authentication.
    :param body: the encoded body; None if the operation has none.
    :param arguments: the validated arguments that the request was built from.
    """

    operation: Operation
    path: str
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, operation: Operation, /, **arguments: Any) -> Request:
        """Validate and encode a request. Arguments that are None are omitted.

        :raises InvalidRequestError: with every violation.
        """
        from dispute_provider._contracts.validation import violations

        given = {name: value for name, value in arguments.items() if value is not None}
        if found := violations(operation.schema, given):
            raise InvalidRequestError.before_sending(operation.id, found)
        return encode(operation, given)

    @property
    def method(self) -> str:
        return self.operation.method

    @property
    def is_final(self) -> bool:
        """Whether the call cannot be undone: it submits, concedes or accepts. Staging can be undone."""
        return self.operation.is_final(self.arguments)

    @property
    def dispute(self) -> str | None:
        """The id of the dispute that the call is about; None if it is not about one."""
        return cast("str | None", self.operation.given("dispute", self.arguments))

    @property
    def key(self) -> str | None:
        """The idempotency key; None if the request has none."""
        return cast("str | None", self.operation.given("idempotency-key", self.arguments))

    def with_key(self, key: str) -> Request:
        """Return this request with an idempotency key, for an operation that takes one."""
        name = self.operation.argument("idempotency-key")
        assert name is not None
        if self.operation.places.get(name) != "header":
            return encode(self.operation, {**self.arguments, name: key})
        own = {name: key}
        return replace(self, headers={**self.headers, **own}, arguments={**self.arguments, **own})

    @property
    def content(self) -> Json:
        """The arguments that are sent in the body. Customer text is only there."""
        return {k: v for k, v in self.arguments.items() if k not in self.operation.parameters}


def encode(operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Encode validated arguments as a request. Path segments are escaped: an id cannot alter the path."""
    by_place: dict[str, Json] = {"path": {}, "query": {}, "header": {}, "body": {}}
    for name, value in arguments.items():
        by_place[operation.places.get(name, "body")][name] = value

    path = operation.path
    for name, value in by_place["path"].items():
        path = path.replace(f"{{{name}}}", segment(str(value)))
    if by_place["query"]:
        given = [[operation.query_styles[name], name, value] for name, value in by_place["query"].items()]
        # An empty list has no query.
        path = f"{path}?{query_string(json.dumps(given))}".removesuffix("?")
    headers = {name: str(value) for name, value in by_place["header"].items()}
    body, content_type = encode_body(operation.media_type, by_place["body"], operation.part_types)
    if content_type:
        headers["Content-Type"] = content_type
    return Request(operation, path, headers, body, arguments)
