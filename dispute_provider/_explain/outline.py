"""Write structured evidence as indented lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispute_provider._explain.labels import label


def outline(value: Any, api: str, indent: str = "") -> str:
    """Return structured evidence as indented lines, its names as labels.

    :param api: the API whose contract has the names.
    """
    if isinstance(value, Mapping):
        items = [(f"{label(name, api)}:", item) for name, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{number}.", item) for number, item in enumerate(value, 1)]
    else:
        return f"{indent}{value}"
    return "\n".join(
        f"{indent}{head}\n{outline(item, api, indent + '  ')}"
        if isinstance(item, Mapping | list)
        else f"{indent}{head} {item}"
        for head, item in items
    )
