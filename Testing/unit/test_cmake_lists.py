"""Slicer installs only the files that the CMake lists name."""

from __future__ import annotations

import pytest
from cmake_lists import LIST_OF_FOLDER, ROOT, listed_scripts, scripts_on_disk


@pytest.mark.parametrize("folder", LIST_OF_FOLDER)
def test_every_python_file_is_listed_once(folder):
    assert listed_scripts(folder) == scripts_on_disk(folder), "run `make cmake-lists`"


def test_no_second_python_file_lies_beside_the_module():
    # Slicer takes every .py in the folder of a module for a module.
    beside_the_module = [script for script in scripts_on_disk("ASPECTS") if "/" not in script]
    assert beside_the_module == ["ASPECTS.py"]


def test_resources_that_the_module_lists_exist():
    text = (ROOT / "ASPECTS" / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = [word for word in text.split() if word.startswith("Resources/")]
    assert listed
    assert [name for name in listed if not (ROOT / "ASPECTS" / name).is_file()] == []
