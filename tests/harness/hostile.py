"""Hostile case files: each must be refused, and none may stop the others."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

SECRET = "a text of a customer"
_START = b"provider: stripe\ndispute: du_hostile\n"

# One file has gigabytes of zeros.
_BEGINNING = 1 << 20


def _laughs(first: str, more: str) -> bytes:
    """Return a YAML bomb: each line repeats the previous one nine times, up to 3,486,784,401 values."""
    lines = [f"l0: &l0 {first}"]
    lines += [f"l{n}: &l{n} " + more.format(",".join([f"*l{n - 1}"] * 9)) for n in range(1, 11)]
    return _START + "\n".join(lines).encode()


def _case(evidence: object) -> bytes:
    return json.dumps({"provider": "stripe", "dispute": "du_hostile", "evidence": evidence}).encode()


CONTENTS: dict[str, bytes] = {
    "lists.yaml": _laughs("[x]", "[{}]"),
    "merges.yaml": _laughs("{x: y}", "{{<<: [{}]}}"),
    "itself.yaml": _START + b"metadata: &m {a: *m}\nevidence: {}\n",
    "itself-in-a-list.yaml": b"&a [*a]",
    "itself-merged.yaml": _START + b"evidence: &e {<<: *e}\n",
    "nothing.yaml": _START + b"evidence: *none\n",
    "sixty.yaml": _START + b"evidence: {customer_name: 1" + b":1" * 300_000 + b"}\n",
    "digits.yaml": _START + b"evidence: {customer_name: " + b"9" * 5_000 + b"}\n",
    "digits.json": b'{"dispute": ' + b"9" * 5_000 + b"}",
    "fewer-digits.json": b'{"dispute": ' + b"9" * 4_000 + b"}",
    "hex.yaml": _START + b"evidence: {customer_name: 0x" + b"f" * 600_000 + b"}\n",
    "fraction.yaml": _START + b"evidence: {customer_name: 0." + b"1" * 600_000 + b"}\n",
    "deep.yaml": b"[" * 100_000,
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
    "deep-object.json": b'{"a":' * 900 + b"1" + b"}" * 900,
    "deep-block.yaml": b"".join(b" " * depth + b"a:\n" for depth in range(900)),
    "wide.json": b"[" + b"0," * 200_000 + b"0]",
    "wide.yaml": b"[" + b"0," * 200_000 + b"0]",
    "python.yaml": b"!!python/object/apply:os.system ['true']",
    "bool.yaml": _START + f"evidence: {{customer_name: !!bool {SECRET}}}\n".encode(),
    "int.yaml": _START + f"evidence: {{customer_name: !!int {SECRET}}}\n".encode(),
    "empty-int.yaml": _START + b"evidence: {customer_name: !!int ''}\n",
    "time.yaml": _START + f"evidence: {{customer_name: !!timestamp {SECRET}}}\n".encode(),
    "bytes.yaml": _START + b"evidence: {customer_name: !!binary eA==}\n",
    "list-key.yaml": _START + b"evidence: {? [a] : b}\n",
    "two.yaml": _START + b"---\n" + _START,
    "nul.yaml": _START + b"evidence: {customer_name: a\x00b}\n",
    "half.json": _case({"customer_name": "\ud800"}),
    "half-dispute.json": json.dumps({"provider": "stripe", "dispute": "\ud800", "evidence": {}}).encode(),
    "nan.json": _case({"customer_name": float("nan")}),
    "utf-16.json": _case({}).decode().encode("utf-16-le"),
    "noise.yaml": bytes(range(256)) * 4,
    "empty.yaml": b"",
    "text.yaml": SECRET.encode(),
    "broken.json": b"{\n broken",
    "other.json": b'{"name": "a package of Node", "version": "1.0.0"}',
    "nul-in-a-path.json": _case({"receipt": {"file": "a\x00.pdf"}}),
    "large.yaml": _START + b"#" * (1 << 20),
}

DOCUMENTS = {
    "long-path.json": _case({"receipt": {"file": "a" * 5_000 + ".pdf"}}),
    "pipe-as-document.json": _case({"receipt": {"file": "pipe"}}),
    "socket-as-document.json": _case({"receipt": {"file": "socket"}}),
    "folder-as-document.json": _case({"receipt": {"file": "folder.yaml"}}),
    "loop-as-document.json": _case({"receipt": {"file": "loop.yaml"}}),
    "zeros-as-document.json": _case({"receipt": {"file": "zeros"}}),
}
"""Cases whose document cannot be read."""


def _socket(path: Path) -> None:
    # Its address has at most 107 bytes.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _zeros(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 34)


def _not_utf_8(path: Path) -> None:
    path.with_name("caf\udce9.yaml").write_bytes(_START)


def _unlisted(path: Path) -> None:
    path.mkdir()
    (path / "case.json").mkdir()


THINGS: dict[str, Callable[[Path], object]] = {
    "pipe.yaml": os.mkfifo,
    "socket.yaml": _socket,
    "zeros.json": _zeros,
    "loop.yaml": lambda path: path.symlink_to(path),
    "dangling.yaml": lambda path: path.symlink_to("none"),
    "device.yaml": lambda path: path.symlink_to("/dev/zero"),
    "caf\\udce9.yaml": _not_utf_8,
    "two\nlines.yaml": lambda path: path.write_bytes(b"{"),
    "turned\u202e.yaml": lambda path: path.write_bytes(b"{"),
    "folder/case.json": lambda path: _unlisted(path.parent),
}
"""Entries that are no regular files, by the path under which each is reported."""

_BESIDE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "zeros": _zeros,
    "folder.yaml": Path.mkdir,
    "here": lambda path: path.symlink_to("."),
}


def write(folder: Path) -> set[str]:
    """Write all hostile files into a folder; return the paths under which they must be reported."""
    for name, content in (CONTENTS | DOCUMENTS).items():
        (folder / name).write_bytes(content)
    for name, make in (_BESIDE | THINGS).items():
        make(folder / name)
    return {str(folder / name) for name in (*CONTENTS, *DOCUMENTS, *THINGS)}


def may_name(path: str, dispute: str) -> bool:
    """Return whether a file begins with a case of a dispute, or cannot be read."""
    try:
        if not Path(path).is_file():
            return True
        with Path(path).open("rb") as file:
            return dispute.encode() in file.read(_BEGINNING).replace(b"\0", b"")
    except OSError:
        return True
