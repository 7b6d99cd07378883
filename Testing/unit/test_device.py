"""The device on which networks and registration compute."""

import sys

import pytest

from ASPECTSLib.device import AUTO, CPU, computing_on, current_device, find_device
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError


def test_the_cpu_needs_no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert find_device(CPU) == CPU
    assert find_device(AUTO) == CPU


def test_without_torch_there_is_no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="one that is here: cpu") as caught:
        find_device("cuda")
    assert caught.value.code is ErrorCode.DEVICE_NOT_FOUND


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "cpu:1", "cuda:first", ""])
def test_a_device_that_is_not_here_is_refused(name):
    pytest.importorskip("torch")
    for function in (find_device, lambda named: computing_on(named).__enter__()):
        with pytest.raises(UsageError, match="device: expected auto or one that is here: cpu"):
            function(name)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    torch = pytest.importorskip("torch")
    for count in (0, 2):
        monkeypatch.setattr(torch.cuda, "is_available", lambda count=count: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        assert find_device(AUTO) == ("cuda" if count else CPU)
    assert find_device("cuda:1") == "cuda:1"


def test_a_device_is_chosen_for_a_block_and_the_cpu_elsewhere(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("allow_tf32", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    assert current_device() == CPU
    with computing_on("cuda:1"):
        assert current_device() == "cuda:1"
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32
        with computing_on(CPU):
            assert current_device() == CPU
        assert current_device() == "cuda:1"
    assert current_device() == CPU


def test_a_full_gpu_is_told_with_its_code():
    torch = pytest.importorskip("torch")
    with (
        pytest.raises(ResourceError, match="use --device cpu") as caught,
        computing_on(CPU),
    ):
        raise torch.OutOfMemoryError
    assert caught.value.code is ErrorCode.GPU_MEMORY
    assert current_device() == CPU


def test_other_errors_pass():
    with pytest.raises(RuntimeError), computing_on(CPU):
        raise RuntimeError
