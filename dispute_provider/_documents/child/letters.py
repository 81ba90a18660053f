"""Write a text from a template and facts, in Jinja's sandbox, in the child process.

Facts are data: they are never parsed as templates. A fact that is absent, null or empty is reported by its
name where a text needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateSyntaxError, UndefinedError, pass_context

# Jinja loads this module only to report an error, when the child can no longer read files.
from jinja2 import debug as debug
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dispute_provider._documents.child import faults
from dispute_provider._explain.money import format_amount

LONGEST = 200_000
"""Most characters of a text. No API takes more than 150,000."""
_FACTS = "facts"
_COMPILED = 200
_LONGEST_NAME = 40
_CODE = "<template>"
_LONGEST_FORM = 20
_PUNCTUATION = " .,:;/-+()'"
# Filters such as map return iterators.
_LISTS = (list, tuple, Iterator)
_KINDS = {int: "a number", float: "a number", bool: "a boolean", list: "a list"}
_SAMPLE = (
    "{{ a | date }}{{ b | money('eur') }}{{ c | sentence }}{{ e is defined }}{{ e }}"
    "{% for d in c %}{{ loop.index }}{{ d }}{% endfor %}"
)


class _UnfitError(Exception):
    """A fact that a filter does not take. Its message has no value, only names."""


class _UnfitFactError(Exception):
    """A fact of the case that a filter does not take.

    :param fact: its name.
    :param problem: how it is written, without what it says.
    """

    def __init__(self, fact: str, problem: str, remedy: str) -> None:
        super().__init__(fact, problem, remedy)


class _MissingFactError(UndefinedError):
    """A fact is missing that a text cannot go on without. Its message is the fact's name."""


class _Uses:
    """The facts that a text used, by name, and the names of those that are missing, in order."""

    def __init__(self) -> None:
        self.used: dict[str, Any] = {}
        self.missing: dict[str, None] = {}

    def name_of(self, value: Any) -> str | None:
        """Return the name of the fact that was used last of those with a value; None if it is computed."""
        return next((name for name, known in reversed(self.used.items()) if known is value), None)


class _Facts:
    """Facts by name. It has no public attributes, so ``order.items`` is a fact and not a method."""

    __slots__ = ("_facts", "_path", "_uses")

    def __init__(self, facts: Mapping[str, Any], path: str, uses: _Uses) -> None:
        self._facts, self._path, self._uses = facts, path, uses

    def __getitem__(self, name: str) -> Any:
        path = _path_of(self._path, name)
        found = self._facts.get(name)
        if found is None or found in ("", [], {}):
            return _Missing(path, self._uses)
        fact = _wrapped(found, path, self._uses)
        if not isinstance(found, dict):
            self._uses.used[path] = fact
        return fact

    def __str__(self) -> str:
        raise _UnfitError(f"{self._path} has several values; name one of them")

    __repr__ = __str__


def _path_of(above: str, name: Any) -> str:
    """Return the path of a fact; a name that is no identifier may be a customer's text, so it is left out."""
    shown = name if isinstance(name, str) and name.isidentifier() and len(name) <= _LONGEST_NAME else "[…]"
    return f"{above}.{shown}" if above else shown


def _wrapped(fact: Any, path: str, uses: _Uses) -> Any:
    if isinstance(fact, dict):
        return _Facts(fact, path, uses)
    return [_wrapped(each, path, uses) for each in fact] if isinstance(fact, list) else fact


class _Missing(StrictUndefined):
    """A missing fact. If a text contains it, its name is noted; any other use ends the text."""

    def __init__(self, path: str, uses: _Uses) -> None:
        super().__init__(name=path, exc=_MissingFactError)
        self._path, self._uses = path, uses

    @property
    def _undefined_message(self) -> str:
        return self._path

    def __getattr__(self, name: str) -> Any:
        # The sandbox asks for these of everything that a text calls.
        if name.startswith("_") or name in ("unsafe_callable", "alters_data"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: Any) -> Any:
        return _Missing(_path_of(self._path, name), self._uses)

    def __str__(self) -> str:  # type: ignore[override]  # there it only raises
        self._uses.missing[self._path] = None
        return ""

    __repr__ = __str__


class _FactContext(Context):
    """Resolves names in a text to facts, and to nothing else."""

    def resolve_or_missing(self, key: str) -> Any:
        return self.vars[key] if key in self.vars else self.parent[_FACTS][key]


def _unfit(context: Context, value: Any, taken: str, problem: str, remedy: str) -> Exception:
    """Return an error about a value that a filter does not take: its fact's, if it is one.

    :param taken: what the filter takes.
    :param problem: what the fact is not.
    """
    if fact := context.parent[_FACTS]._uses.name_of(value):
        return _UnfitFactError(fact, f"is written as {_form(value)}, which is no {problem}", remedy)
    return _UnfitError(taken)


