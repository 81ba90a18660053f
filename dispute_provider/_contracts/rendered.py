"""Read what templates rendered: they give texts, in the places of numbers too. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dispute_provider._contracts.json_data import Json

_INTEGER = re.compile(r"-?[0-9]{1,18}")


def with_numbers(schema: Json, value: Any) -> Any:
    """Return a value with each text that stands for an integer as one; any other value as it is.

    :param schema: the resolved schema of the value. Where it allows texts, a text stays one.
    """
    if isinstance(value, Mapping):
        properties: Json = schema.get("properties", {})
        return {name: with_numbers(properties.get(name, {}), item) for name, item in value.items()}
    kinds = schema.get("type") or ()
    takes_integers = "integer" in kinds and "string" not in kinds
    if takes_integers and isinstance(value, str) and _INTEGER.fullmatch(found := value.strip()):
        return int(found)
    return value
