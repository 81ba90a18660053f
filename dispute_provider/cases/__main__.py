"""Check case files and templates on the command line: ``python -m dispute_provider.cases check PATH``.

No connection is used and nothing is sent. The exit code is 1 if one is refused, and otherwise 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispute_provider._cases.checked import Checked

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code.

    :param arguments: the command and its arguments; None, the default, for those of the process.
    """
    parser = argparse.ArgumentParser("python -m dispute_provider.cases", description="Work with case files.")
    commands = parser.add_subparsers(dest="command", required=True)
    what = "say what a sweep would say about cases and templates, without a connection"
    check = commands.add_parser("check", help=what)
    check.add_argument("path", help="a case, a .jsonl file, a template, a case root or its folder templates")
    check.add_argument("--reason", default="", help="reason of the disputes; without it, each is listed")
    check.add_argument("--network", default="", help="card network of the disputes, such as mastercard")
    commands.add_parser("schema", help="print the JSON Schema of a case, for editors")
    given = parser.parse_args(arguments)
    if given.command == "schema":
        from dispute_provider._cases.editor_schema import editor_schema

        print(json.dumps(editor_schema(), indent=2, ensure_ascii=False))
        return 0
    from dispute_provider._cases.checking import check as check_cases

    checked = check_cases(given.path, given.reason, given.network)
    print("\n".join(report(checked)))
    return int(any(each.problems for each in checked))


def report(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the lines on checked cases and templates, and a line with their numbers."""
    from dispute_provider._evidence.documents import shown

    if not checked:
        yield "there is no case; in a case root, they are at <api>/<dispute id>/case.yaml"
    for each in checked:
        state = "ignored" if each.ignored else "refused" if each.problems else "ok"
        yield f"{shown(each.source.removeprefix('file://'))}: {state}"
        if each.dispute:
            yield f"  dispute: {each.dispute[0]} {each.dispute[1]}"
        yield from (f"  {line}" for line in (*each.problems, *each.facts, each.ignored) if line)
    refused = sum(bool(each.problems) for each in checked)
    ignored = sum(bool(each.ignored) for each in checked)
    yield f"{len(checked) - refused - ignored} ok, {refused} refused, {ignored} ignored"


if __name__ == "__main__":
    sys.exit(main())
