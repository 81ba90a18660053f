"""Of many writers of one file, one wins, and no file is empty, even if writers are killed.

``make races`` runs 400 races on disk and 200 on an S3 stand-in, the suite a tenth of that.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from racing import races

from dispute_provider._ledger.stores import FolderStore, LedgerStore, MemoryStore, ObjectStore, store_at

FULL = os.environ.get("LEDGER_RACES") == "full"
ON_DISK, ON_S3, OF_PROCESSES, KILLS = (400, 200, 40, 200) if FULL else (40, 5, 4, 10)
_FOLDER = "test/stripe/du_1"

pytestmark = pytest.mark.timeout(1200 if FULL else 120)


def _path(race: int) -> str:
    return f"{_FOLDER}{race % 7}/1/{race + 1}"


def test_of_many_threads_one_creates_a_file_on_disk(tmp_path: Path) -> None:
    races([FolderStore(str(tmp_path)), FolderStore(str(tmp_path))], ON_DISK, _path)
    assert not _left_over(tmp_path), "a temporary file was left"


def test_of_many_threads_one_creates_a_file_in_memory() -> None:
    races([MemoryStore()], ON_DISK, _path)


# What a process of its own does in a race: it waits for a file, then creates another.
_RACER = """
import sys, time
from pathlib import Path
from dispute_provider._ledger.stores import FolderStore
root, path, racer = sys.argv[1], sys.argv[2], sys.argv[3]
store = FolderStore(root)
for race in range(int(sys.argv[4])):
    gun = Path(root, f"gun-{race}")
    Path(root, f"ready-{race}-{racer}").touch()
    while not gun.exists():
        time.sleep(0.0005)
    content = f"{racer} ".encode() * 2000
    won = store.create(f"{path}/{race + 1}", content)
    found = store.read([f"{path}/{race + 1}"])[f"{path}/{race + 1}"]
    print(race, int(won), int(found == content), len(found), found[:4].decode().split()[0], flush=True)
"""


def test_of_many_processes_one_creates_a_file_on_disk(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(tmp_path), _FOLDER, f"{racer:02}", str(OF_PROCESSES)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for racer in range(10)
    ]
    for race in range(OF_PROCESSES):
        while len(list(tmp_path.glob(f"ready-{race}-*"))) < len(racers):
            assert all(racer.poll() is None for racer in racers)
            time.sleep(0.001)
        (tmp_path / f"gun-{race}").touch()
    outputs = [racer.communicate(timeout=60)[0].split("\n")[:-1] for racer in racers]
    for race in range(OF_PROCESSES):
        of_race = [lines[race].split() for lines in outputs]
        assert [line[0] for line in of_race] == [str(race)] * len(racers)
        assert sum(int(line[1]) for line in of_race) == 1
        assert all(line[1] == line[2] for line in of_race), "only the winner reads its own file"
        assert {(line[3], line[4]) for line in of_race} == {(of_race[0][3], of_race[0][4])}
        assert of_race[0][3] == str(3 * 2000)


# Creates files until it is killed.
_WRITER = """
import sys
from dispute_provider._ledger.stores import FolderStore
store = FolderStore(sys.argv[1])
print("ready", flush=True)
for number in range(1, 10**9):
    store.create(f"{sys.argv[2]}/{number}", b"%020d" % number * 20_000)
