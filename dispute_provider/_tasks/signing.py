"""Sign the records that tasks pass on, and check their signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dispute_provider import _config as config
from dispute_provider._tasks.connections import Connections
from dispute_provider.exceptions import ConnectionConfigError, DisputeError, SigningKeyError

if TYPE_CHECKING:
    from dispute_provider._evidence.record import Record
    from dispute_provider._signatures import Check, Keyring

# The scope of signatures made by staging, which are valid in the run of the review too.
STAGED = "staged"
_SHORTEST_KEY = 32


def keyring_of(conn_id: str, connections: Connections | None = None) -> Keyring:
    """Return the keys of ``[dispute] signing_key``, or a key derived from the connection's API key.

    :param connections: those of the task; None, the default, to read the connection.
    :raises SigningKeyError: if ``[dispute] signing_key`` cannot be read, or is too short.
    :raises ConnectionConfigError: if the connection is needed and cannot be read, or has no key.
    """
    from dispute_provider._signatures import Keyring

    try:
        keys = config.signing_key()
    except Exception as error:  # a command or a secrets backend may raise any error
        raise SigningKeyError(
            f"[dispute] signing_key cannot be read: {type(error).__name__}. "
            "To do: fix its command or the secrets backend."
        ) from error
    if keys:
        if min(map(len, keys)) < _SHORTEST_KEY:
            raise SigningKeyError(
                f"a key in [dispute] signing_key has fewer than {_SHORTEST_KEY} characters, so it can be "
                "guessed. To do: make one with 'openssl rand -hex 32'."
            )
        return Keyring(key.encode() for key in keys)
    return Keyring([_connection_secret(conn_id, connections or Connections())])


def _connection_secret(conn_id: str, connections: Connections) -> bytes:
    from dispute_provider._apis.connection import signing_secret

    try:
        connection = connections.get(conn_id)
    except Exception as error:  # a secrets backend may raise any error
        raise ConnectionConfigError(
            f"connection {conn_id!r} cannot be read: {type(error).__name__}. "
            "To do: create it again, or fix the secrets backend."
        ) from error
    return signing_secret(connection)


class Signer:
    """Sign and check records, each under the key of its connection.

    A client takes 0.1 s to import, and a review that was answered needs none: only the key is read.

    :param scope: what its signatures are good for: :data:`STAGED`, or one run. It accepts those of its scope,
        and those of staging for everything but an answer to a review.
    :param connections: those of the task; None, the default, for its own.
    """

    def __init__(self, scope: str, connections: Connections | None = None) -> None:
        self._scope = scope
        self._connections = connections or Connections()
        self._keyrings: dict[str, Keyring] = {}

    def sign(self, record: Record) -> Record:
        """Return a record with its signature.

        :raises DisputeError: see :func:`keyring_of`.
        """
        from msgspec.structs import replace

        keyring = self._keyring(record.connection)
        return replace(record, signature=keyring.sign(self._scope, _signed_part(record)))

    def sealed(self, record: Record) -> Record:
        """Return a record with its signature; without one where its key cannot be read.

        A task that receives an unsigned record refuses it, or holds it if it cannot read the key either.
        """
        from msgspec.structs import replace

        try:
            return self.sign(record)
        except DisputeError:
            return replace(record, signature=None)

    def verified(self, records: Iterable[Record], remedy: str) -> Iterator[Record]:
        """Yield each record that is as it was signed; of any other, only its names and why it is refused.

        A record whose key cannot be read is held instead.

        :param remedy: what to do about a refused one.
        """
        from dispute_provider._evidence.record import State, with_current_kinds, without_claims

        for record in records:
            try:
                objection = self._objection(record)
            except DisputeError as error:
                yield without_claims(record, State.HELD, f"its record cannot be checked: {error}")
            else:
                refused = f"{objection}; {remedy}"
                yield (
                    without_claims(record, State.REFUSED, refused)
                    if objection
                    else with_current_kinds(record)
                )

    def _check(self, record: Record) -> Check:
        from dispute_provider._evidence.record import State
        from dispute_provider._signatures import Check

        # No connection has such a name, so the record was edited; Airflow would log the name.
        if not record.connection.isprintable():
            return Check.BAD
        is_answer = record.state in (State.APPROVED, State.REJECTED)
        scopes = [self._scope] if is_answer else [self._scope, STAGED]
        return self._keyring(record.connection).check(_signed_part(record), record.signature, *scopes)

    def _objection(self, record: Record) -> str | None:
        """Return why a record is not as it was signed; None if it is."""
        from dispute_provider._signatures import Check

        match self._check(record):
            case Check.GOOD:
                return None
            case Check.UNSIGNED:
                return "its record is not signed: an earlier version made it, or it was edited"
            case Check.BAD:
                return "its record was edited after it was signed"
            case Check.OTHER_SCOPE:
                return "its record belongs to another run"
            case Check.UNKNOWN_KEY:
                return _unknown_key(record)

    def _keyring(self, conn_id: str) -> Keyring:
        if conn_id not in self._keyrings:
            self._keyrings[conn_id] = keyring_of(conn_id, self._connections)
        return self._keyrings[conn_id]


def _signed_part(record: Record) -> object:
    import msgspec

    return msgspec.to_builtins(msgspec.structs.replace(record, signature=None))


def _unknown_key(record: Record) -> str:
    from dispute_provider._signatures import key_id_of

    key = key_id_of(record.signature or "")
    if config.signing_key():
        return f"its record is signed under key {key}, which [dispute] signing_key no longer has"
    return (
        f"its record is signed under key {key}: the API key of connection {record.connection!r} was replaced "
        "since, and there is no [dispute] signing_key"
    )
