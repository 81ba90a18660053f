"""An API's contract file: its operations, and a call's arguments as a validated, encoded request. Pure.

Requests are checked strictly, all violations at once. No error quotes customer text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal, cast

from dispute_provider.contracts.encoding import FORM, JSON, MULTIPART, form_encode, multipart_encode, segment
from dispute_provider.contracts.json_data import Json
from dispute_provider.exceptions import InvalidRequestError, Violation

Effect = Literal["read", "write", "irreversible"]
AfterFailure = Literal["resend", "resend-same-key", "reconcile"]


@dataclass(frozen=True, slots=True)
class Request:
    """One validated, encoded call, complete but for the host and the key.

    :param path: escaped path with its query.
    :param headers: the contract's own headers and the content type; never authentication.
    :param arguments: what it was built from, as validated.
    """

    operation: Operation
    path: str
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)

    @property
    def method(self) -> str:
        return self.operation.method

    @property
    def is_final(self) -> bool:
        """Whether it cannot be undone: it submits, concedes or accepts; staging does not."""
        return self.operation.effect == "irreversible" and self.arguments.get("submit") is not False

    @property
    def dispute(self) -> str | None:
        """The id of the dispute that it is about; None if it is about none."""
        return self.arguments.get("dispute") or self.arguments.get("disputeID")

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Return the same call with more header parameters, valid ones of the contract's names."""
        return replace(self, headers={**self.headers, **headers}, arguments={**self.arguments, **headers})

    @property
    def content(self) -> Json:
        """The arguments that travel in the body: what is sensitive in a request."""
        return {k: v for k, v in self.arguments.items() if k not in self.operation.parameters}


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of an API, as its contract file describes it."""

    api: str
    id: str
    method: str
    path: str
    document: Json = field(repr=False)
    contract: Contract = field(repr=False)

    @property
    def summary(self) -> str:
        return cast("str", self.document["summary"])

    @property
    def effect(self) -> Effect:
        """What a success does: nothing, something repeatable, or something that cannot be undone."""
        return cast("Effect", self.document["x-effect"])

    @property
    def after_failure(self) -> AfterFailure:
        """What a failure after sending allows."""
        return cast("AfterFailure", self.document["x-after-failure"])

    @property
    def server(self) -> str:
        """The host that answers this operation in production."""
        servers = self.document.get("servers") or self.contract.document["servers"]
        return cast("str", servers[0]["url"]).rstrip("/")

    @property
    def takes_token(self) -> bool:
        """Whether a minted token authorises it, not the key alone."""
        return any("oauth2" in scheme for scheme in self.document["security"])

    @cached_property
    def parameters(self) -> Mapping[str, Json]:
        """Path, query and header parameters by name."""
        resolved = (self.contract.resolve(parameter) for parameter in self.document.get("parameters", ()))
        return {parameter["name"]: parameter for parameter in resolved}

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Where each parameter stands: ``path``, ``query`` or ``header``."""
        return {name: parameter["in"] for name, parameter in self.parameters.items()}

    @cached_property
    def python_names(self) -> Mapping[str, str]:
        """What the operators call each argument: accountID is account_id, Stripe-Account is account."""
        return {
            name: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
            .replace("-", "_")
            .lower()
            .removeprefix(f"{self.api}_")
            for name in self.schema["properties"]
        }

    @cached_property
    def media_type(self) -> str | None:
        """The content type of the body; None where the operation takes no body."""
        body = self.document.get("requestBody")
        return next(iter(body["content"])) if body else None

    @cached_property
    def body_schema(self) -> Json:
        """The schema of the body, ``{}`` where there is none."""
        if self.media_type is None:
            return {}
        return self.contract.resolve(self.document["requestBody"]["content"][self.media_type]["schema"])

    @property
    def body_example(self) -> Json:
        """The contract's example of a body, ``{}`` where there is none."""
        if self.media_type is None:
            return {}
        return cast("Json", self.document["requestBody"]["content"][self.media_type]["example"])

    @cached_property
    def _body_properties(self) -> Json:
        """The fields of the body; a part's allowed content types stand beside its schema in OpenAPI."""
        properties: Json = dict(self.body_schema.get("properties", {}))
        if self.media_type == MULTIPART:
            encodings = self.document["requestBody"]["content"][MULTIPART].get("encoding", {})
            for part, encoding in encodings.items():
                types = [name.strip() for name in encoding["contentType"].split(",")]
                properties[part] = {**self.contract.resolve(properties[part]), "x-contentTypes": types}
        return properties

    @cached_property
    def schema(self) -> Json:
        """One closed schema for all arguments: parameters and body fields in one flat object."""
        properties = {name: parameter["schema"] for name, parameter in self.parameters.items()}
        required = [name for name, parameter in self.parameters.items() if parameter.get("required")]
        return {
            "type": "object",
            "properties": properties | self._body_properties,
            "required": required + self.body_schema.get("required", []),
            "additionalProperties": False,
            "components": self.contract.document["components"],
        }

    @cached_property
    def success_schema(self) -> Json | None:
        """The schema of a success's JSON, its references resolvable; None where it is a file or nothing."""
        responses = self.document["responses"]
        success = next(self.contract.resolve(responses[code]) for code in responses if code.startswith("2"))
        if JSON not in success.get("content", {}):
            return None
        schema: Json = success["content"][JSON]["schema"]
        return {**schema, "components": self.contract.document["components"]}


