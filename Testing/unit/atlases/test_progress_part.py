from __future__ import annotations

import pytest

from ASPECTSLib.atlases.progress_part import PartOfProgress
from ASPECTSLib.errors import CancelledError
from ASPECTSLib.progress import Progress


def test_fractions_of_a_part_are_fractions_of_the_whole():
    told = []
    part = PartOfProgress(Progress(lambda *stage: told.append(stage)), 0.2, 0.6)
    part.stage("first", 0.0)
    part.stage("middle", 0.5)
    assert told == [("first", 0.2), ("middle", pytest.approx(0.4))]


def test_cancelling_the_whole_cancels_the_part():
    part = PartOfProgress(Progress(is_cancelled=lambda: True), 0.0, 1.0)
    with pytest.raises(CancelledError):
        part.check()


def test_compiled_code_in_a_part_is_known_to_the_whole():
    whole = Progress()
    with PartOfProgress(whole, 0.0, 1.0).native():
        assert whole.in_native_code
    assert not whole.in_native_code
