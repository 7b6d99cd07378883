"""Build the ASPECTS atlas from public anatomies; run it to reproduce the files beside it.

    python Resources/Atlas/build_atlas.py ANATOMIES TISSUE_MAP [-o FOLDER] [--iterations 3] [--workers 2]

ANATOMIES holds whole-head label maps in FreeSurfer numbering (the 20 of SynthSeg, Apache-2.0).
TISSUE_MAP is the tissue map of the MNI152 brain (0 outside, 1 CSF, 2 grey, 3 white matter) and
gives the first target, so that the atlas lies in MNI152 space. In each iteration every anatomy is
registered to the target (affine, then symmetric forces demons), the tissue labels are averaged to
probabilities, the probabilities are averaged with their mirror image, and the next target is
rendered from them. Then the rule of `ASPECTSLib.atlas.rules` draws the regions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.atlas.alignment import align, registration_intensities
from ASPECTSLib.atlas.atlas import CARD_FILE, REGIONS_FILE, TISSUES_FILE
from ASPECTSLib.atlas.freesurfer import read_tissues
from ASPECTSLib.atlas.rules import RegionRule, draw_regions, region_grid
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.images import to_sitk

NAME, VERSION = "aspects-mni152", "1"
SIZE_IJK = (181, 218, 182)  # 1 mm, symmetric about x = 0
ORIGIN_RAS = (-90.0, -126.0, -72.0)
STORED_STEP = 2  # tissue maps are stored at 2 mm, regions at 1 mm

MNI_INTENSITY = np.array([0, 40, 120, 200], np.float32)


def main() -> None:
    """Build the atlas and write tissue maps, regions and card."""
    arguments = _parse_arguments()
    paths = sorted(arguments.anatomies.glob("*.nii.gz"))
    target = _first_target(arguments.tissue_map)
    for _ in range(arguments.iterations):
        probabilities = _average_tissues(paths, target, arguments.workers)
        target = np.tensordot(registration_intensities(), probabilities, 1)
    _write(arguments.output, probabilities, [path.name for path in paths], arguments.iterations)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the ASPECTS atlas.")
    parser.add_argument("anatomies", type=Path)
    parser.add_argument("tissue_map", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _grid() -> sitk.Image:
    """Return the empty 1 mm grid; SimpleITK speaks LPS, arrays run right, anterior, superior."""
    grid = sitk.Image(*SIZE_IJK, sitk.sitkFloat32)
    grid.SetOrigin((-ORIGIN_RAS[0], -ORIGIN_RAS[1], ORIGIN_RAS[2]))
    grid.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return grid


def _on_grid(array: NDArray[np.float32]) -> sitk.Image:
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.CopyInformation(_grid())
    return image


def _first_target(tissue_map: Path) -> NDArray[np.float32]:
    image = sitk.ReadImage(str(tissue_map))
    image = sitk.Resample(image, _grid(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    target = MNI_INTENSITY[np.rint(sitk.GetArrayFromImage(image)).astype(int)]
    return (target + target[..., ::-1]) / 2


def _average_tissues(
    paths: list[Path], target: NDArray[np.float32], workers: int
) -> NDArray[np.float32]:
    total = np.zeros((len(Tissue), *target.shape), np.float32)
    with ProcessPoolExecutor(workers) as executor:
        for tissue in executor.map(partial(_register, target=target), paths):
            for index in Tissue:
                total[index] += tissue == index
    total /= len(paths)
    return (total + total[..., ::-1]) / 2


def _register(path: Path, target: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the tissue labels of an anatomy on the atlas grid."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    tissue = to_sitk(read_tissues(path))
    moving = sitk.GetImageFromArray(registration_intensities()[sitk.GetArrayFromImage(tissue)])
    moving.CopyInformation(tissue)
    transform = align(_on_grid(target), moving)
    warped = sitk.Resample(tissue, _grid(), transform, sitk.sitkNearestNeighbor, 0)
    return sitk.GetArrayFromImage(warped)


def _draw_regions(
    probabilities: NDArray[np.float32], affine: NDArray[np.float64], rule: RegionRule
) -> Volume:
    grid = region_grid(rule)
    resampled = np.stack([resample(Volume(p, affine), grid).array for p in probabilities])
    return grid.with_array(draw_regions(resampled, grid.affine, rule))


def _write(
    folder: Path, probabilities: NDArray[np.float32], sources: list[str], iterations: int
) -> None:
    affine = np.eye(4)
    affine[:3, 3] = ORIGIN_RAS
    rule = RegionRule()
    regions = to_sitk(_draw_regions(probabilities, affine, rule))
    maps = [sitk.SmoothingRecursiveGaussian(_on_grid(p), STORED_STEP / 2.5) for p in probabilities]
    # Every second voxel from the first: x = 0 stays on the grid, and with it the symmetry.
    stored = [m[::STORED_STEP, ::STORED_STEP, ::STORED_STEP] for m in maps]
    tissues = sitk.JoinSeries(
        [
            sitk.Cast(sitk.Clamp(m * 255 + 0.5, sitk.sitkFloat32, 0, 255), sitk.sitkUInt8)
            for m in stored
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in ((TISSUES_FILE, tissues), (REGIONS_FILE, regions)):
        sitk.WriteImage(image, str(folder / name), useCompression=True, compressionLevel=9)
    card = {
        "name": NAME,
        "version": VERSION,
        "space": "MNI152 NLin6, RAS mm, mirror-symmetric about x = 0",
        "tissues": [tissue.name for tissue in Tissue],
        "anatomies": sources,
        "sources": {
            "SynthSeg training label maps": "Apache-2.0, doi:10.1016/j.media.2023.102789",
            "MNI152 tissue map": "ICBM, free use with notice, doi:10.1016/j.neuroimage.2010.07.033",
        },
        "iterations": iterations,
        "rule": asdict(rule),
        "sha256": {
            n: hashlib.sha256((folder / n).read_bytes()).hexdigest()
            for n in (TISSUES_FILE, REGIONS_FILE)
        },
        "intended_use": "research only: a common space for ASPECTS regions of adults",
        "limits": "twenty anatomies of adults; no age groups; regions follow a rule, no reader drew them",
    }
    (folder / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
