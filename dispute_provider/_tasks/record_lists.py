"""Records between tasks: a list in XCom, or a reference to a file of them in the evidence store.

A record is about 1.8 kB as JSON. What goes through XCom is a row of Airflow's database, which every reader
loads whole: up to :data:`LARGEST_LIST` records, half a megabyte, it is the list itself. That is more than a
review shows and a sweep finds. What is longer stands in ``[dispute] evidence_store``, a record a line, under
its sha256, and is read from there line by line. Without a store it stays a list.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

import msgspec

from dispute_provider._state import evidence_store
from dispute_provider._tasks.signing import Signer

if TYPE_CHECKING:
    from dispute_provider._evidence.record import Record

LARGEST_LIST = 250
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where records stand that are too many for XCom.

    :param records: the sha256 of the file that holds them.
    :param states: how many there are in each state.
    """

    records: str
    count: int
    states: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Any) -> Reference | None:
        """A reference from XCom; None if this is something else."""
        if not isinstance(value, Mapping) or value.keys() != {"records", "count", "states"}:
            return None
        sha256, count, states = value["records"], value["count"], value["states"]
        if not isinstance(sha256, str) or not isinstance(count, int):
            return None
        if not evidence_store.SHA256.fullmatch(sha256):
            return None
        return cls(sha256, count, states if isinstance(states, Mapping) else {})

    def to_dict(self) -> dict[str, Any]:
        return {"records": self.records, "count": self.count, "states": dict(self.states)}


Value = list[dict[str, Any]] | dict[str, Any]
"""What a task returns: records, or a reference to them."""


def records_of(given: Any) -> Iterator[Record]:
    """Return records from what a task returned, or several did, or from a run's configuration, unverified.

    Pass them through :meth:`Signer.verified` before you use what they say. An item that is no record, as
    after an edit, becomes one that fails there.

    :param given: records, references to them, or both.
    :raises EvidenceStoreError: if what is referred to cannot be read, or is not what was put there.
    """
    from dispute_provider._evidence.record import Record

    for item in [given] if isinstance(given, Mapping) else given or ():
        if isinstance(item, Record):
            yield item
        elif reference := Reference.read(item):
            yield from _stored(reference)
        else:
            yield _read(item)


def _read(item: Any) -> Record:
    """Return an item as a record; of one that cannot be read, its names and signature."""
    from dispute_provider._evidence.record import Record, State

    try:
        return Record.from_dict(item)
    except msgspec.ValidationError:
        claimed = item if isinstance(item, Mapping) else {}
        names = {
            name: value if isinstance(value := claimed.get(name), str) else "unknown"
            for name in ("provider", "connection", "dispute", "signature")
        }
        return Record.from_dict({**names, "state": State.REFUSED, "reason": ""})


def count_of(given: Iterable[Any]) -> int:
    """How many records there are, without reading them."""
    return sum(reference.count if (reference := Reference.read(item)) else 1 for item in given)


def _stored(reference: Reference) -> Iterator[Record]:
    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import short_digest

    decoder = msgspec.json.Decoder(Record)
    # All of it is checked before anything is made of its first line.
    with tempfile.TemporaryFile() as local:
        if not evidence_store.fetch(reference.records, local):
            raise evidence_store.EvidenceStoreError(
                f"{reference.count:,} records are missing: [dispute] evidence_store holds no "
                f"{short_digest(reference.records)}; to do: clear the task that returned them"
            )
        local.seek(0)
        for line in local:
            try:
                yield decoder.decode(line)
            except msgspec.ValidationError:
                yield _read(msgspec.json.decode(line))
            except (msgspec.DecodeError, ValueError):
                raise evidence_store.EvidenceStoreError(
                    f"{short_digest(reference.records)} in [dispute] evidence_store is no list of records; "
                    "to do: clear the task that returned it"
                ) from None


class Tally:
    """Counts records by state, without keeping them.

    :ivar unreached: how many are held because the API could not be reached.
    :ivar wait: seconds that the API asks to wait before they are tried again.
    :ivar due: the earliest due date of theirs.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.states: Counter[str] = Counter()
        self.unreached = 0
        self.wait = 0.0
        self.due: datetime | None = None
        for record in records:
            self.add(record)

    @property
    def count(self) -> int:
        return self.states.total()

    def add(self, record: Record) -> None:
        self.states[str(record.state)] += 1
        if is_unreached(record):
            self.unreached += 1
            self.wait = max(self.wait, record.retry_after or 0.0)
            if record.due_at is not None:
                self.due = min(self.due or record.due_at, record.due_at)


def is_unreached(record: Record) -> bool:
    """Whether it is held because the API could not be reached."""
    return record.retry_after is not None and record.state == "held"


def unreached(records: Iterable[Record]) -> list[Record]:
    """Those that are held because the API could not be reached."""
    return list(filter(is_unreached, records))


class RecordWriter:
    """Takes a task's records as they end, signs them, and makes of them what it returns.

    Those that are too many for XCom wait in a file on this machine until they are complete.

    :param signer: signs each record as it is now.
    :param log: gets one line for each, where given.
    """

    def __init__(self, signer: Signer, log: Any = None) -> None:
        self._signer = signer
        self._stack = ExitStack()
        self._log = log
        self._kept: dict[int, Record] = {}
        self._file: IO[bytes] | None = None
        self._sha256 = hashlib.sha256()
        self._stores = evidence_store.is_configured()
        self.tally = Tally()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def add(self, record: Record, place: int | None = None) -> None:
        """Take a record.

        :param place: where it belongs in a list; after the others where not given.
        """
        if self._log:
            self._log.info("%s", record.log_line())
        self.tally.add(record)
        record = self._signer.sealed(record)
        if self._file is not None:
            self._write(record)
            return
        self._kept[len(self._kept) if place is None else place] = record
        if self._stores and len(self._kept) > LARGEST_LIST:
            file = tempfile.TemporaryFile()  # noqa: SIM115  # the stack closes it
            self._file = self._stack.enter_context(file)
            for place in sorted(self._kept):
                self._write(self._kept[place])
            self._kept.clear()

    def value(self) -> Value:
        """Return the records in the order of their places, or a reference to them where they are many.

        Where the evidence store cannot be written, many are returned too, in the order in which they ended.
        """
        if self._file is None:
            if len(self._kept) > LARGEST_LIST:
                _log.warning(
                    "%s records go through XCom, for want of another place. To do: name a folder in "
                    "[dispute] evidence_store.",
                    f"{len(self._kept):,}",
                )
            return [self._kept[place].to_dict() for place in sorted(self._kept)]
        self._file.seek(0)
        sha256 = self._sha256.hexdigest()
        try:
            evidence_store.put_file(self._file, sha256)
        except evidence_store.EvidenceStoreError as error:
            # What the records say has happened: they are not lost for it.
            _log.warning("%s records go through XCom: %s", f"{self.tally.count:,}", error)
            self._file.seek(0)
            return [msgspec.json.decode(line) for line in self._file]
        reference = Reference(sha256, self.tally.count, self.tally.states)
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(reference.states.items()))
        _log.info(
            "%s records stand in the evidence store under %s: %s", f"{reference.count:,}", sha256, counts
        )
        return reference.to_dict()

    def _write(self, record: Record) -> None:
        line = msgspec.json.encode(record) + b"\n"
        assert self._file is not None
        self._file.write(line)
        self._sha256.update(line)


def return_value(records: Iterable[Record], signer: Signer, log: Any = None) -> Value:
    """What a task returns that has its records together; see :class:`RecordWriter`."""
    with RecordWriter(signer, log) as writer:
        for record in records:
            writer.add(record)
        return writer.value()
