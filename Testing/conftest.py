"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public imaging data, or skip the test where there is none."""
    folder = Path(os.environ.get("ASPECTS_DATA", _BESIDE_THE_REPOSITORY))
    if not folder.is_dir():
        pytest.skip("needs the public imaging data: set ASPECTS_DATA to their folder")
    return folder
