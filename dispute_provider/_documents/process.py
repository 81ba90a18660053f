"""Start the child process and exchange messages with it: one request, one answer, within a time limit."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from dispute_provider import _config as config
from dispute_provider._documents.messages import ANSWER, QUESTION, SAME

# The child gets the parent's sys.path, because it does not read the environment or site packages.
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from dispute_provider._documents.child.main import main; main({}, {})"
)
_PACKAGES = str(Path(__file__).parents[2])
_START_SECONDS = 60.0
_NO_START = (
    "the process that reads documents does not start; to see why, run: "
    f"{sys.executable} -m dispute_provider._documents.child.main < /dev/null"
)
_LARGEST_ANSWER = 64 * 1024 * 1024
# For glibc, in bytes; other C libraries ignore it. Otherwise the memory of each page is returned to the
# system and taken again for the next page, which costs an eighth of the CPU that a page takes.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}


class Process:
    """One child process, without the parent's environment, open files and folder. Its output is discarded.

    :param prepares: whether it also prepares documents; it may then start threads, as a decoder does.
    :raises RuntimeError: if it does not start.
    """

    def __init__(self, *, prepares: bool = False) -> None:
        self.parent = os.getpid()
        self.served = 0
        self._content: bytes | None = None
        self._child = subprocess.Popen(  # noqa: S603  # this interpreter, and a program of ours
            [sys.executable, "-I", "-S", "-c", _START.format(prepares, config.fonts()), _PACKAGES, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_KEPT_MEMORY,
            cwd="/",
            start_new_session=True,
        )
        self._await_start()

    def ask(self, what: bytes, page: int, width: int, content: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Send one request, and return the kind of its answer and the answer.

        The document is not sent again if the request before was about it.

        :param seconds: wall-clock time limit.
        :raises TimeoutError: if it takes longer; the child is killed.
        :raises EOFError: if the child ends without an answer.
        """
        assert self._child.stdin
        with self._killed_after(seconds):
            if self.has(content):
                self._child.stdin.write(QUESTION.pack(what, page, width, SAME))
            else:
                self._child.stdin.write(QUESTION.pack(what, page, width, len(content)))
                self._child.stdin.write(content)
                self._content = content
            self._child.stdin.flush()
            answer = self._read()
        self.served += 1
        return answer

    def has(self, content: bytes) -> bool:
        """Return whether the last request was about this document."""
        return content is self._content

    def end(self) -> None:
        """Kill the child and wait until it has ended."""
        self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe
            # Closing fails if unwritten data remains.
            with contextlib.suppress(OSError):
                pipe.close()
        self._child.wait()

    def _await_start(self) -> None:
        try:
            with self._killed_after(_START_SECONDS):
                self._read()
        except (EOFError, TimeoutError):
            self.end()
            raise RuntimeError(_NO_START) from None

    def _read(self) -> tuple[bytes, bytes]:
        kind, length = ANSWER.unpack(self._bytes(ANSWER.size))
        return kind, self._bytes(min(length, _LARGEST_ANSWER))

    def _bytes(self, length: int) -> bytes:
        assert self._child.stdout
        read = self._child.stdout.read(length)
        if len(read) < length:
            raise EOFError
        return read

    @contextlib.contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            self._child.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, EOFError):
            raise (TimeoutError if timed_out.is_set() else EOFError) from None
        finally:
            timer.cancel()
