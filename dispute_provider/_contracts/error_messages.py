"""Redact what the message of an error must not quote: our keys, and the texts that we sent. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Shorter texts, such as "US" or "1", occur in any sentence. Redacting them would make messages unreadable.
_SHORTEST_REDACTED_TEXT = 4
_REDACTED = "[redacted]"
_WORD = re.compile(r"[^\s'\"`(\[=]+")
_MASK = re.compile(r"\*{2}|•{2}|…|\.{3}")
# "sk_test_" and four more characters.
_SHOWN_START = 12


def without_keys(message: str, authorizations: Iterable[str]) -> str:
    """Return a message with our keys redacted, including partial ones.

    Stripe quotes both ends of a key that it refuses: ``Invalid API Key provided: sk_test_****abcd``.

    :param authorizations: values of the header with the key.
    """
    secrets = [secret for authorization in authorizations for secret in _secrets(authorization)]
    long_enough = [secret for secret in secrets if len(secret) >= 2 * _SHORTEST_REDACTED_TEXT]
    ends = tuple(secret[-_SHORTEST_REDACTED_TEXT:] for secret in long_enough)
    starts = tuple(secret[:_SHOWN_START] for secret in long_enough)

    def shown(word: re.Match[str]) -> str:
        bare = word[0].rstrip(".,;:!?)]")
        is_key = bare.endswith(ends) or bare.startswith(starts) or _MASK.search(bare)
        return _REDACTED + word[0][len(bare) :] if is_key else word[0]

    return _WORD.sub(shown, redact(message, secrets))


def _secrets(authorization: str) -> Iterator[str]:
    """Yield the secrets in an authorization: the credentials, and the decoded password in them."""
    scheme, _, value = authorization.partition(" ")
    yield value or scheme
    if scheme == "Basic":
        yield b64decode(value).decode().partition(":")[2]


def redact(message: str, sent: Any) -> str:
    """Redact the texts that we sent from a message, both verbatim and JSON-encoded.

    :param sent: a text, or a structure of texts. Texts under 4 characters are not redacted.
    """
    for text in sorted(set(_texts(sent)), key=len, reverse=True):
        for spelling in (text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]):
            message = message.replace(spelling, _REDACTED)
    return message


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= _SHORTEST_REDACTED_TEXT:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
