"""The self-test that the module brings for the real application passes here too."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.mark.usefixtures("panel")
def test_self_test_of_the_module_passes(aspects, synthetic_patient, scan, monkeypatch):
    import slicer

    chosen = []
    monkeypatch.setattr(slicer.util, "selectModule", chosen.append)
    # The same patient in few pixels, made already.
    patient = replace(synthetic_patient, scan=scan)
    monkeypatch.setattr("ASPECTSSlicer.sample.make_patient", lambda *_args: patient)
    aspects.ASPECTSTest().runTest()
    assert chosen == ["ASPECTS"]
