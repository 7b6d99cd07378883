from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from ASPECTSLib.atlases.registration_route import CLOSE, register_heads, route
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import deformable

HEAD = Volume(np.ones((4, 4, 4), np.float32), centred_affine((4, 4, 4), np.ones(3)))


def test_without_torch_it_is_that_of_simpleitk(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(deformable, "register_deformable", lambda *_: "simpleitk's")
    assert route() == "simpleitk"
    assert register_heads(HEAD, HEAD, np.eye(4), Progress()) == "simpleitk's"


def test_with_torch_it_is_that_in_torch(monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.registration import torch_deformable

    monkeypatch.setattr(torch_deformable, "register_deformable", lambda *_, **__: "torch's")
    assert route() == "torch"
    assert register_heads(HEAD, HEAD, np.eye(4), Progress()) == "torch's"


def test_closely_is_with_settings_of_its_own(monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.registration import torch_deformable

    monkeypatch.setattr(torch_deformable, "register_deformable", lambda *given, **_: given[3])
    usual, close = (
        register_heads(HEAD, HEAD, np.eye(4), Progress(), closely=closely)
        for closely in (False, True)
    )
    assert close.levels == CLOSE.levels != usual.levels
