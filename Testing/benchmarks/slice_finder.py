"""How near the slice finder comes to the ganglionic slice, on synthetic patients and beside the regions of real CT.

Synthetic patients of the anatomies that no recipe trains on, with seeds of their own: there the regions are true. On
real scans the network is compared with the regions that the program maps, which is what it warns by.

    python Testing/benchmarks/slice_finder.py DATA MODEL [PATIENTS]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.inference.slice_finder import compare_key_slices, find_ganglionic
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.key_slices import KeySlices
from ASPECTSLib.training.slice_benchmarks import slice_cases

REAL_CT = (
    "ncct/ct-aspects/sub001/im.nii.gz",
    "ncct/ct-aspects/sub002/im.nii.gz",
    "dicom/ct-normal",
    "dicom/ct-gantry-tilt",
    "dicom/ct-and-dwi/CT",
)


@dataclass(frozen=True)
class Compared:
    """One scan: how far the network is off, and how far apart its slices are."""

    apart_mm: float
    slice_mm: float
    probability: float


def main(data: Path, model: str, patients: int) -> None:
    """Print both tables."""
    network = load_network(find_model(model))
    cases = slice_cases(data, patients, Progress())
    synthetic = [_compared(network, volume, true) for volume, true in cases]
    _summarise("synthetic", synthetic)
    real = []
    for name in REAL_CT:
        if (data / name).exists():
            real.append(compare_real(network, data / name))
            print(f"{name}: {real[-1]}")
    _summarise("real", real)


def compare_real(network: nn.Module, path: Path) -> Compared:
    """Compare with the regions that the program maps."""
    scan = read_scan(path)
    canonical = canonicalize(to_hounsfield(scan.volume)[0])
    info = score_study(scan, ScoreOptions()).result.key_slices
    # Turning a slice back is turning it there.
    mapped = KeySlices(
        canonical.restore_slice(info.ganglionic), canonical.restore_slice(info.supraganglionic)
    )
    return _compared(network, canonical.volume, mapped)


def _compared(network: nn.Module, volume: Volume, key_slices: KeySlices) -> Compared:
    found = find_ganglionic(network, volume)
    slice_mm = float(volume.spacing_mm[2])
    apart_mm = compare_key_slices(found, key_slices, slice_mm)
    return Compared(apart_mm, round(slice_mm, 2), round(float(found.probability.max()), 3))


def _summarise(kind: str, all_compared: list[Compared]) -> None:
    if not all_compared:
        return
    apart = np.array([one.apart_mm for one in all_compared])
    slices = np.round(apart / [one.slice_mm for one in all_compared])
    print(
        f"{kind}, {len(apart)}: same slice {(slices == 0).mean():.0%}, at most one off {(slices <= 1).mean():.0%}; "
        f"mean {apart.mean():.1f} mm, 95 % within {np.percentile(apart, 95):.1f} mm, worst {apart.max():.1f} mm"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 60)
