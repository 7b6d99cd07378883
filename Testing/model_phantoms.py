"""Models made in code, whole and damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib.inference.weights import pack

ARRAYS = {
    "first.weight": np.arange(12, dtype=np.float16).reshape(3, 4) / 8,
    "first.bias": np.array([0.5, -1.0, 2.0], np.float16),
    "steps": np.array([7], np.int64),
    "scale": np.array(1.25, np.float32),
}
"""Tensors of `TinyNetwork` in the tests of the registry."""

METRIC = {
    "benchmark": "phantoms",
    "metric": "dice",
    "value": 0.9,
    "interval": [0.85, 0.95],
    "n": 20,
    "data": "spheres",
    "synthetic": True,
}


def card_fields(name: str = "tiny", **changes: Any) -> dict[str, Any]:
    """Return the fields of a card, but for schema version and SHA-256."""
    fields = {
        "name": name,
        "version": "1",
        "task": "brain",
        "architecture": "tiny",
        "options": {"width": 3},
        "input": {"spacing_mm": [2.0, 2.0, 2.0], "channels": 1},
        "training": {
            "data": [{"name": "spheres", "licence": "CC0-1.0", "doi": "10.1000/spheres"}],
            "recipe": {"name": "quick", "steps": 10},
            "seed": 3,
            "device": "cpu",
        },
        "metrics": [METRIC],
        "intended_use": "research only: tests",
        "limits": "knows nothing but spheres",
    }
    return fields | changes


def card_content(data: bytes, name: str = "tiny", **changes: Any) -> dict[str, Any]:
    """Return the card of a weight file."""
    sha256 = hashlib.sha256(data).hexdigest()
    return {"schema_version": 1, **card_fields(name), "sha256": sha256} | changes


def write_model(
    folder: Path, name: str = "tiny", data: bytes | None = None, **changes: Any
) -> Path:
    """Write weights and card as they are given, and return the path of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    data = pack(ARRAYS) if data is None else data
    weights = folder / f"{name}.safetensors"
    weights.write_bytes(data)
    card = json.dumps(card_content(data, name, **changes))
    (folder / f"{name}.json").write_text(card, encoding="utf-8")
    return weights


def header_and_body(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    """Return a weight file with a header of one's own, and a length that may be a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body
