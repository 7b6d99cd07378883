"""Name every Python file in the CMake lists, because Slicer installs only what they name.

Run it as `make cmake-lists` after adding, moving or removing a file.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST_OF_FOLDER = {"ASPECTS": "MODULE_PYTHON_SCRIPTS", "ASPECTSLib": "ASPECTSLIB_SCRIPTS"}


def listed_scripts(folder: str) -> list[str]:
    """Return the scripts that a folder's CMakeLists.txt names, relative to the folder."""
    return _block(folder).group(2).split()


def scripts_on_disk(folder: str) -> list[str]:
    """Return the Python files in a folder and below it, relative to the folder."""
    here = ROOT / folder
    return sorted(path.relative_to(here).as_posix() for path in here.rglob("*.py"))


def write_list(folder: str) -> None:
    """Write the Python files on disk into the list of a folder's CMakeLists.txt."""
    block = _block(folder)
    lines = "".join(f"  {script}\n" for script in scripts_on_disk(folder))
    text = f"{block.string[: block.start(2)]}{lines}  {block.string[block.end(2) :]}"
    _cmake_file(folder).write_text(text, encoding="utf-8")


def _block(folder: str) -> re.Match[str]:
    pattern = rf"(set\({LIST_OF_FOLDER[folder]}\n)([^)]*)\)"
    block = re.search(pattern, _cmake_file(folder).read_text(encoding="utf-8"))
    if block is None:
        message = f"expected set({LIST_OF_FOLDER[folder]} ...) in {_cmake_file(folder)}"
        raise ValueError(message)
    return block


def _cmake_file(folder: str) -> Path:
    return ROOT / folder / "CMakeLists.txt"


if __name__ == "__main__":
    for name in LIST_OF_FOLDER:
        write_list(name)
        print(f"{name}/CMakeLists.txt: {len(scripts_on_disk(name))} scripts")
