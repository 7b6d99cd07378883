from __future__ import annotations

import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from model_phantoms import ARRAYS, card_fields, header_and_body

from ASPECTSLib.errors import ErrorCode, OutputError, ResourceError, UsageError
from ASPECTSLib.inference.card import ModelCard
from ASPECTSLib.inference.weights import (
    MAX_HEADER_BYTES,
    MAX_WEIGHTS_BYTES,
    export_model,
    pack,
    read_weights,
    refuse_unsafe,
    unpack,
)

PLACE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.fixture
def state():
    torch = pytest.importorskip("torch")
    weight = torch.linspace(-1.0, 1.0, 12).reshape(3, 4).T
    return {"weight": weight.requires_grad_(), "steps": torch.tensor(3)}


def files(folder):
    return {path.name for path in folder.iterdir()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def written(folder, data, name="tiny.safetensors"):
    path = folder / name
    path.write_bytes(data)
    return path


def code_of(error, function, *arguments, words=None):
    with pytest.raises(error, match=words) as caught:
        function(*arguments)
    assert "\n" not in caught.value.message
    return caught.value.code


def same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        assert np.array_equal(array, second[name])


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


def tarred(name):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def test_arrays_packed_and_unpacked_are_the_same():
    same(unpack(pack(ARRAYS)), ARRAYS)


def test_what_is_unpacked_can_be_changed():
    unpack(pack(ARRAYS))["first.bias"][0] = 3.0


def test_the_same_arrays_in_another_order_are_the_same_bytes():
    assert pack(dict(reversed(ARRAYS.items()))) == pack(ARRAYS)


def test_empty_networks_and_empty_tensors_come_back():
    same(unpack(pack({})), {})
    arrays = {"empty": np.zeros((0, 3), np.float32), "full": np.ones(2, np.float16)}
    same(unpack(pack(arrays)), arrays)


def test_arrays_laid_out_otherwise_in_memory_come_back():
    turned = {"turned": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    same(unpack(pack(turned)), turned)


def test_the_format_is_that_of_the_safetensors_library():
    library = pytest.importorskip("safetensors.numpy")
    same(library.load(pack(ARRAYS)), ARRAYS)
    same(unpack(library.save(ARRAYS)), ARRAYS)
    same(unpack(library.save(ARRAYS, metadata={"format": "pt"})), ARRAYS)


def test_every_flipped_byte_is_refused_as_damage(tmp_path):
    whole = pack(ARRAYS)
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        path = written(tmp_path, flipped)
        code = code_of(ResourceError, read_weights, path, sha256(whole), words="damaged")
        assert code == ErrorCode.MODEL_DAMAGED


def test_every_truncated_file_is_refused_as_damage(tmp_path):
    whole = pack(ARRAYS)
    for size in range(len(whole)):
        path = written(tmp_path, whole[:size])
        code = code_of(ResourceError, read_weights, path, sha256(whole), words="incomplete")
        assert code == ErrorCode.MODEL_DAMAGED


def test_nothing_is_parsed_before_the_hash_is_known(tmp_path, monkeypatch):
    parsed = []
    monkeypatch.setattr("ASPECTSLib.inference.weights.unpack", parsed.append)
    path = written(tmp_path, pack(ARRAYS))
    assert code_of(ResourceError, read_weights, path, "0" * 64) == ErrorCode.MODEL_DAMAGED
    assert parsed == []


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.safetensors"
    code = code_of(ResourceError, read_weights, path, "0" * 64, words="cannot be read")
    assert code == ErrorCode.MODEL_DAMAGED


@pytest.mark.parametrize(
    ("data", "words"),
    [
        *((pickle.dumps({"weight": 1.5}, p), "a pickle") for p in range(2, 6)),
        (pickle.dumps({"weight": 1.5}, 0), "a pickle in text form"),
        (b"cos\nsystem\n(S'id'\ntR.", "a pickle in text form"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a pickle"),  # torch.save until 1.5
        (zipped("archive/data.pkl"), "a zip archive"),
        (zipped("../escaped.txt"), "a zip archive"),
        (zipped(), "a zip archive"),
        (tarred("weights"), "a tar archive"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", "a gzip archive"),
    ],
)
@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.pt"])
def test_pickles_and_archives_are_refused_by_their_first_bytes(tmp_path, data, words, name):
    path = written(tmp_path, data, name)
    before = set(tmp_path.parent.rglob("*"))
    for function in (refuse_unsafe, lambda path: read_weights(path, sha256(data))):
        code = code_of(ResourceError, function, path, words=f"{words}.*never opened")
        assert code == ErrorCode.MODEL_UNSAFE
    assert set(tmp_path.parent.rglob("*")) == before


def test_what_torch_saves_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "tiny.safetensors")
    code = code_of(ResourceError, refuse_unsafe, tmp_path / "tiny.safetensors", words="torch.save")
    assert code == ErrorCode.MODEL_UNSAFE


@pytest.mark.parametrize("length", [0x0480, 0x4B50, 0x088B1F])
def test_a_header_as_long_as_a_pickle_or_archive_begins_is_no_pickle(tmp_path, length):
    """Of 1152 bytes, a header's length is written as a pickle of protocol 4 begins; of 19280, as a zip archive does."""
    header = json.dumps({"weight": PLACE}).encode().ljust(length)
    data = header_and_body(header, np.ones(2, np.float32).tobytes())
    path = written(tmp_path, data)
    assert read_weights(path, sha256(data))["weight"].tolist() == [1.0, 1.0]


def test_a_file_over_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "tiny.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_WEIGHTS_BYTES + 1)
    code = code_of(ResourceError, refuse_unsafe, path, words="at most 200 MB")
    assert code == ErrorCode.MODEL_UNSAFE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "a header, got none"),
        (b"\0" * 8, "a header, got none"),
        (header_and_body({}, length=1000), "a header within the file"),
        (header_and_body({}, length=2**63), "a header of at most"),
        (header_and_body(b" " * (MAX_HEADER_BYTES + 1)), "a header of at most"),
        (header_and_body(b"[]"), "a header in JSON"),
        (header_and_body(b"\xff{}"), "a header in JSON"),
        (header_and_body(b"[" * 100_000), "a header in JSON"),
        (header_and_body(b'{"a": 1, "a": 2}'), "a header in JSON"),
        (header_and_body({"a": 3}), "dtype, shape and data_offsets"),
        (header_and_body({"a": PLACE | {"x": 1}}, b"\0" * 8), "dtype, shape and data_offsets"),
        (header_and_body({"a": PLACE | {"shape": [-2]}}, b"\0" * 8), "whole numbers"),
        (header_and_body({"a": PLACE | {"shape": [True, 2]}}, b"\0" * 8), "whole numbers"),
        (header_and_body({"a": PLACE | {"shape": [1] * 99 + [2]}}, b"\0" * 8), "whole numbers"),
        (header_and_body({"a": PLACE | {"data_offsets": [0]}}, b"\0" * 8), "whole numbers"),
        (header_and_body({"a": PLACE | {"data_offsets": [8, 0]}}, b"\0" * 8), "without gap"),
        (header_and_body({"a": PLACE | {"data_offsets": [8, 16]}}, b"\0" * 16), "without gap"),
        (header_and_body({"a": PLACE | {"shape": [3]}}, b"\0" * 8), "without gap"),
        (header_and_body({"a": PLACE, "b": PLACE}, b"\0" * 8), "without gap"),
        (header_and_body({"a": PLACE}, b"\0" * 9), "8 of 9 bytes"),
        (header_and_body({"a": PLACE}, b"\0" * 7), "8 of 7 bytes"),
    ],
)
def test_a_file_that_is_whole_but_no_safetensors_is_refused(data, words):
    assert code_of(ResourceError, unpack, data, words=words) == ErrorCode.MODEL_UNSAFE


