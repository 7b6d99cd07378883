from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import deformable
from ASPECTSLib.registration.route import RegistrationRoute, deform, resolve_route

HEAD = Volume(np.ones((4, 4, 4), np.float32), centred_affine((4, 4, 4), np.ones(3)))
AUTO, TORCH, SIMPLEITK = RegistrationRoute


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


@pytest.fixture
def has_torch(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


@pytest.mark.usefixtures("has_torch")
def test_torch_is_taken_where_it_is_installed():
    assert resolve_route(AUTO) is TORCH


@pytest.mark.usefixtures("no_torch")
def test_without_torch_it_is_simpleitk():
    assert resolve_route(AUTO) is SIMPLEITK


@pytest.mark.usefixtures("has_torch")
@pytest.mark.parametrize("route", [TORCH, SIMPLEITK])
def test_what_is_asked_for_by_name_is_taken(route):
    assert resolve_route(route) is route


@pytest.mark.usefixtures("no_torch")
def test_torch_by_name_is_refused_where_it_is_missing():
    with pytest.raises(ResourceError, match="expected PyTorch") as caught:
        resolve_route(TORCH)
    assert caught.value.code is ErrorCode.TORCH_MISSING


def test_each_route_deforms_by_its_own(monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.registration import torch_deformable

    monkeypatch.setattr(deformable, "register_deformable", lambda *_: "simpleitk's")
    monkeypatch.setattr(torch_deformable, "register_deformable", lambda *_, **__: "torch's")
    for route, expected in ((SIMPLEITK, "simpleitk's"), (TORCH, "torch's")):
        assert deform(HEAD, HEAD, np.eye(4), route, Progress()) == expected


def test_torch_registers_with_one_thread_and_gives_the_others_back(monkeypatch):
    torch = pytest.importorskip("torch")
    from ASPECTSLib.registration import torch_deformable

    seen = []

    def register(*_arguments, progress):
        seen.append((torch.get_num_threads(), progress))
        raise RuntimeError(MESSAGE)

    monkeypatch.setattr(torch_deformable, "register_deformable", register)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError):
            deform(HEAD, HEAD, np.eye(4), TORCH, Progress())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [threads for threads, _ in seen] == [1]


MESSAGE = "stopped in the midst of it"


def test_torch_deforms_on_the_device_that_is_chosen(monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.registration import route, torch_deformable

    monkeypatch.setattr(
        torch_deformable, "register_deformable", lambda *given, **_: given[3].device
    )
    monkeypatch.setattr(route, "current_device", lambda: "cuda:1")
    assert deform(HEAD, HEAD, np.eye(4), TORCH, Progress()) == "cuda:1"
