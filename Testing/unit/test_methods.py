"""The methods and what they need."""

from __future__ import annotations

import importlib.util

import pytest

from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.methods import (
    AUTO,
    METHOD_NAMES,
    METHODS,
    check_method,
    method_for,
    used_inputs,
)


def test_every_name_is_accepted_and_no_other():
    for name in METHOD_NAMES:
        check_method(name)
    with pytest.raises(
        UsageError, match="expected a method out of auto, dwi-unet3d, ctp-cbf, ncct-combined"
    ) as caught:
        check_method("magic")
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE


def test_automatic_takes_what_any_method_takes():
    assert used_inputs(AUTO) == frozenset().union(*(used_inputs(m.name) for m in METHODS))


def test_classical_takes_a_head_ct_and_nothing_else():
    assert used_inputs("classical") == {Modality.NCCT}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({Modality.NCCT}, "ncct-combined"),
        ({Modality.DWI}, "dwi-unet3d"),
        ({Modality.DWI, Modality.ADC}, "dwi-unet3d"),
        ({Modality.NCCT, Modality.DWI}, "dwi-unet3d"),
        ({Modality.CBF}, "ctp-cbf"),
        ({Modality.CBF, Modality.NCCT}, "ctp-cbf"),
    ],
)
def test_automatic_takes_the_best_method_for_what_is_there(given, name):
    assert method_for(AUTO, given).name == name


@pytest.mark.parametrize("given", [{Modality.NCCT}, {Modality.DWI}, {Modality.CBF}])
def test_what_automatic_takes_it_takes_for_a_reason(given):
    method = method_for(AUTO, given)
    assert method.reason.startswith(f"{method.name} is ")


@pytest.mark.parametrize("missing", ["torch", "monai"])
def test_without_its_packages_the_next_best_is_taken_and_says_so(monkeypatch, missing):
    _without(monkeypatch, missing)
    method = method_for(AUTO, {Modality.NCCT})
    assert method.name == "classical"
    assert "not installed" in method.reason


def test_where_no_method_has_its_packages_the_best_is_taken_to_say_what_it_needs(monkeypatch):
    _without(monkeypatch, "torch")
    assert method_for(AUTO, {Modality.DWI}).name == "dwi-unet3d"


def test_a_method_by_name_is_taken_whatever_is_installed(monkeypatch):
    _without(monkeypatch, "monai")
    assert method_for("ncct-unet", {Modality.NCCT}).name == "ncct-unet"


def _without(monkeypatch, missing):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == missing else found(name)
    )


def test_a_method_that_is_asked_for_by_name_is_taken():
    assert method_for("classical", {Modality.NCCT, Modality.DWI}).name == "classical"


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        (AUTO, {Modality.ADC}, "expected CBF or CTA or DWI or NCCT, got ADC; no method"),
        ("classical", {Modality.DWI}, "expected NCCT, got DWI; classical does not score it"),
        ("dwi-unet3d", {Modality.NCCT}, "expected DWI, got NCCT"),
    ],
)
def test_scans_that_a_method_does_not_score_are_refused(name, given, words):
    with pytest.raises(InputRefusedError, match=words) as caught:
        method_for(name, given)
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE


def test_diffusion_takes_the_maps_that_belong_to_it():
    assert used_inputs("dwi-unet3d") == {Modality.DWI, Modality.ADC, Modality.B0}
