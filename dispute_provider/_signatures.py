"""Sign and verify content with keys that only the workers and the API server hold. Pure.

A user who edits an XCom, a run's configuration or a file of the ledger cannot produce a valid signature.
"""

from __future__ import annotations

import codecs
import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

_PURPOSE = b"dispute-provider record"
_SHORT_ID = 8
# 128 bits rule out a second scope, such as the id of another run, with the same digest.
_SCOPE_ID = 32
_utf8 = msgspec.json.Encoder(order="sorted").encode
_ascii = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# Escapes what is not ASCII as Python's encoder does, and many times as fast as a regular expression. What is
# ASCII is escaped alike by msgspec, except for DEL.
_ESCAPING = "dispute-provider-json"
_SIGNATURE = re.compile(rf"([0-9a-f]{{64}})\.([0-9a-f]{{{_SHORT_ID}}})\.([0-9a-f]{{{_SCOPE_ID}}})")


class Check(StrEnum):
    """The result of verifying a signature."""

    GOOD = "good"
    UNSIGNED = "unsigned"
    BAD = "bad"
    UNKNOWN_KEY = "unknown key"
    OTHER_SCOPE = "other scope"


class Keyring:
    """Keys for signing and verifying: the first one signs, all of them verify.

    A signature is ``{HMAC-SHA256}.{key id}.{scope id}`` in hexadecimal. The two ids let a failed verification
    report whether the key or the scope differs.

    :param secrets: the secrets that the keys are derived from, newest first.
    :raises ValueError: if there are no secrets.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        derived = [hmac.digest(secret, _PURPOSE, "sha256") for secret in secrets]
        if not derived:
            raise ValueError("a keyring needs at least one secret")
        self._newest, self._newest_id = derived[0], _key_id(derived[0])
        self._keys = {_key_id(key): key for key in reversed(derived)}

    def sign(self, scope: str, content: Any) -> str:
        """Return the signature of content, made with the newest key.

        :param scope: the only purpose that the signature is valid for, such as the id of a run.
        :param content: any value that JSON can represent.
        """
        scope_id = _scope_id(scope)
        return f"{_mac(self._newest, scope_id, content)}.{self._newest_id}.{scope_id}"

    def check(self, content: Any, signature: str | None, *scopes: str) -> Check:
        """Return ``GOOD`` if a signature is valid for content in one of the scopes, or else why it is not.

        ``UNSIGNED`` includes a malformed signature. With ``UNKNOWN_KEY``, the content may have been edited
        too. ``OTHER_SCOPE`` means that the content is unedited, but was signed for another purpose.

        :param signature: None if there is none.
        """
        parts = _SIGNATURE.fullmatch(signature or "")
        if parts is None:
            return Check.UNSIGNED
        mac, key_id, scope_id = parts.groups()
        if (key := self._keys.get(key_id)) is None:
            return Check.UNKNOWN_KEY
        if not hmac.compare_digest(_mac(key, scope_id, content), mac):
            return Check.BAD
        return Check.GOOD if scope_id in map(_scope_id, scopes) else Check.OTHER_SCOPE


def key_id_of(signature: str) -> str:
    """Return the id of the key that made a signature; empty if the signature is malformed."""
    parts = _SIGNATURE.fullmatch(signature)
    return parts[2] if parts else ""


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_SHORT_ID]


@lru_cache(maxsize=1024)
def _scope_id(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:_SCOPE_ID]


def _mac(key: bytes, scope_id: str, content: Any) -> str:
    return hmac.digest(key, _canonical([scope_id, content]), "sha256").hex()


def _canonical(value: Any) -> bytes:
    """Return a value as JSON with sorted keys, without spaces, in ASCII.

    The encoding never changes, because the ledger keeps its signatures for good.
    """
    try:
        encoded = _utf8(value)
    except UnicodeEncodeError:  # a lone surrogate, which a case or an answer may contain
        return _ascii(value).encode()
    if not encoded.isascii():
        encoded = encoded.decode().encode("ascii", _ESCAPING)
    return encoded.replace(b"\x7f", b"\\u007f")


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return encode_basestring_ascii(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPING, _escape)
