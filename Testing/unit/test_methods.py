"""The methods and what they need."""

from __future__ import annotations

import pytest

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.methods import AUTO, METHOD_NAMES, METHODS, check_method, used_inputs


def test_every_name_is_accepted_and_no_other():
    for name in METHOD_NAMES:
        check_method(name)
    with pytest.raises(UsageError, match="expected a method out of auto, classical") as caught:
        check_method("magic")
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE


def test_automatic_takes_what_any_method_takes():
    assert used_inputs(AUTO) == frozenset().union(*(used_inputs(m.name) for m in METHODS))


def test_classical_takes_a_head_ct_and_nothing_else():
    assert used_inputs("classical") == {Modality.NCCT}
