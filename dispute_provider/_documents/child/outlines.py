"""Say what a template's text needs, without facts: in the child process, like writing it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes

from dispute_provider._documents.child import letters
from dispute_provider._documents.child.faults import fault

_GUARDS = ("default", "d")
_PRESENCE = ("defined", "undefined")


def outline(question: bytes) -> bytes:
    """Return the facts that a text names and the characters that it writes without any, as JSON.

    ``needed`` are the facts without which it is not written, ``used`` the others. ``least`` counts the
    characters outside of conditions, ``most`` all.

    :param question: the template's source, as JSON.
    """
    source = json.loads(question)
    environment = letters.ENVIRONMENT
    try:
        # Unknown filters are found when it is compiled.
        environment.from_string(source)
        tree = environment.parse(source)
    except TemplateSyntaxError as error:
        return json.dumps(fault(error, environment)).encode()
    own = {each.name for each in tree.find_all(nodes.Name) if each.ctx != "load"} | {"loop"}
    facts = list(_facts(tree, own))
    needed = dict.fromkeys(name for name, is_needed in facts if is_needed)
    used = dict.fromkeys(name for name, _ in facts if name not in needed)
    pieces = list(_pieces(tree))
    found = {
        "needed": list(needed),
        "used": list(used),
        "least": sum(length for length, is_sure in pieces if is_sure),
        "most": sum(length for length, _ in pieces),
    }
    return json.dumps(found).encode()


def _facts(node: nodes.Node, own: set[str], is_needed: bool = True) -> Iterator[tuple[str, bool]]:
    """Yield the facts that a part of a text names, and whether it is not written without them.

    :param own: the names that the text defines itself.
    """
    match node:
        case nodes.Name() | nodes.Getattr() | nodes.Getitem():
            name, rest = _path(node)
            if name and name.partition(".")[0] not in own:
                yield name, is_needed
            for each in rest:
                yield from _facts(each, own, is_needed)
        case nodes.If() | nodes.CondExpr():
            yield from _facts(node.test, own, is_needed)
            for each in node.iter_child_nodes(exclude=("test",)):
                yield from _facts(each, own, False)
        case nodes.For():
            yield from _facts(node.iter, own, is_needed)
            for each in node.iter_child_nodes(exclude=("iter",)):
                yield from _facts(each, own, False)
        case nodes.Filter(name=name) if name in _GUARDS:
            for each in node.iter_child_nodes():
                yield from _facts(each, own, False)
        case nodes.Test(name=name) if name in _PRESENCE:
            for each in node.iter_child_nodes():
                yield from _facts(each, own, False)
        case _:
            for each in node.iter_child_nodes():
                yield from _facts(each, own, is_needed)


def _path(node: nodes.Node) -> tuple[str, list[nodes.Node]]:
    """Return the name of a fact, such as ``order.number``, and the parts of it that are no name."""
    match node:
        case nodes.Name(name=name):
            return name, []
        case nodes.Getattr(node=above, attr=attribute):
            name, rest = _path(above)
            return (f"{name}.{attribute}" if name and not rest else name), rest
        case nodes.Getitem(node=above, arg=nodes.Const(value=str(key))):
            name, rest = _path(above)
            return (f"{name}.{key}" if name and not rest else name), rest
        case nodes.Getitem(node=above, arg=argument):
            name, rest = _path(above)
            return name, [*rest, argument]
    return "", [node]


def _pieces(node: nodes.Node, is_sure: bool = True) -> Iterator[tuple[int, bool]]:
    """Yield the lengths of the words of a text, and whether they are written whatever the facts are."""
    if isinstance(node, nodes.TemplateData):
        yield len(node.data), is_sure
    inner = is_sure and not isinstance(node, nodes.If | nodes.For | nodes.CondExpr)
    for each in node.iter_child_nodes():
        yield from _pieces(each, inner)


def warm_up() -> None:
    """Use everything once, because nothing can be loaded after the child is locked."""
    for source in ("{% for a in b.c['d'][0] %}{{ a | default(e) }}{% endfor %}", "{{ a | dat }}"):
        outline(json.dumps(source).encode())
