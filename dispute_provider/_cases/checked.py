"""The result of checking a case or a template without a connection. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking one case or template.

    :param source: its file, with a line number for a line of one.
    :param problems: why it is refused; empty if it can be used.
    :param ignored: why a file that looks like one is not read; empty, the default, for a case or a template.
    :param dispute: the API and dispute of a case, if they could be read.
    :param facts: a case's verdict, its use of the limits, and notes; what a template needs.
    """

    source: str
    problems: tuple[str, ...] = ()
    ignored: str = ""
    dispute: tuple[str, str] | None = None
    facts: tuple[str, ...] = ()