def test_numbers_of_another_kind_are_refused():
    data = header_and_body({"a": PLACE | {"dtype": "BF16", "shape": [4]}}, b"\0" * 8)
    code = code_of(ResourceError, unpack, data, words="F16, F32, I64, got 'BF16'")
    assert code == ErrorCode.MODEL_MISMATCH


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    data = pack({"a": np.array([1.0, value], np.float32)})
    assert code_of(ResourceError, unpack, data, words="finite") == ErrorCode.MODEL_DAMAGED


def test_a_network_is_written_as_weights_and_card(state, tmp_path):
    model = export_model(state, card_fields(), tmp_path / "models")
    assert files(tmp_path / "models") == {"tiny.json", "tiny.safetensors"}
    card = ModelCard.from_json(model.card_path.read_text("utf-8"))
    assert card == model.card
    arrays = read_weights(model.weights_path, card.sha256)
    assert arrays["weight"].dtype == np.float16
    assert np.abs(arrays["weight"] - state["weight"].detach().numpy()).max() < 1e-3
    assert arrays["steps"] == 3


def test_a_network_can_be_written_in_full_precision(state, tmp_path):
    model = export_model(state, card_fields(), tmp_path, half=False)
    arrays = read_weights(model.weights_path, model.card.sha256)
    assert np.array_equal(arrays["weight"], state["weight"].detach().numpy())