class Contract:
    """One API's contract file."""

    def __init__(self, api: str, document: Json) -> None:
        self.api = api
        self.document = document
        self.operations: dict[str, Operation] = {
            document_of_operation["operationId"]: Operation(
                api, document_of_operation["operationId"], method.upper(), path, document_of_operation, self
            )
            for path, methods in document["paths"].items()
            for method, document_of_operation in methods.items()
            if method in ("get", "post", "patch", "put", "delete")
        }

    def __getitem__(self, operation_id: str) -> Operation:
        """Raises InvalidRequestError where the API has no such operation."""
        if operation_id not in self.operations:
            unknown = Violation(
                "", f"no operation {operation_id!r}", f"known here: {', '.join(self.operations)}"
            )
            raise InvalidRequestError.before_sending(operation_id, [unknown])
        return self.operations[operation_id]

    def resolve(self, node: Json) -> Json:
        """Follow a local ``$ref``, siblings of the reference winning over what it points to."""
        while "$ref" in node:
            target: Any = self.document
            for token in node["$ref"].removeprefix("#/").split("/"):
                target = target[token.replace("~1", "/").replace("~0", "~")]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return node

    @cached_property
    def parameters(self) -> Mapping[str, Json]:
        """The parameters that operations share, by their names on the wire."""
        return {
            parameter["name"]: parameter for parameter in self.document["components"]["parameters"].values()
        }

    @cached_property
    def advice(self) -> Mapping[str, str]:
        """What to do about an error, by the API's error code; only for those that have their own remedy."""
        details = self.document["components"]["schemas"].get("ErrorDetails", {})
        return cast("Mapping[str, str]", details.get("properties", {}).get("code", {}).get("x-advice", {}))

    @cached_property
    def named_schemas(self) -> Mapping[str, Json]:
        """The contract's own schemas by name, each with its references resolvable."""
        components = self.document["components"]
        return {
            name: {"$ref": f"#/components/schemas/{name}", "components": components}
            for name in components["schemas"]
        }

    def request(self, operation_id: str, **arguments: Any) -> Request:
        """Validate and encode one call; arguments that are None are left out.

        :raises InvalidRequestError: with every violation; nothing was sent.
        """
        from dispute_provider.contracts.validation import violations

        operation = self[operation_id]
        given = {name: value for name, value in arguments.items() if value is not None}
        if found := violations(operation.schema, given):
            raise InvalidRequestError.before_sending(operation_id, found)
        return encode(operation, given)


@cache
def load(api: str) -> Contract:
    """Read an API's contract file.

    :raises FileNotFoundError: if there is no ``schemas/<api>.openapi.json``.
    """
    return Contract(api, read_schema(f"{api}.openapi.json"))


@cache
def read_schema(name: str) -> Json:
    """Read one file of ``schemas/``."""
    return cast("Json", json.loads(files("dispute_provider.schemas").joinpath(name).read_bytes()))


def encode(operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Encode validated arguments; every path segment is escaped, so an id cannot change the path."""
    by_place: dict[str, Json] = {"path": {}, "query": {}, "header": {}, "body": {}}
    for name, value in arguments.items():
        by_place[operation.places.get(name, "body")][name] = value

    path = operation.path
    for name, value in by_place["path"].items():
        path = path.replace(f"{{{name}}}", segment(str(value)))
    if query := _query_string(operation, json.dumps(by_place["query"])):
        path = f"{path}?{query}"
    headers = {name: str(value) for name, value in by_place["header"].items()}
    body, content_type = _encode_body(operation, by_place["body"])
    if content_type:
        headers["Content-Type"] = content_type
    return Request(operation, path, headers, body, arguments)


@lru_cache(maxsize=1024)
def _query_string(operation: Operation, query: str) -> str:
    """The query that JSON says: a batch asks for the same with every dispute.

    Lists that the contract declares as ``explode: false`` travel as one comma-separated value.
    """
    return form_encode(
        {
            name: ",".join(map(str, value))
            if isinstance(value, list) and operation.parameters[name].get("explode") is False
            else value
            for name, value in json.loads(query).items()
        }
    )


def _encode_body(operation: Operation, body: Json) -> tuple[bytes | None, str | None]:
    match operation.media_type:
        case None:
            return None, None
        case "application/x-www-form-urlencoded":
            return form_encode(body).encode(), FORM
        case "application/json":
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), JSON
        case _:
            return multipart_encode(body)