"""


def test_a_killed_writer_leaves_no_empty_and_no_half_file(tmp_path: Path) -> None:
    chance = random.Random(14)
    written = 0
    for kill in range(KILLS):
        folder = f"{_FOLDER}/{kill}"
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), folder], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.1))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        store = FolderStore(str(tmp_path))
        files = store.read(store.list(folder))
        written += len(files)
        for path, content in files.items():
            assert content == b"%020d" % int(path.rpartition("/")[2]) * 20_000
    assert written > KILLS, "no writer was killed at work"


class StandIn:
    """Moto's S3, one request after another: of two conditional writes S3 lets one win, moto itself both.

    :ivar conflicts: how many of the next writes get a 409, as S3 answers while another is at work.
    """

    def __init__(self) -> None:
        server = pytest.importorskip("moto.server")
        self._moto = server.DomainDispatcherApplication(server.create_backend_app)
        self._lock = threading.Lock()
        self.conflicts = 0
        serving = pytest.importorskip("werkzeug.serving")
        self.server = serving.make_server(
            "127.0.0.1", 0, self, threaded=True, request_handler=_quiet(serving)
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self._lock:
            if environ["REQUEST_METHOD"] == "PUT" and self.conflicts:
                self.conflicts -= 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("409 Conflict", [("Content-Type", "application/xml")])
                return [_CONFLICT]
            return list(self._moto(environ, start_response))


_CONFLICT = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ConditionalRequestConflict</Code><Message>The "
    b"conditional request cannot succeed due to a conflicting operation against this resource."
    b"</Message></Error>"
)


def _quiet(serving: Any) -> Any:
    class Handler(serving.WSGIRequestHandler):  # type: ignore[misc]  # of an untyped module
        def log(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


@pytest.fixture(scope="module")
def s3(stand_in: StandIn) -> Iterator[str]:
    """The address of a bucket on an S3 stand-in."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{stand_in.server.server_port}")
        import s3fs
        from airflow.sdk.io import attach

        # As Airflow's provider for Amazon registers it.
        attach("s3", fs=s3fs.S3FileSystem()).fs.mkdir("disputes")
        yield "s3://disputes/ledger"


@pytest.mark.parametrize("conflicts", [1, 2, 3])
def test_a_conflict_on_s3_is_tried_again(s3: str, stand_in: StandIn, conflicts: int) -> None:
    store, path = store_at(s3), f"test/conflict/1/{conflicts}"
    stand_in.conflicts = conflicts
    assert store.create(path, b"mine")
    assert stand_in.conflicts == 0
    stand_in.conflicts = conflicts
    assert not store.create(path, b"another's")
    assert store.read([path]) == {path: b"mine"}


def test_a_conflict_that_lasts_creates_nothing(s3: str, stand_in: StandIn) -> None:
    store, path = store_at(s3), "test/conflict/1/9"
    stand_in.conflicts = 1000
    try:
        with pytest.raises(OSError, match="conflict"):
            store.create(path, b"mine")
    finally:
        stand_in.conflicts = 0
    assert store.read([path]) == {}


@pytest.mark.parametrize("name", ["shop [eu]", "shop*", "50% [off"])
def test_a_ledger_may_have_any_name_on_s3(s3: str, name: str) -> None:
    store, path = store_at(f"{s3}/{name}"), "test/stripe/du_1/1/1"
    assert store.create(path, b"mine")
    assert not store.create(path, b"another's")
    assert store.read([path, "test/stripe/du_1/1/2"]) == {path: b"mine"}
    assert list(store.list("test/stripe/du_1")) == [path]
    assert store.now() > 0


def test_of_many_threads_one_creates_an_object_on_s3(s3: str) -> None:
    import s3fs

    # As many workers do, each with a client of its own.
    stores: list[LedgerStore] = [
        ObjectStore(s3fs.S3FileSystem(skip_instance_cache=True), s3.removeprefix("s3://")) for _ in range(5)
    ]
    assert isinstance(store_at(s3), ObjectStore)
    races([store_at(s3), *stores], ON_S3, _path)


def test_a_bucket_is_listed_afresh_each_time(s3: str) -> None:
    import s3fs

    one = store_at(s3)
    other = ObjectStore(s3fs.S3FileSystem(skip_instance_cache=True), s3.removeprefix("s3://"))
    assert one.list("test/new") == {}
    before = one.now()
    assert other.create("test/new/1/1", b"first")
    assert other.create("test/new/1/2", b"second")
    found = one.list("test/new")
    assert sorted(found) == ["test/new/1/1", "test/new/1/2"]
    # Objects are dated to the second.
    assert all(before - 1 <= created <= one.now() + 1 for created in found.values())
    assert one.read([*found, "test/new/1/3"]) == {
        "test/new/1/1": b"first",
        "test/new/1/2": b"second",
    }
    assert not one.create("test/new/1/1", b"third")
    assert one.read(["test/new/1/1"]) == {"test/new/1/1": b"first"}


def test_asking_for_the_time_leaves_nothing_behind(s3: str, tmp_path: Path) -> None:
    for store, address in ((store_at(s3), ""), (FolderStore(str(tmp_path)), "")):
        before = store.list(address)
        assert abs(store.now() - time.time()) < 5
        assert store.list(address).keys() == before.keys()


def _left_over(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if path.is_file()]
