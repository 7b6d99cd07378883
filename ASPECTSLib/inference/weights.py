"""Weight files: safetensors that are known by their SHA-256 before any of them is parsed.

The format is eight bytes with the length of a header, the header, which is JSON, and the tensors, which fill the rest
without gap or overlap; see https://huggingface.co/docs/safetensors. It is read and written here, in numpy, as Slicer
installs torch and nothing else, and as checks of one's own are needed anyway.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, OutputError, ResourceError, UsageError
from ASPECTSLib.inference.card import (
    CARD_SUFFIX,
    SCHEMA_VERSION,
    WEIGHTS_SUFFIX,
    ModelCard,
    ModelFile,
    strict_json,
)

if TYPE_CHECKING:
    import torch

Arrays = Mapping[str, NDArray[Any]]
"""Tensors of a network by name."""

MAX_WEIGHTS_BYTES = 200_000_000  # twenty times what ships; a network for heads needs no more
MAX_HEADER_BYTES = 1_000_000  # some 10 000 tensors
_LENGTH_BYTES = 8
_ALIGNMENT_BYTES = 8  # of the tensors in the file, as the format's own library writes it
_MAX_DIMENSIONS = 8
_METADATA = "__metadata__"
_DTYPES = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}

# First bytes of files that can run code or write elsewhere when opened. A safetensors file may begin with b"PK" or
# b"\x80\x04" too, by the length of its header; but as that is at most 1 MB, its third byte is at most 0x0f, zeros
# follow up to the eighth, and the ninth is b"{".
_HEAD_BYTES = 262
_SIGNATURES = {
    "a zip archive, as torch.save writes it": re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)"),
    "a pickle": re.compile(rb"\x80[\x00-\x05][\x28-\xff]"),
    "a pickle in text form": re.compile(rb"\([dl]p\d+\n|\(?[ci][\w.]+\n[\w.]+\n"),
    "a gzip archive": re.compile(rb"\x1f\x8b\x08.{5}[^{]", re.DOTALL),
    "a tar archive": re.compile(rb".{8}[^{].{248}ustar", re.DOTALL),
}


@dataclass(frozen=True)
class _Entry:
    """Where a tensor lies in the bytes behind the header."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def refuse_unsafe(path: Path) -> None:
    """Refuse a weight file by its size and its first bytes, whatever its suffix is; nothing is parsed.

    Raises
    ------
    ResourceError
        MODEL_UNSAFE if it is too large, or a pickle or an archive; MODEL_DAMAGED if it cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    if size > MAX_WEIGHTS_BYTES:
        message = f"expected weights of at most {MAX_WEIGHTS_BYTES // 10**6} MB, got {path.name} of {size / 1e6:.1f} MB"
        raise ResourceError(ErrorCode.MODEL_UNSAFE, message)
    for kind, signature in _SIGNATURES.items():
        if signature.match(head):
            message = (
                f"expected {path.name} to be a safetensors file, got {kind}, which is never opened"
            )
            raise ResourceError(ErrorCode.MODEL_UNSAFE, message)


def read_weights(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    """Read a weight file whose SHA-256 is known.

    The bytes that are hashed are those that are parsed: the file cannot be exchanged in between.

    Parameters
    ----------
    path
        The file.
    sha256
        Of the whole file, in hexadecimal digits.

    Returns
    -------
    dict
        Arrays by name, as they are stored: float16, float32 or int64.

    Raises
    ------
    ResourceError
        MODEL_UNSAFE if it is too large, or no safetensors file; MODEL_DAMAGED if it cannot be read, has another
        SHA-256, or holds numbers that are not finite; MODEL_MISMATCH if its numbers are of another kind.
    """
    refuse_unsafe(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_WEIGHTS_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        message = (
            f"expected the weights that the card of {path.stem} describes, got others: {path.name} is damaged, "
            "incomplete or of another version; copy it again"
        )
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message)
    return unpack(data)


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Read the bytes of a safetensors file.

    Raises
    ------
    ResourceError
        As `read_weights`.
    """
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    _require(len(data) > _LENGTH_BYTES, "a header", "none")
    _require(length <= MAX_HEADER_BYTES, f"a header of at most {MAX_HEADER_BYTES} bytes", length)
    start = _LENGTH_BYTES + length
    _require(start <= len(data), f"a header within the file of {len(data)} bytes", start)
    entries = _entries(_header(data[_LENGTH_BYTES:start]))
    _check_tiling(entries, len(data) - start)
    arrays = {
        e.name: np.ndarray(e.shape, e.dtype, buffer=data, offset=start + e.begin).copy()
        for e in entries
    }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            message = f"expected finite weights, got others in {name!a}"
            raise ResourceError(ErrorCode.MODEL_DAMAGED, message)
    return arrays


def pack(arrays: Arrays) -> bytes:
    """Return arrays of float16, float32 or int64 as the bytes of a safetensors file; same arrays, same bytes."""
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    kind = {dtype: kind for kind, dtype in _DTYPES.items()}
    header, end = {}, 0
    for name in names:
        array, begin = arrays[name], end
        end += array.nbytes
        offsets = [begin, end]
        header[name] = {
            "dtype": kind[array.dtype],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT_BYTES)
    body = (np.ascontiguousarray(arrays[name]).tobytes() for name in names)
    return b"".join((len(text).to_bytes(_LENGTH_BYTES, "little"), text, *body))


