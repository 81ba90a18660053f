"""Say what is wrong with the syntax of a template, and how to correct it. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

_CURLY = "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
_CURLY += "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"


def fault(error: TemplateSyntaxError, environment: Environment) -> dict[str, Any]:
    """Return the problem, the line in the text and the cure."""
    problem, remedy = (error.message or "").removesuffix("."), "correct it"
    for kind, known in (("filter", environment.filters), ("test", environment.tests)):
        if problem.startswith(f"No {kind} named "):
            name = problem.split("'")[1]
            problem = f"there is no {kind} {name}"
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else "see docs/templates.md"
    if any(each in problem for each in _CURLY):
        remedy = "write straight quotes between the braces: '"
    return {"problem": problem, "line": error.lineno, "remedy": remedy}
