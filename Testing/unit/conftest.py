"""Fixtures of the library's tests."""

from __future__ import annotations

import pytest

from ASPECTSLib.atlas.atlas import Atlas, load_atlas
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.geometry import Volume


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    """Return the atlas that ships with the project."""
    return load_atlas()


@pytest.fixture(scope="session")
def template(atlas: Atlas) -> Volume:
    """Return the atlas's brain as it would look on CT, in HU."""
    return atlas.render(NCCT_CONTRAST_HU)
