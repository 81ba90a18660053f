"""The requests that an episode makes, spelled so that two versions of the package can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl

# What an API or a clock makes up: named by the order in which it first appears for a dispute.
_MADE_UP = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|file_[0-9a-f]+|[0-9a-f]{64}")


def trace(journal: list[dict[str, Any]]) -> dict[str, str]:
    """A digest of each dispute's requests: method, path, query, body and idempotency key, in their order."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for entry in journal:
        subject = entry["dispute"] or "none"
        lines[subject].append(_line(entry))
    return {subject: _digest(subject, found) for subject, found in lines.items()}


def _line(entry: dict[str, Any]) -> str:
    query = sorted(parse_qsl(entry["query"], keep_blank_values=True))
    key = entry["headers"].get("idempotency-key")
    sender = entry["headers"].get("x-chaos-try")
    return json.dumps([sender, entry["method"], entry["path"], query, entry["body"], key], sort_keys=True)


def _digest(subject: str, lines: list[str]) -> str:
    names: dict[str, str] = {}
    # Uploads name no dispute: those of several disputes come in any order.
    ordered = sorted(lines) if subject == "none" else lines
    spelled = [_MADE_UP.sub(lambda m: names.setdefault(m[0], f"#{len(names)}"), line) for line in ordered]
    return hashlib.sha256("\n".join(spelled).encode()).hexdigest()[:16]
