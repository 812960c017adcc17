"""What course_lib takes from packages that change often is there, takes the arguments given, and is not deprecated.

Warnings are errors in all tests (pyproject.toml), so a name that warns when it is touched fails here too. Whatever it
imports is declared in pyproject.toml, and requirements.txt pins every declared package to a version in its range.
"""

import ast
import inspect
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "course_lib"
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


def third_party():
    """The packages that course_lib imports, anywhere in its files, by the name in the import."""
    names = set()
    for path in COURSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    return sorted(names - set(sys.stdlib_module_names) - {"course_lib"})


def declared():
    """The packages that are installed with course_lib, by their canonical names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {canonicalize_name(one.name): one for one in map(Requirement, project["dependencies"])}


def pinned():
    """The version that requirements.txt pins each package to."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    pins = [Requirement(line) for line in lines if line and not line.startswith("-")]
    assert all([one.operator for one in pin.specifier] == ["=="] for pin in pins)
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}


@pytest.mark.parametrize("name", third_party())
def test_what_is_imported_is_declared(name):
    distributions = {canonicalize_name(one) for one in packages_distributions()[name]}
    assert distributions & declared().keys(), f"pyproject.toml declares none of {sorted(distributions)}"


def test_what_is_declared_is_pinned_within_its_range():
    pins = pinned()
    for name, requirement in declared().items():
        assert name in pins, f"requirements.txt does not pin {name}"
        assert requirement.specifier, f"pyproject.toml gives no range for {name}"
        assert requirement.specifier.contains(pins[name]), f"{requirement} does not allow the pin {pins[name]}"