def export_model(
    network_state: Mapping[str, torch.Tensor],
    card_fields: Mapping[str, Any],
    folder: Path,
    *,
    half: bool = True,
) -> ModelFile:
    """Write a trained network as a model: its weights and its card, both or none.

    Parameters
    ----------
    network_state
        `state_dict()` of the network, on any device.
    card_fields
        The card's JSON object without `schema_version` and `sha256`, which are filled in.
    folder
        Made where it is not there.
    half
        Store numbers in 16 bits, which halves the file; else in 32.

    Raises
    ------
    ResourceError
        MODEL_DAMAGED if the fields make no card.
    UsageError
        OUTPUT_EXISTS if the folder has a model of that name.
    OutputError
        MODEL_DAMAGED if a weight is not finite or beyond the range of 16 bits, MODEL_UNSAFE if the file would be
        larger than is ever read, OUTPUT_NOT_WRITABLE if the folder cannot be written.
    """
    data = pack({name: _stored(name, tensor, half) for name, tensor in network_state.items()})
    if len(data) > MAX_WEIGHTS_BYTES:
        message = f"expected weights of at most {MAX_WEIGHTS_BYTES // 10**6} MB, got {len(data) / 1e6:.1f} MB"
        raise OutputError(ErrorCode.MODEL_UNSAFE, message)
    sha256 = hashlib.sha256(data).hexdigest()
    card = _card(card_fields, sha256)
    # The weights first: without a card they are no model, should the machine stop in between.
    files = {
        f"{card.name}{WEIGHTS_SUFFIX}": data,
        f"{card.name}{CARD_SUFFIX}": card.to_json().encode("utf-8"),
    }
    try:
        _write_all(files, folder)
    except OSError as error:
        message = (
            f"the model {card.name} cannot be written: {error.strerror or type(error).__name__}"
        )
        raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
    return ModelFile(card, folder)


def _unreadable(path: Path, error: OSError) -> ResourceError:
    message = (
        f"the weight file {path.name} cannot be read: {error.strerror or type(error).__name__}"
    )
    return ResourceError(ErrorCode.MODEL_DAMAGED, message)


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = strict_json(text.decode("utf-8"))
    except ValueError:
        header = None
    _require(isinstance(header, dict), "a header in JSON", "another")
    return {name: entry for name, entry in header.items() if name != _METADATA}


def _entries(header: Mapping[str, Any]) -> list[_Entry]:
    """Return the entries in the order in which they lie in the file."""
    entries = [_entry(name, value) for name, value in header.items()]
    return sorted(entries, key=lambda entry: (entry.begin, entry.end))


def _entry(name: str, value: Any) -> _Entry:
    complete = isinstance(value, dict) and value.keys() == {"dtype", "shape", "data_offsets"}
    _require(complete, "dtype, shape and data_offsets of each tensor", ascii(value)[:60])
    shape, offsets, dtype = value["shape"], value["data_offsets"], str(value["dtype"])
    whole = _are_counts(shape) and _are_counts(offsets) and len(offsets) == 2
    _require(whole and len(shape) <= _MAX_DIMENSIONS, "whole numbers as shape", ascii(value)[:60])
    if dtype not in _DTYPES:
        message = f"expected weights stored as {', '.join(_DTYPES)}, got {ascii(dtype)[:60]}"
        raise ResourceError(ErrorCode.MODEL_MISMATCH, message)
    return _Entry(name, _DTYPES[dtype], tuple(shape), *offsets)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and n >= 0 for n in values)


def _check_tiling(entries: list[_Entry], size: int) -> None:
    expected, end = "tensors that fill the file without gap or overlap", 0
    for entry in entries:
        begins = entry.begin == end
        fits = entry.end - entry.begin == math.prod(entry.shape) * entry.dtype.itemsize
        _require(begins and fits, expected, f"{ascii(entry.name)[:60]} at {entry.begin}")
        end = entry.end
    _require(end == size, expected, f"{end} of {size} bytes")


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        message = f"expected a safetensors file with {expected}, got {got}"
        raise ResourceError(ErrorCode.MODEL_UNSAFE, message)


def _stored(name: str, tensor: torch.Tensor, half: bool) -> NDArray[Any]:
    if not tensor.is_floating_point():
        return tensor.detach().cpu().long().numpy()
    array = tensor.detach().cpu().float().numpy()
    with np.errstate(over="ignore"):
        array = array.astype(np.float16 if half else np.float32)
    if not np.isfinite(array).all():
        limit = f" of at most {np.finfo(array.dtype).max:.0f}" if half else ""
        message = f"expected finite weights{limit}, got others in {name}"
        raise OutputError(ErrorCode.MODEL_DAMAGED, message)
    return array


def _card(card_fields: Mapping[str, Any], sha256: str) -> ModelCard:
    content = {**card_fields, "schema_version": SCHEMA_VERSION, "sha256": sha256}
    try:
        text = json.dumps(content)
    except (TypeError, ValueError) as error:
        message = f"expected card fields that JSON can hold, got others: {error}"
        raise ResourceError(ErrorCode.MODEL_DAMAGED, message) from error
    return ModelCard.from_json(text)


def _write_all(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files under other names, then give them theirs; on any failure none is left."""
    folder.mkdir(parents=True, exist_ok=True)
    published: list[Path] = []
    with tempfile.TemporaryDirectory(prefix=".aspects-", dir=folder) as staging:
        for name, data in files.items():
            (Path(staging) / name).write_bytes(data)
        try:
            for name in files:
                if (folder / name).exists():
                    message = f"the folder {folder.name} has a file {name}; nothing is overwritten"
                    raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
                published.append((Path(staging) / name).rename(folder / name))
        except BaseException:
            for path in published:
                path.unlink()
            raise
