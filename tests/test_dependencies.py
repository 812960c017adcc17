"""What course_lib takes from packages that change often is there, takes the arguments given, and is not deprecated.

Warnings are errors in all tests (pyproject.toml), so a name that warns when it is touched fails here too.
"""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

COURSE = Path(__file__).parents[1] / "course_lib"
CHANGING = {"transformers", "peft", "datasets", "anywidget"}


def imports(tree):
    """What a module takes from these packages, by the name it gives it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module.partition(".")[0] in CHANGING:
            yield from ((one.asname or one.name, (node.module, one.name)) for one in node.names)
        elif isinstance(node, ast.Import):
            yield from ((one.name, (one.name, None)) for one in node.names if one.name in CHANGING)


def uses():
    """Every use, as an expression in source text, with the arguments it is given by name."""
    for path in sorted(COURSE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        taken = dict(imports(tree))
        keywords = {id(node.func): {word.arg for word in node.keywords} - {None} for node in calls(tree)}
        yield from ((source, None, set()) for source in taken.values())
        for node in ast.walk(tree):
            name = node.value if isinstance(node, ast.Attribute) else node
            if isinstance(name, ast.Name) and name.id in taken:
                yield taken[name.id], getattr(node, "attr", None), keywords.get(id(node), set())


def calls(tree):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


USES = sorted({(source, attribute or "", tuple(sorted(given))) for source, attribute, given in uses()}, key=str)


@pytest.mark.parametrize(("source", "attribute", "given"), USES, ids=str)
def test_it_is_there_and_not_deprecated(source, attribute, given):
    module, name = source
    found = import_module(module)
    for part in filter(None, (name, attribute)):
        found = getattr(found, part)
        assert not hasattr(found, "__deprecated__")
    if given:
        parameters = inspect.signature(found).parameters.values()
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            assert set(given) <= {one.name for one in parameters}


def test_every_package_is_found():
    assert {module.partition(".")[0] for (module, _), _, _ in USES} == CHANGING
