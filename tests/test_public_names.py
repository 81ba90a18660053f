"""Public names: each loads and is typed; shipped DAGs and documentation use no others."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path

import pytest

import dispute_provider

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = [*sorted((ROOT / "dags").glob("*.py")), *sorted((ROOT / "demo").glob("*.py"))]


@pytest.mark.parametrize("name", dispute_provider.__all__)
def test_a_public_name_loads(name: str) -> None:
    assert getattr(dispute_provider, name) is not None
    assert name in dir(dispute_provider)


def test_type_checkers_see_what_loads() -> None:
    tree = ast.parse(Path(dispute_provider.__file__).read_text("utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            place = (
                f"{node.module}.{alias.name}"
                if node.module == "dispute_provider"
                else f"{node.module}:{alias.name}"
            )
            seen[alias.asname or alias.name] = place.removeprefix("dispute_provider.")
    assert seen == dispute_provider._PUBLIC
    assert sorted(seen) == dispute_provider.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'dispute_provider' has no attribute 'Nonsense'"):
        _ = dispute_provider.Nonsense


def private_imports(source: str) -> Iterator[str]:
    """Yield the imports in code that are not of public names of this package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in found:
            if module.partition(".")[0] == "dispute_provider" and not is_public(module, name):
                yield f"{module}:{name}"


def is_public(module: str, name: str | None) -> bool:
    if any(part.startswith("_") for part in module.split(".")):
        return False
    if name is None:
        return True
    public = getattr(import_module(module), "__all__", None)
    return not name.startswith("_") if public is None else name in public


def code_of(page: Path) -> Iterator[str]:
    return map(textwrap.dedent, re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))


def test_shipped_code_and_documentation_use_public_names_only() -> None:
    sources = [(path, path.read_text("utf-8")) for path in CODE]
    sources += [(page, code) for page in PAGES for code in code_of(page)]
    assert len(sources) > len(CODE)
    found = {
        str(path.relative_to(ROOT)): names for path, code in sources if (names := [*private_imports(code)])
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "from dispute_provider._evidence.policy import ApprovalPolicy",
        "from dispute_provider.operators._api import ApiOperator",
        "from dispute_provider import _config",
        "import dispute_provider._registry",
        "from dispute_provider import Nonsense",
    ],
)
def test_the_check_sees_a_private_name(line: str) -> None:
    assert [*private_imports(line)]


def documentation(found: object) -> str:
    """The docstring of a function, or of a class with those of its bases in this package."""
    kinds = found.__mro__ if isinstance(found, type) else (found,)
    return "\n".join(kind.__doc__ or "" for kind in kinds if kind.__module__.startswith("dispute_provider"))


PUBLIC = {name: getattr(dispute_provider, name) for name in dispute_provider.__all__}


@pytest.mark.parametrize("name", [name for name, found in PUBLIC.items() if callable(found)])
def test_a_public_callable_documents_each_parameter(name: str) -> None:
    found = PUBLIC[name]
    assert found.__doc__
    if isinstance(found, type) and (issubclass(found, Enum) or "__init__" not in own_names(found)):
        return
    named = [
        parameter.name
        for parameter in inspect.signature(found).parameters.values()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    assert [each for each in named if f":param {each}:" not in documentation(found)] == []


def own_names(found: type) -> set[str]:
    """What a class and its bases in this package define; those of msgspec take their fields as parameters."""
    ours = [kind for kind in found.__mro__ if kind.__module__.startswith("dispute_provider")]
    is_struct = hasattr(found, "__struct_fields__")
    return {name for kind in ours for name in vars(kind)} | ({"__init__"} if is_struct else set())
