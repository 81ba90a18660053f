"""Pass records between tasks: as a list in XCom, or as a reference to a file in the evidence store.

A record is about 1.8 kB of JSON, and an XCom is one row of Airflow's database. Up to :data:`LARGEST_LIST`
records, half a megabyte, are returned as a list; a review and a sweep have fewer. More records are written to
a file in the evidence store, one per line, named by its sha256, and are read line by line.
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
    """A reference to a file of records in the evidence store.

    :param records: sha256 of the file.
    :param count: number of records.
    :param states: number of records by state.
    """

    records: str
    count: int
    states: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Any) -> Reference | None:
        """Return a reference read from XCom; None if the value is not one."""
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
"""The return value of a task: records, or a reference to them."""


def records_of(given: Any) -> Iterator[Record]:
    """Yield the records of one or several tasks, or of a run's configuration, without checking signatures.

    Pass them to :meth:`Signer.verified` before use. An item that is not a record, for example after an edit,
    becomes a record that fails that check.

    :param given: records, references to records, or both.
    :raises EvidenceStoreError: if a referenced file cannot be read or was changed.
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
    """Return an item as a record; an unreadable item keeps only its names and signature."""
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
    """Return the number of records without reading them."""
    return sum(reference.count if (reference := Reference.read(item)) else 1 for item in given)


def _stored(reference: Reference) -> Iterator[Record]:
    from dispute_provider._evidence.record import Record
    from dispute_provider._evidence.snapshot import short_digest

    decoder = msgspec.json.Decoder(Record)
    # The whole file is checked before its first line is used.
    with tempfile.TemporaryFile() as local:
        if not evidence_store.fetch(reference.records, local):
            raise evidence_store.EvidenceStoreError(
                f"{reference.count:,} records are missing: [dispute] evidence_store has no "
                f"{short_digest(reference.records)}; {evidence_store.remedy('the task that returned them')}"
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
    """Counts records by state.

    :ivar unreached: number of records held because the API could not be reached.
    :ivar wait: seconds to wait before they are tried again, as the API asks.
    :ivar due: their earliest due date.
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
    """Return whether a record is held because the API could not be reached."""
    return record.retry_after is not None and record.state == "held"


def unreached(records: Iterable[Record]) -> list[Record]:
    """Return the records that are held because the API could not be reached."""
    return list(filter(is_unreached, records))


class RecordWriter:
    """Collects and signs a task's records, and builds its return value.

    More than :data:`LARGEST_LIST` records are collected in a temporary file on this machine.

    :param signer: signs each record when it is added.
    :param log: logs one line per record; None logs nothing.
    """

    def __init__(self, signer: Signer, log: Any = None) -> None:
        self._signer = signer
        self._stack = ExitStack()
        self._log = log
        self._kept: dict[int, Record] = {}
        self._file: IO[bytes] | None = None
        self._sha256 = hashlib.sha256()
        self.tally = Tally()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def add(self, record: Record, place: int | None = None) -> None:
        """Add a record.

        :param place: its position in the list. Default: None, at the end.
        """
        if self._log:
            self._log.info("%s", record.log_line())
        self.tally.add(record)
        record = self._signer.sealed(record)
        if self._file is not None:
            self._write(record)
            return
        self._kept[len(self._kept) if place is None else place] = record
        if len(self._kept) > LARGEST_LIST:
            file = tempfile.TemporaryFile()  # noqa: SIM115  # the stack closes it
            self._file = self._stack.enter_context(file)
            for place in sorted(self._kept):
                self._write(self._kept[place])
            self._kept.clear()

    def value(self) -> Value:
        """Return the records in the order of their places, or a reference to them if there are many.

        If the evidence store cannot be written, all records are returned, in the order in which they ended.
        """
        if self._file is None:
            return [self._kept[place].to_dict() for place in sorted(self._kept)]
        self._file.seek(0)
        sha256 = self._sha256.hexdigest()
        try:
            evidence_store.put_file(self._file, sha256)
        except evidence_store.EvidenceStoreError as error:
            # The records describe calls that were made, so they must not be lost.
            _log.warning("%s records go through XCom: %s", f"{self.tally.count:,}", error)
            self._file.seek(0)
            return [msgspec.json.decode(line) for line in self._file]
        reference = Reference(sha256, self.tally.count, self.tally.states)
        counts = ", ".join(f"{count:,} {state}" for state, count in sorted(reference.states.items()))
        _log.info("%s records are in the evidence store as %s: %s", f"{reference.count:,}", sha256, counts)
        return reference.to_dict()

    def _write(self, record: Record) -> None:
        line = msgspec.json.encode(record) + b"\n"
        assert self._file is not None
        self._file.write(line)
        self._sha256.update(line)


def return_value(records: Iterable[Record], signer: Signer, log: Any = None) -> Value:
    """Return the return value of a task that has all its records; see :class:`RecordWriter`."""
    with RecordWriter(signer, log) as writer:
        for record in records:
            writer.add(record)
        return writer.value()
