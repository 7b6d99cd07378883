"""The module must load from a checkout, where nothing but its own folder is on Python's search path."""

from __future__ import annotations

import ast
from pathlib import Path

_MODULE = Path(__file__).parents[2] / "ASPECTS"


def _imported_on_loading(path):
    """Return the top-level packages that a file imports as it is loaded, in order."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            yield statement.module.partition(".")[0]
        elif isinstance(statement, ast.Import):
            yield from (name.name.partition(".")[0] for name in statement.names)


def test_the_module_file_leaves_the_library_to_its_package():
    """`ASPECTSSlicer` puts the library on the search path; before it, `ASPECTSLib` is not there."""
    packages = list(_imported_on_loading(_MODULE / "ASPECTS.py"))
    assert "ASPECTSSlicer" in packages
    assert "ASPECTSLib" not in packages


def test_the_module_file_is_the_only_one_that_slicer_takes_for_a_module():
    assert [path.name for path in _MODULE.glob("*.py")] == ["ASPECTS.py"]


def test_the_module_file_is_short():
    assert len((_MODULE / "ASPECTS.py").read_text(encoding="utf-8").splitlines()) <= 300


def test_the_glue_never_imports_networks():
    for path in _MODULE.rglob("*.py"):
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not names & {"torch", "monai"}, path.name
