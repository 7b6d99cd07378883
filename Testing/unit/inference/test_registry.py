from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from model_phantoms import ARRAYS, card_fields, write_model

import ASPECTSLib
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.inference import registry
from ASPECTSLib.inference.registry import (
    MODELS_FOLDER,
    find_model,
    list_models,
    load_network,
    load_weights,
    model_folders,
    verify_model,
)
from ASPECTSLib.inference.weights import export_model, pack

ROOT = Path(ASPECTSLib.__file__).parents[1]
MAX_SHIPPED_BYTES = 10_000_000
MAX_ALL_SHIPPED_BYTES = 40_000_000


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def tiny_architecture(torch, monkeypatch):
    """Let networks be built by name from a network of the tests, and record with which options."""
    calls = []

    class TinyNetwork(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first = torch.nn.Linear(4, width)
            self.scale = torch.nn.Parameter(torch.rand(()))
            self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))
            self.register_buffer("grid", torch.arange(3.0), persistent=False)

    def build_network(architecture, options):
        calls.append((architecture, options))
        return TinyNetwork(**options)

    module = SimpleNamespace(build_network=build_network)
    monkeypatch.setitem(sys.modules, "ASPECTSLib.networks.build", module)
    return calls


def refusal(error, code, function, *arguments, words):
    with pytest.raises(error, match=words) as caught:
        function(*arguments)
    assert caught.value.code == code
    assert "\n" not in caught.value.message
    return caught.value.message


def names(models):
    return [model.name for model in models]


def test_a_model_is_found_by_name(tmp_path):
    write_model(tmp_path)
    model = find_model("tiny", [tmp_path])
    assert (model.name, model.folder) == ("tiny", tmp_path)
    verify_model(model)