def test_the_same_network_gives_the_same_files(state, tmp_path):
    first, second = (export_model(state, card_fields(), tmp_path / name) for name in "ab")
    assert first.weights_path.read_bytes() == second.weights_path.read_bytes()
    assert first.card_path.read_bytes() == second.card_path.read_bytes()


def test_tuples_in_the_fields_are_written_as_lists(state, tmp_path):
    fields = card_fields(options={"widths": (8, 16)})
    assert export_model(state, fields, tmp_path).card.options == {"widths": [8, 16]}


@pytest.mark.parametrize("value", [70_000.0, float("nan"), float("inf")])
def test_what_sixteen_bits_cannot_hold_is_refused(state, tmp_path, value):
    state["weight"].data[0, 0] = value
    code = code_of(
        OutputError, export_model, state, card_fields(), tmp_path / "models", words="65504"
    )
    assert code == ErrorCode.MODEL_DAMAGED
    assert files(tmp_path) == set()


@pytest.mark.parametrize("changes", [{"name": "../tiny"}, {"limits": ""}, {"input": {1, 2}}])
def test_fields_that_make_no_card_write_nothing(state, tmp_path, changes):
    fields = card_fields(**changes)
    code = code_of(ResourceError, export_model, state, fields, tmp_path / "models")
    assert code == ErrorCode.MODEL_DAMAGED
    assert files(tmp_path) == set()


def test_what_could_not_be_read_again_is_not_written(state, tmp_path, monkeypatch):
    monkeypatch.setattr("ASPECTSLib.inference.weights.MAX_WEIGHTS_BYTES", 100)
    code = code_of(OutputError, export_model, state, card_fields(), tmp_path / "models")
    assert code == ErrorCode.MODEL_UNSAFE
    assert files(tmp_path) == set()


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.json"])
def test_a_model_that_is_there_is_left_alone(state, tmp_path, name):
    (tmp_path / name).write_text("kept")
    code = code_of(UsageError, export_model, state, card_fields(), tmp_path, words=name)
    assert code == ErrorCode.OUTPUT_EXISTS
    assert files(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "kept"


def test_a_failure_between_the_files_leaves_none(state, tmp_path, monkeypatch):
    rename = Path.rename

    def fail_at_the_card(path, target):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_at_the_card)
    code = code_of(OutputError, export_model, state, card_fields(), tmp_path, words="No space left")
    assert code == ErrorCode.OUTPUT_NOT_WRITABLE
    assert files(tmp_path) == set()


def test_a_folder_that_cannot_be_made_is_refused(state, tmp_path):
    (tmp_path / "models").write_text("a file")
    code = code_of(OutputError, export_model, state, card_fields(), tmp_path / "models")
    assert code == ErrorCode.OUTPUT_NOT_WRITABLE
