"""Sign content under a key that only workers and the API server hold, and check it. Pure.

Whoever edits an XCom, a run's configuration or a file of the ledger cannot sign what they write.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

_PURPOSE = b"dispute-provider record"
_SHORT_ID = 8
# 128 bits: nobody finds another scope, such as the id of a run, with the same digest.
_SCOPE_ID = 32
_SIGNATURE = re.compile(rf"([0-9a-f]{{64}})\.([0-9a-f]{{{_SHORT_ID}}})\.([0-9a-f]{{{_SCOPE_ID}}})")


class Check(StrEnum):
    """What checking a signature has shown."""

    GOOD = "good"
    UNSIGNED = "unsigned"
    BAD = "bad"
    UNKNOWN_KEY = "unknown key"
    OTHER_SCOPE = "other scope"


class Keyring:
    """Keys that sign and check: the first signs, all of them check.

    A signature is ``{HMAC-SHA256}.{key id}.{scope id}``, hexadecimal: it names the key that made it and what
    it was made for, so that a failed check can say why.

    :param secrets: what the keys are derived from, the newest first; at least one.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        derived = [hmac.digest(secret, _PURPOSE, "sha256") for secret in secrets]
        if not derived:
            raise ValueError("a keyring needs at least one secret")
        self._newest, self._newest_id = derived[0], _key_id(derived[0])
        self._keys = {_key_id(key): key for key in reversed(derived)}

    def sign(self, scope: str, content: Any) -> str:
        """Return the signature of some content.

        :param scope: what the signature is good for, e.g. one run; it is good for nothing else.
        :param content: any JSON-compatible value.
        """
        scope_id = _scope_id(scope)
        return f"{_mac(self._newest, scope_id, content)}.{self._newest_id}.{scope_id}"

    def check(self, scope: str, content: Any, signature: str | None) -> Check:
        """Return whether content is as it was signed for a scope, and if not, why.

        ``UNSIGNED`` also means a signature in another form. ``UNKNOWN_KEY`` says nothing about the content:
        it may have been edited as well. ``OTHER_SCOPE`` means unedited, but signed for something else.
        """
        parts = _SIGNATURE.fullmatch(signature or "")
        if parts is None:
            return Check.UNSIGNED
        mac, key_id, scope_id = parts.groups()
        if (key := self._keys.get(key_id)) is None:
            return Check.UNKNOWN_KEY
        if not hmac.compare_digest(_mac(key, scope_id, content), mac):
            return Check.BAD
        return Check.GOOD if scope_id == _scope_id(scope) else Check.OTHER_SCOPE


def key_id_of(signature: str) -> str:
    """Return the id of the key that made a signature; empty where the signature has another form."""
    parts = _SIGNATURE.fullmatch(signature)
    return parts[2] if parts else ""


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_SHORT_ID]


def _scope_id(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:_SCOPE_ID]


def _mac(key: bytes, scope_id: str, content: Any) -> str:
    # In ASCII: half a surrogate pair, which some case or API may hold, has no UTF-8.
    signed = json.dumps([scope_id, content], sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, signed.encode(), "sha256").hex()
