"""Sign the files of the ledger, and check their signatures. Pure."""

from __future__ import annotations

from dispute_provider._ledger.chain import Trust
from dispute_provider._signatures import Check, Keyring

_SCOPE = "ledger"
_TRUST = {Check.GOOD: Trust.GOOD, Check.UNKNOWN_KEY: Trust.UNKNOWN_KEY}


class KeyringSigner:
    """Signs with the newest key of a keyring, and accepts the signatures of all its keys.

    :param keyring: the keys.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, content: bytes) -> str:
        return self._keyring.sign(_SCOPE, content.decode())

    def check(self, content: bytes, signature: str) -> Trust:
        return _TRUST.get(self._keyring.check(content.decode(), signature, _SCOPE), Trust.BAD)
