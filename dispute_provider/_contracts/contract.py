"""Read an API's contract file: its operations, their schemas and its texts. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal, cast

from dispute_provider._contracts.encoding import JSON, MULTIPART
from dispute_provider._contracts.json_data import Json
from dispute_provider.exceptions import InvalidRequestError, Violation

Effect = Literal["read", "write", "irreversible"]
AfterFailure = Literal["resend", "resend-same-key", "reconcile"]


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of an API, as its contract file describes it.

    :param api: the name of the API, as its contract file is named.
    :param id: the API's own name of the operation.
    :param method: the HTTP method, in upper case.
    :param path: the path, with its parameters in braces.
    :param document: the operation in OpenAPI's form.
    :param contract: the contract that it belongs to.
    """

    api: str
    id: str
    method: str
    path: str
    document: Json = field(repr=False)
    contract: Contract = field(repr=False)

    @property
    def summary(self) -> str:
        return cast("str", self.document["summary"])

    @cached_property
    def effect(self) -> Effect:
        """The effect of a successful call (``x-effect``)."""
        return cast("Effect", self.document["x-effect"])

    @property
    def after_failure(self) -> AfterFailure:
        """What may be done if a call fails without an answer (``x-after-failure``)."""
        return cast("AfterFailure", self.document["x-after-failure"])

    @property
    def has_file_rate(self) -> bool:
        """Whether the operation counts against the API's separate rate for files (``x-file-rate``)."""
        return bool(self.document.get("x-file-rate"))

    @property
    def server(self) -> str:
        """The URL of the production server for this operation, without a trailing slash."""
        servers = self.document.get("servers") or self.contract.document["servers"]
        return cast("str", servers[0]["url"]).rstrip("/")

    @property
    def takes_token(self) -> bool:
        """Whether the operation accepts an OAuth token in place of the key."""
        return any(scheme["type"] == "oauth2" for scheme in self.security)

    @cached_property
    def security(self) -> Sequence[Json]:
        """The Security Scheme Objects (OpenAPI 3.1) of the operation; empty if it needs no authentication."""
        known = self.contract.document["components"]["securitySchemes"]
        return [known[name] for scheme in self.document["security"] for name in scheme]

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """The name of the argument for each role (``x-role``). Parameters come before body fields."""
        given = {name: parameter.get("x-role") for name, parameter in self.parameters.items()}
        for name, schema in self.body_schema.get("properties", {}).items():
            given.setdefault(name, self.contract.resolve(schema).get("x-role"))
        return {role: name for name, role in reversed(given.items()) if role}

    def role(self, name: str) -> str | None:
        """Return the role of an argument (``x-role``); None if it has none."""
        if name in self.parameters:
            return cast("str | None", self.parameters[name].get("x-role"))
        return cast("str | None", self.schema_of(name).get("x-role"))

    def argument(self, role: str) -> str | None:
        """Return the name of the argument with a role; None if the operation has none."""
        return self.roles.get(role)

    def given(self, role: str, arguments: Mapping[str, Any]) -> Any:
        """Return the value of the argument with a role; None if there is no such argument or value."""
        name = self.argument(role)
        return None if name is None else arguments.get(name)

    def is_final(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether a call with these arguments cannot be undone. Staging can be undone."""
        return self.effect == "irreversible" and self.given("submit", arguments) is not False

    def schema_of(self, name: str) -> Json:
        """Return the resolved schema of an argument; empty if there is no such argument."""
        return self.contract.resolve(self.schema["properties"].get(name, {}))

    @cached_property
    def parameters(self) -> Mapping[str, Json]:
        """Path, query and header parameters by name."""
        resolved = (self.contract.resolve(parameter) for parameter in self.document.get("parameters", ()))
        return {parameter["name"]: parameter for parameter in resolved}

    @cached_property
    def places(self) -> Mapping[str, str]:
        """The location of each parameter: ``path``, ``query`` or ``header``."""
        return {name: parameter["in"] for name, parameter in self.parameters.items()}

    @cached_property
    def query_styles(self) -> Mapping[str, str]:
        """The encoding of each query parameter: ``form``, the default, ``deepObject`` or ``comma``.

        ``comma`` stands for OpenAPI's ``form`` with ``explode: false``.
        """
        return {
            name: "comma" if parameter.get("explode") is False else parameter.get("style", "form")
            for name, parameter in self.parameters.items()
            if parameter["in"] == "query"
        }

    @cached_property
    def python_names(self) -> Mapping[str, str]:
        """The operators' names for the arguments: ``account_id`` for accountID."""
        return {
            name: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
            .replace("-", "_")
            .lower()
            .removeprefix(f"{self.api}_")
            for name in self.schema["properties"]
        }

    @cached_property
    def media_type(self) -> str | None:
        """The content type of the body; None if the operation takes no body."""
        described = self.document.get("requestBody")
        return next(iter(described["content"])) if described else None

    @cached_property
    def body_schema(self) -> Json:
        """The schema of the body; empty if the operation takes no body."""
        if self.media_type is None:
            return {}
        return self.contract.resolve(self.document["requestBody"]["content"][self.media_type]["schema"])

    @property
    def body_example(self) -> Json:
        """The contract's example of a body; empty if the operation takes no body."""
        if self.media_type is None:
            return {}
        return cast("Json", self.document["requestBody"]["content"][self.media_type]["example"])

    @cached_property
    def _body_properties(self) -> Json:
        """The fields of the body, those of a multipart body with the content types from ``encoding``."""
        properties: Json = dict(self.body_schema.get("properties", {}))
        for part, types in self.part_types.items():
            properties[part] = {**self.contract.resolve(properties[part]), "x-contentTypes": types}
        return properties

    @cached_property
    def part_types(self) -> Mapping[str, list[str]]:
        """The content types of each part of a multipart body, if the contract lists them."""
        if self.media_type != MULTIPART:
            return {}
        encodings = self.document["requestBody"]["content"][MULTIPART].get("encoding", {})
        return {
            part: [name.strip() for name in encoding["contentType"].split(",")]
            for part, encoding in encodings.items()
        }

    @cached_property
    def schema(self) -> Json:
        """One closed schema for all arguments: the parameters and body fields in one flat object."""
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
        """The schema of a successful answer with ``components``; None if it is a file or has no body."""
        responses = self.document["responses"]
        success = next(self.contract.resolve(responses[code]) for code in responses if code.startswith("2"))
        if JSON not in success.get("content", {}):
            return None
        schema: Json = success["content"][JSON]["schema"]
        return {**schema, "components": self.contract.document["components"]}


class Contract:
    """One API's contract file.

    :param api: the name of the API, as its contract file is named.
    :param document: the file's JSON.
    :ivar operations: the operations by their ids.
    """

    def __init__(self, api: str, document: Json) -> None:
        self.api, self.document = api, document
        self.operations: dict[str, Operation] = {
            document_of_operation["operationId"]: Operation(
                api, document_of_operation["operationId"], method.upper(), path, document_of_operation, self
            )
            for path, methods in document["paths"].items()
            for method, document_of_operation in methods.items()
            if method in ("get", "post", "patch", "put", "delete")
        }

    def __getitem__(self, operation_id: str) -> Operation:
        """Return an operation, or raise InvalidRequestError if the API has none with this id."""
        if operation_id not in self.operations:
            unknown = Violation(
                "", f"no operation {operation_id!r}", f"must be one of: {', '.join(self.operations)}"
            )
            raise InvalidRequestError.before_sending(operation_id, [unknown])
        return self.operations[operation_id]

    def resolve(self, node: Json) -> Json:
        """Resolve a local ``$ref``. Keywords next to the reference override those of its target."""
        while "$ref" in node:
            target: Any = self.document
            for token in node["$ref"].removeprefix("#/").split("/"):
                target = target[token.replace("~1", "/").replace("~0", "~")]
            node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return node

    @cached_property
    def parameters(self) -> Mapping[str, Json]:
        """The parameters of all operations, by the name that is sent."""
        return {
            name: parameter
            for operation in self.operations.values()
            for name, parameter in operation.parameters.items()
        }

    @cached_property
    def key_header(self) -> str:
        """The header with the connection's key: that of an ``apiKey`` scheme, otherwise Authorization."""
        schemes = self.document["components"]["securitySchemes"].values()
        return next((each["name"] for each in schemes if each["type"] == "apiKey"), "Authorization")

    @property
    def title(self) -> str:
        """The display name of the API (``x-name``), such as ``Stripe``."""
        return cast("str", self.document["x-name"])

    @property
    def advice(self) -> Mapping[str, str]:
        """Remedies by the API's error code (``x-advice``)."""
        return cast("Mapping[str, str]", self.document.get("x-advice", {}))

    @cached_property
    def evidence(self) -> Json:
        """The schema of a case's evidence (``x-evidence``), with ``components`` to resolve its references."""
        return {**self.document["x-evidence"], "components": self.document["components"]}

    @cached_property
    def named_schemas(self) -> Mapping[str, Json]:
        """The schemas in ``components`` by name, each with ``components`` to resolve its references."""
        components = self.document["components"]
        return {
            name: {"$ref": f"#/components/schemas/{name}", "components": components}
            for name in components["schemas"]
        }


@cache
def load(api: str) -> Contract:
    """Read an API's contract file.

    :param api: the name of the API; see :data:`~dispute_provider.APIS`.
    :raises FileNotFoundError: if there is no ``schemas/<api>.openapi.json``.
    """
    return Contract(api, read_schema(f"{api}.openapi.json"))


@cache
def read_schema(name: str) -> Json:
    """Read a JSON file from ``schemas/``."""
    return cast("Json", json.loads(files("dispute_provider.schemas").joinpath(name).read_bytes()))