@pytest.mark.parametrize("form", ["tiny.safetensors", "tiny.json", "tiny"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_is_found_by_path(tmp_path, form, kind):
    write_model(tmp_path / "site")
    assert find_model(kind(tmp_path / "site" / form), []).folder == tmp_path / "site"


def test_a_path_without_a_folder_is_a_path(tmp_path, monkeypatch):
    write_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    for given in ("tiny.safetensors", "./tiny", Path("tiny")):
        verify_model(find_model(given, []))
    refusal(ResourceError, ErrorCode.MODEL_NOT_FOUND, find_model, "tiny", [], words="named tiny")


def test_the_folder_of_a_training_run_shows_its_model_only(tmp_path):
    write_model(tmp_path)
    for name in ("run.json", "checkpoint.safetensors", "weights.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    assert names(list_models([tmp_path])) == ["tiny"]


def test_the_first_folder_wins(tmp_path):
    for folder in ("site", "shipped"):
        write_model(tmp_path / folder, version=folder)
    write_model(tmp_path / "shipped", "other")
    folders = [tmp_path / "site", tmp_path / "shipped"]
    assert find_model("tiny", folders).card.version == "site"
    assert [(m.name, m.card.version) for m in list_models(folders)] == [
        ("tiny", "site"),
        ("other", "1"),
    ]


def test_a_damaged_model_of_the_site_is_not_replaced_by_the_shipped_one(tmp_path):
    write_model(tmp_path / "site").write_bytes(b"damaged")
    write_model(tmp_path / "shipped")
    model = find_model("tiny", [tmp_path / "site", tmp_path / "shipped"])
    refusal(ResourceError, ErrorCode.MODEL_DAMAGED, verify_model, model, words="damaged")


def test_the_site_s_folders_come_before_the_one_that_ships(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    value = os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")])
    folders = model_folders({"ASPECTS_MODELS": value})
    assert folders == (tmp_path / "a", tmp_path / "b", MODELS_FOLDER)
    assert model_folders({}) == (MODELS_FOLDER,)


def test_a_folder_of_the_site_that_is_not_there_is_refused(tmp_path):
    """Else a site whose disk is away would be served by other weights than its own, and not know."""
    environment = {"ASPECTS_MODELS": str(tmp_path / "away")}
    words = "ASPECTS_MODELS, got away"
    refusal(UsageError, ErrorCode.MODEL_NOT_FOUND, model_folders, environment, words=words)


def test_the_environment_is_asked_when_no_folders_are_given(tmp_path, monkeypatch):
    write_model(tmp_path, "only-here")
    monkeypatch.setenv("ASPECTS_MODELS", str(tmp_path))
    assert find_model("only-here").folder == tmp_path
    assert "only-here" in names(list_models())


def test_a_name_never_leaves_the_folders(tmp_path):
    write_model(tmp_path, "secret")
    (tmp_path / "models").mkdir()
    for name in ("../secret", "..\\secret", "models/../../secret", "", ".", "..", "/", "a\0b"):
        arguments = (name, [tmp_path / "models"])
        refusal(
            ResourceError, ErrorCode.MODEL_NOT_FOUND, find_model, *arguments, words="found none"
        )


def test_listing_opens_no_weights(tmp_path):
    write_model(tmp_path).write_bytes(pickle.dumps("trap"))
    assert names(list_models([tmp_path])) == ["tiny"]


def test_other_files_in_a_folder_are_no_models(tmp_path):
    write_model(tmp_path)
    for name in ("README.md", "Notes.json", "tiny.txt", ".hidden.json"):
        (tmp_path / name).write_text("{}")
    assert names(list_models([tmp_path, tmp_path / "none"])) == ["tiny"]


def test_weights_without_a_card_are_refused(tmp_path):
    weights = write_model(tmp_path)
    weights.with_suffix(".json").unlink()
    code, words = ErrorCode.MODEL_NOT_FOUND, "the card tiny.json"
    for name in ("tiny", weights):
        refusal(ResourceError, code, find_model, name, [tmp_path], words=words)
    refusal(ResourceError, code, list_models, [tmp_path], words=words)


def test_a_card_without_weights_is_refused(tmp_path):
    weights = write_model(tmp_path)
    weights.unlink()
    for name in ("tiny", weights, weights.with_suffix(".json")):
        words = "the weights tiny.safetensors|weights or card"
        refusal(ResourceError, ErrorCode.MODEL_NOT_FOUND, find_model, name, [tmp_path], words=words)


def test_a_renamed_model_is_refused(tmp_path):
    weights = write_model(tmp_path)
    for suffix in (".safetensors", ".json"):
        weights.with_suffix(suffix).rename(tmp_path / f"renamed{suffix}")
    for function, argument in ((find_model, "renamed"), (find_model, tmp_path / "renamed")):
        arguments = (argument, [tmp_path])
        words = "card of renamed, got that of tiny"
        refusal(ResourceError, ErrorCode.MODEL_MISMATCH, function, *arguments, words=words)


@pytest.mark.usefixtures("torch")
def test_the_weights_of_another_model_are_refused(tmp_path):
    first = write_model(tmp_path, "first", pack({"a": np.zeros(2, np.float32)}))
    second = write_model(tmp_path, "second", pack({"a": np.ones(2, np.float32)}))
    shutil.copy(first, second)
    model = find_model("second", [tmp_path])
    for function in (verify_model, load_weights, load_network):
        refusal(ResourceError, ErrorCode.MODEL_DAMAGED, function, model, words="card of second")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".pkl", ".zip", ".npz"])
def test_weights_of_another_form_are_refused_by_name_and_path(tmp_path, suffix):
    (tmp_path / f"tiny{suffix}").write_bytes(b"anything")
    for given in ("tiny", tmp_path / "tiny", tmp_path / f"tiny{suffix}"):
        words = "never opened"
        refusal(ResourceError, ErrorCode.MODEL_UNSAFE, find_model, given, [tmp_path], words=words)


def test_a_file_with_a_suffix_of_its_own_is_refused_by_path(tmp_path):
    path = tmp_path / "tiny.weights"
    path.write_bytes(pack(ARRAYS))
    words = r"NAME\.safetensors"
    refusal(ResourceError, ErrorCode.MODEL_UNSAFE, find_model, path, [], words=words)


def test_a_pickle_that_bears_the_suffix_is_called_one_even_without_a_card(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(pickle.dumps([1, 2]))
    refusal(ResourceError, ErrorCode.MODEL_UNSAFE, find_model, path, [], words="a pickle")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"),
        (b"{not json", "Expecting"),
        (b"\xff\xfe{}", "UTF-8"),
        (b'{"schema_version": 1}', "expected the key name"),
        (b" " * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_damaged_card_is_refused_by_its_file_s_name(tmp_path, content, words):
    write_model(tmp_path).with_suffix(".json").write_bytes(content)
    words = f"tiny.json is damaged: .*{words}"
    for call in ((find_model, "tiny", [tmp_path]), (list_models, [tmp_path])):
        refusal(ResourceError, ErrorCode.MODEL_DAMAGED, *call, words=words)


def test_weights_are_loaded_as_they_are_stored(torch, tmp_path):
    write_model(tmp_path)
    weights = load_weights(find_model("tiny", [tmp_path]))
    assert weights.keys() == ARRAYS.keys()
    assert weights["first.weight"].dtype == torch.float16
    assert torch.equal(weights["steps"], torch.tensor([7]))


def test_a_network_is_loaded_in_full_precision_for_evaluation(torch, tmp_path, tiny_architecture):
    write_model(tmp_path)
    network = load_network(find_model("tiny", [tmp_path]), "cpu")
    assert set(map(str, tiny_architecture)) == {"('tiny', {'width': 3})"}
    assert not network.training
    assert network.first.weight.dtype == torch.float32
    for name, tensor in network.state_dict().items():
        assert np.array_equal(tensor.numpy(), ARRAYS[name])
    assert torch.equal(network.grid, torch.arange(3.0))


@pytest.mark.usefixtures("torch", "tiny_architecture")
def test_a_network_lies_on_the_device_that_is_chosen(tmp_path, monkeypatch):
    write_model(tmp_path)
    model = find_model("tiny", [tmp_path])
    monkeypatch.setattr(registry, "current_device", lambda: "meta")  # a device that every torch has
    on_meta = load_network(model)
    assert {parameter.device.type for parameter in on_meta.parameters()} == {"meta"}
    assert {p.device.type for p in load_network(model, "cpu").parameters()} == {"cpu"}
    assert load_network(model) is on_meta


@pytest.mark.usefixtures("tiny_architecture")
def test_loading_a_network_leaves_torch_s_random_numbers_alone(torch, tmp_path):
    write_model(tmp_path)
    model = find_model("tiny", [tmp_path])
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_network(model)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.usefixtures("tiny_architecture")
def test_weights_of_another_network_are_refused_with_the_first_differences(tmp_path):
    arrays = {f"second.{n}": np.zeros(2, np.float16) for n in range(4)}
    arrays["first.weight"] = np.zeros((4, 3), np.float16)
    write_model(tmp_path, data=pack(arrays))
    message = refusal(
        ResourceError,
        ErrorCode.MODEL_MISMATCH,
        load_network,
        find_model("tiny", [tmp_path]),
        words="tensors of tiny",
    )
    assert "first.bias is missing" in message
    assert message.endswith("and 5 more")


@pytest.mark.usefixtures("tiny_architecture")
def test_a_tensor_of_another_shape_is_refused_with_both_shapes(tmp_path):
    write_model(tmp_path, options={"width": 5})
    model = find_model("tiny", [tmp_path])
    words = r"first.weight is \[3, 4\] instead of \[5, 4\]"
    refusal(ResourceError, ErrorCode.MODEL_MISMATCH, load_network, model, words=words)


@pytest.mark.usefixtures("tiny_architecture")
@pytest.mark.parametrize("width", [10**12, 10**18])
def test_a_card_that_asks_for_more_than_the_machine_has_is_refused(tmp_path, width):
    write_model(tmp_path, options={"width": width})
    model = find_model("tiny", [tmp_path])
    refusal(ResourceError, ErrorCode.MODEL_MISMATCH, load_network, model, words="expected")


def test_networks_of_the_project_come_back_from_their_files(torch, tmp_path):
    from ASPECTSLib.networks.build import build_network

    torch.manual_seed(0)
    options = {"in_channels": 1, "out_channels": 2, "widths": (4, 8, 8), "blocks": (1, 1, 1)}
    network = build_network("vbnet", options).eval()
    fields = card_fields(architecture="vbnet", options=options)
    loaded = load_network(export_model(network.state_dict(), fields, tmp_path, half=False))
    image = torch.randn(1, 1, *loaded.divisor)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))


@pytest.mark.usefixtures("torch")
def test_an_unknown_architecture_is_refused(tmp_path):
    write_model(tmp_path, architecture="oracle")
    model = find_model("tiny", [tmp_path])
    refusal(UsageError, ErrorCode.MODEL_MISMATCH, load_network, model, words="oracle")


def test_without_torch_models_are_listed_and_verified_but_not_loaded(tmp_path, monkeypatch):
    write_model(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    (model,) = list_models([tmp_path])
    verify_model(find_model("tiny", [tmp_path]))
    for function in (load_weights, load_network):
        words = "expected PyTorch, which is not installed"
        refusal(ResourceError, ErrorCode.TORCH_MISSING, function, model, words=words)


def test_the_registry_starts_without_torch():
    program = "import sys, ASPECTSLib.inference.registry; print('torch' in sys.modules)"
    command = [sys.executable, "-c", program]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"


def test_the_models_that_ship_are_whole_and_small():
    sizes = []
    for model in list_models([MODELS_FOLDER]):
        verify_model(model)
        sizes.append(model.weights_path.stat().st_size)
    assert all(size <= MAX_SHIPPED_BYTES for size in sizes)
    assert sum(sizes) <= MAX_ALL_SHIPPED_BYTES