def _form(value: Any) -> str:
    """Return how a value is written: a text with each digit as 9 and each letter as a or A."""
    if not isinstance(value, str):
        return _KINDS.get(type(value), "an object")
    cut = "…" if len(value) > _LONGEST_FORM else ""
    return "".join(map(_form_of, value[:_LONGEST_FORM])) + cut


def _form_of(character: str) -> str:
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "9" if character.isdigit() else character if character in _PUNCTUATION else "?"


@pass_context
def _date(context: Context, value: Any) -> Any:
    """Return an ISO date or time as ``1 March 2026``."""
    if isinstance(value, Undefined):
        return value
    try:
        found = datetime.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        taken = "date takes a date such as 2026-03-01, or a time that starts with one"
        remedy = "write it as year, month and day: 2026-03-01"
        raise _unfit(context, value, taken, "date that is read alike everywhere", remedy) from None
    return f"{found.day} {found:%B %Y}"


@pass_context
def _money(context: Context, value: Any, currency: Any) -> Any:
    """Return minor units as ``1,200.00 EUR``."""
    for each in (value, currency):
        if isinstance(each, Undefined):
            return each
    taken = "money takes a whole number of minor units, such as 12000, and a currency code"
    if isinstance(value, bool) or not isinstance(value, int):
        problem = "whole number of minor units"
        raise _unfit(context, value, taken, problem, "write cents, not euros or dollars: 12000 for 120.00")
    if not isinstance(currency, str):
        raise _unfit(context, currency, taken, "currency code", "write its three letters, such as EUR")
    return format_amount(value, currency)


@pass_context
def _sentence(context: Context, value: Any) -> Any:
    """Return a list as ``one, two and three``."""
    if isinstance(value, Undefined):
        return value
    if not isinstance(value, _LISTS):
        raise _unfit(context, value, "sentence takes a list", "list", "write a list, of one item if need be")
    return _joined(value)


def _joined(items: Iterable[Any]) -> str:
    *first, last = [str(_as_read(each)) for each in items] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _as_read(value: Any) -> Any:
    """Return a value as a text has it: a list as ``one, two and three``, a boolean as ``yes`` or ``no``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return _joined(value) if isinstance(value, _LISTS) else value


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, cache_size=0, finalize=_as_read
    )
    environment.context_class = _FactContext
    environment.globals.clear()
    # The same facts must give the same text.
    del environment.filters["random"]
    environment.filters |= {"date": _date, "money": _money, "sentence": _sentence}
    return environment


ENVIRONMENT = _environment()


@lru_cache(_COMPILED)
def _compiled(source: str) -> Template:
    return ENVIRONMENT.from_string(source)


def write(question: bytes) -> bytes:
    """Write one text, and return it with the names of the facts that it used, as JSON.

    :param question: a JSON list of the template's source and the facts.
    """
    source, facts = json.loads(question)
    uses = _Uses()
    answer: dict[str, Any]
    try:
        answer = {"text": _written(source, _Facts(facts, "", uses))}
    except _MissingFactError as error:
        uses.missing[str(error)] = None
        answer = {"text": ""}
    except TemplateSyntaxError as error:
        answer = faults.fault(error, ENVIRONMENT)
    except SecurityError as error:
        answer = {"problem": "it uses what templates may not use", "line": _line(error)}
    except _UnfitFactError as error:
        answer = {"fact": list(error.args)}
    except _UnfitError as error:
        answer = {"problem": str(error), "line": _line(error)}
    except UndefinedError as error:
        answer = {"problem": "it names something that a text or a list does not have", "line": _line(error)}
    except MemoryError:
        raise
    except Exception as error:
        # Its message may quote a fact.
        answer = {"problem": type(error).__name__, "line": _line(error)}
    return json.dumps({**answer, "used": list(uses.used), "missing": list(uses.missing)}).encode()


def _written(source: str, facts: _Facts) -> str:
    pieces: list[str] = []
    length = 0
    for piece in _compiled(source).generate({_FACTS: facts}):
        length += len(piece)
        if length > LONGEST:
            raise _UnfitError(f"it becomes longer than {LONGEST:,} characters")
        pieces.append(piece)
    return "".join(pieces).strip()


def _line(error: BaseException) -> int | None:
    """Return the line of the template at which an error occurred; None if it is not known."""
    lines = [line for code, line in _places(error) if code == _CODE]
    return lines[-1] if lines else None


def _places(error: BaseException) -> Iterator[tuple[str, int]]:
    place = error.__traceback__
    while place:
        yield place.tb_frame.f_code.co_filename, place.tb_lineno
        place = place.tb_next


def warm_up() -> None:
    """Use everything once, because nothing can be loaded after the child is locked."""
    facts = {"a": "2026-03-01", "b": 1, "c": ["d"], "d": "9/9", "f": {}}
    for source in (
        _SAMPLE,
        "{{ 1 // 0 }}",
        "{% if g %}{% endif %}",
        "{{ f.__class__ }}",
        "{% x",
        "{{ d | date }}",
    ):
        write(json.dumps([source, facts]).encode())
