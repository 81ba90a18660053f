"""The fields of an operation by their paths: of a contract, and of the APIs' own Python clients."""

from __future__ import annotations

import builtins
import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import moovio_sdk.models.operations as moov_operations
import pydantic
import stripe
import stripe.params
import typing_extensions
from moovio_sdk.utils import metadata as moov_metadata
from stripe._request_options import RequestOptions

from tests.drift.comparison import operations
from tests.drift.facts import walk

Values = tuple[str, ...] | None
"""The values that a text may have, None where it may have any."""
Fields = dict[str, Values]
NOT_READ = "…"
"""The last part of a path below which nothing was compared."""

STRIPE: dict[str, tuple[Any, Any]] = {
    "GetDisputes": (stripe.params.DisputeListParams, stripe.Dispute),
    "GetDisputesDispute": (stripe.params.DisputeRetrieveParams, stripe.Dispute),
    "PostDisputesDispute": (stripe.params.DisputeModifyParams, stripe.Dispute),
    "PostDisputesDisputeClose": (stripe.params.DisputeCloseParams, stripe.Dispute),
    "PostFiles": (stripe.params.FileCreateParams, stripe.File),
}
"""Parameters and answer of each operation, by the client's types."""

_RESPONSES = [name.removesuffix("Response") for name in dir(moov_operations) if name.endswith("Response")]
MOOV = {name[0].lower() + name[1:] for name in _RESPONSES}
"""The operations of Moov's client."""


def of_contract(doc: dict[str, Any]) -> dict[str, Fields]:
    """Return the fields of each operation of a contract."""
    return {name: _of_operation(operation, doc) for name, (_, operation) in operations(doc).items()}


def _of_operation(operation: Mapping[str, Any], doc: dict[str, Any]) -> Fields:
    found: Fields = {}
    for path, kind, rules in walk(operation, doc):
        values = rules.get("values") if kind == "string" else None
        found[path] = tuple(values) if values and values != [""] else found.get(path)
    return found


def of_stripe(operation: str) -> Fields:
    """Return the fields of an operation of Stripe's client; its parameters are ``request`` or ``query``."""
    parameters, answer = STRIPE[operation]
    at = "query" if operation.startswith("Get") else "request"
    below = "answer/data/items" if operation == "GetDisputes" else "answer"
    return _of_type(at, parameters) | _of_type(below, answer)


def of_moov(operation: str) -> Fields:
    """Return the fields of an operation of Moov's client."""
    name = operation[0].upper() + operation[1:]
    found: Fields = {}
    request = getattr(moov_operations, f"{name}Request", None)
    for field, info in request.model_fields.items() if request else ():
        wire, kind = info.alias or field, info.metadata[0]
        if isinstance(kind, moov_metadata.FieldMetadata) and kind.request:
            found |= _of_type("request", info.annotation)
        else:
            place = "path" if kind.path else "query" if kind.query else "header"
            found |= _of_type(f"{place}/{wire}", info.annotation)
    answer = getattr(moov_operations, f"{name}Response").model_fields.get("result")
    return found | (_of_type("answer", answer.annotation) if answer else {})


def _of_type(at: str, kind: Any) -> Fields:
    found: Fields = {at: None}
    values: set[str] = set()
    for part in _alternatives(kind):
        origin, arguments = typing.get_origin(part), typing.get_args(part)
        if origin is typing.Literal or origin is typing_extensions.Literal:
            values |= {value for value in arguments if value != ""}
        elif isinstance(part, type) and issubclass(part, enum.Enum):
            values |= {member.value for member in part}
        elif origin is list:
            found |= _of_type(f"{at}/items", arguments[0])
        elif part is _Elsewhere:
            found[f"{at}/{NOT_READ}"] = None
        elif isinstance(part, type):
            for name, child in _members(part):
                found |= _of_type(f"{at}/{name}", child)
    if values:
        found[at] = tuple(sorted(values))
    return found


def _alternatives(kind: Any) -> Iterator[Any]:
    """What a type may be, without what surrounds it."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(kind):
            yield from _alternatives(part)
    elif origin in (typing.Annotated, typing.NotRequired, typing.Required, typing_extensions.NotRequired):
        yield from _alternatives(typing.get_args(kind)[0])
    else:
        yield kind


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """The fields of a model under their names on the wire, and their types."""
    if issubclass(kind, pydantic.BaseModel):
        for name, info in kind.model_fields.items():
            yield info.alias or name, info.annotation
    elif issubclass(kind, stripe.StripeObject) or typing.is_typeddict(kind) or hasattr(kind, "__total__"):
        names = _Names({**vars(sys.modules[kind.__module__]), **vars(kind)})
        own = {
            name: annotation
            for name, annotation in _annotations(kind).items()
            if name.islower() and not name.startswith("_") and name not in RequestOptions.__annotations__
        }
        yield from typing.get_type_hints(SimpleNamespace(__annotations__=own), names, names, True).items()


def _annotations(kind: type) -> dict[str, Any]:
    if sys.version_info < (3, 14):
        return inspect.get_annotations(kind)
    import annotationlib

    # From Python 3.14 on they are evaluated when they are read, and some are imported for type checkers only.
    return annotationlib.get_annotations(kind, format=annotationlib.Format.STRING)


class _Elsewhere:
    """Placeholder for a type of another module, such as an object that can be expanded."""


class _Names(dict[str, Any]):
    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, _Elsewhere)
