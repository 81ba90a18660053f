"""Two OpenAPI documents of one API, compared field by field: names, types, enums, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
EMPTY = r"^$(?!\n)"
KEYWORDS = {
    "string": ("values", "default", "minLength", "maxLength", "pattern", "format"),
    "integer": ("default", "minimum", "maximum", "format"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties",),
}


def resolve(node: dict[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
    """Follow a local $ref; members next to it take precedence."""
    while "$ref" in node:
        target: Any = doc
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node


def shape(schema: dict[str, Any], doc: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Reduce a schema to {type: constraints}, so that 3.0 and 3.1 spellings of one thing are equal."""
    schema = resolve(schema, doc)
    found: dict[str, dict[str, Any]] = {}
    for part in schema.get("anyOf", []):
        for kind, rules in shape(part, doc).items():
            # a string that may only be empty adds nothing to one that may be anything
            if kind not in found or found[kind].get("values") == [""]:
                found[kind] = rules
    types = schema.get("type", [])
    for kind in [types] if isinstance(types, str) else types:
        rules = {key: value for key, value in schema.items() if key in KEYWORDS.get(kind, ())}
        if kind == "string":
            values = schema.get("enum") or schema.get("x-knownValues")
            if schema.get("pattern") == EMPTY:
                values = [""]
                rules.pop("pattern")
            if values:
                rules["values"] = sorted(values)
            if "contentMediaType" in schema:
                rules["format"] = "binary"
        elif kind == "array":
            rules["items"] = schema.get("items", {})
        elif kind == "object":
            for key in ("properties", "additionalProperties", "propertyNames"):
                if key in schema:
                    rules[key] = schema[key]
            # fields that an older pinned version may lack are still fields the specification requires
            rules["required"] = sorted({*schema.get("required", []), *schema.get("x-expected", [])})
        found[kind] = rules
    if schema.get("nullable"):
        found["null"] = {}
    return found


class Comparison:
    """One API: our document and the reference."""

    def __init__(self, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        self.ours, self.theirs = ours, theirs

    def names(self, at: str, ours: Any, theirs: Any) -> Iterator[str]:
        yield from (f"{at}/{name}: only ours" for name in ours if name not in theirs)
        yield from (f"{at}/{name}: only theirs" for name in theirs if name not in ours)

    def schemas(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        left, right = shape(ours, self.ours), shape(theirs, self.theirs)
        if left.keys() != right.keys():
            yield f"{at}: types {sorted(left)} != {sorted(right)}"
        for kind in left.keys() & right.keys():
            mine, other = left[kind], right[kind]
            for key in (*KEYWORDS.get(kind, ()), "required", "propertyNames"):
                if mine.get(key) != other.get(key):
                    yield f"{at}: {key} {mine.get(key)} != {other.get(key)}"
            if kind == "array":
                yield from self.schemas(f"{at}/items", mine["items"], other["items"])
            if kind == "object":
                yield from self.objects(at, mine, other)

    def objects(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("properties", {}), theirs.get("properties", {})
        yield from self.names(at, mine, other)
        for name in mine.keys() & other.keys():
            yield from self.schemas(f"{at}/{name}", mine[name], other[name])
        left, right = ours.get("additionalProperties"), theirs.get("additionalProperties")
        if isinstance(left, dict) and isinstance(right, dict):
            yield from self.schemas(f"{at}/any", left, right)
        elif left != right:
            yield f"{at}: additionalProperties {left} != {right}"

    def contents(self, at: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("content", {}), theirs.get("content", {})
        if mine.keys() != other.keys():
            yield f"{at}: media types {sorted(mine)} != {sorted(other)}"
        for media in mine.keys() & other.keys():
            yield from self.schemas(at, mine[media]["schema"], other[media]["schema"])

    def parameters(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = (
            {(p := resolve(raw, doc))["in"] + "/" + p["name"]: p for raw in operation.get("parameters", [])}
            for operation, doc in ((ours, self.ours), (theirs, self.theirs))
        )
        yield from self.names(name, mine, other)
        for key in mine.keys() & other.keys():
            for word in ("required", "style", "explode"):
                if mine[key].get(word) != other[key].get(word):
                    yield f"{name}/{key}: {word} {mine[key].get(word)} != {other[key].get(word)}"
            yield from self.schemas(f"{name}/{key}", mine[key]["schema"], other[key]["schema"])

    def bodies(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours.get("requestBody"), theirs.get("requestBody")
        if mine is None or other is None:
            if mine != other:
                yield f"{name}/request: only {'theirs' if mine is None else 'ours'}"
            return
        if mine.get("required") != other.get("required"):
            yield f"{name}/request: required {mine.get('required')} != {other.get('required')}"
        yield from self.contents(f"{name}/request", mine, other)
        for media, content in mine["content"].items():
            left, right = content.get("encoding", {}), other["content"][media].get("encoding", {})
            yield from self.names(f"{name}/encoding", left, right)
            for part in left.keys() & right.keys():
                if left[part] != right[part]:
                    yield f"{name}/encoding/{part}: {left[part]} != {right[part]}"

    def answers(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = ours["responses"], theirs["responses"]
        yield from self.names(f"{name}/answers", mine, other)
        for status in mine.keys() & other.keys():
            at = f"{name}/answers/{status}"
            left, right = resolve(mine[status], self.ours), resolve(other[status], self.theirs)
            yield from self.names(f"{at}/header", left.get("headers", {}), right.get("headers", {}))
            yield from self.contents(at, left, right)

    def security(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine, other = (
            sorted({kind(scheme, doc) for choice in choices for scheme in choice or [""]})
            for choices, doc in (
                (ours.get("security", self.ours["security"]), self.ours),
                (theirs.get("security", self.theirs["security"]), self.theirs),
            )
        )
        if mine != other:
            yield f"{name}/security: {', '.join(mine)} != {', '.join(other)}"
        # Moov's document names a call's scope in its description only
        scopes = sorted(set(re.findall(r"`(/\S+?\.(?:read|write))` scope", theirs.get("description", ""))))
        asked = sorted({s for choice in ours.get("security", []) for s in choice.get("oauth2", [])})
        if asked != scopes:
            yield f"{name}/scopes: {asked} != {scopes}"

    def servers(self, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
        mine = [s["url"].rstrip("/") for s in ours.get("servers", self.ours["servers"])]
        other = [s["url"].rstrip("/") for s in theirs.get("servers", self.theirs["servers"])]
        if mine != other:
            yield f"{name}/servers: {mine} != {other}"

    def differences(self) -> Iterator[str]:
        mine, other = operations(self.ours), operations(self.theirs)
        yield from (f"{name}: only theirs" for name in other.keys() - mine.keys())
        yield from (f"{name}: only ours" for name in mine.keys() - other.keys())
        for name in mine.keys() & other.keys():
            (call, ours), (wanted, theirs) = mine[name], other[name]
            if call != wanted:
                yield f"{name}: {call} != {wanted}"
            for part in (self.parameters, self.bodies, self.answers, self.security, self.servers):
                yield from part(name, ours, theirs)


def kind(scheme: str, doc: dict[str, Any]) -> str:
    """How a security scheme shows on the wire: a minted OAuth2 token is a bearer token."""
    if not scheme:
        return "none"
    declared = doc["components"]["securitySchemes"][scheme]
    return str(declared.get("scheme", "bearer"))


def operations(doc: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        item[method]["operationId"]: (f"{method} {path}", item[method])
        for path, item in doc["paths"].items()
        for method in METHODS
        if method in item
    }
