"""Real scans with reference regions and brains, as the public data sets lay them out; for measuring only.

Two people with acute stroke (NCCT; the regions are a published network's) and two with diffusion-weighted images. The
order of the four deep labels differs between the two NCCT: it is read from the anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, RegionCode
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.diffusion import read_diffusion
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.diffusion import prepare_diffusion

CT_CASES = ("sub001", "sub002")
DWI_CASES = {
    "isles22-0009": "sub-strokecase0009_ses-0001_dwi.nii.gz",
    "ads-subject01": "Subject01_DWI.nii.gz",
}
_INFARCTS = {
    "isles22-0009": {
        "dwi": DWI_CASES["isles22-0009"],
        "adc": "sub-strokecase0009_ses-0001_adc.nii.gz",
        "infarct": "sub-strokecase0009_ses-0001_msk.nii.gz",
    },
    "ads-subject01": {
        "dwi": DWI_CASES["ads-subject01"],
        "b0": "Subject01_b0.nii.gz",
        "infarct": "Subject01_DAGMNet_CH3_Lesion_Predict.nii.gz",
    },
}
_MASKS = {"ads-subject01": "Subject01_Mask.nii.gz"}  # the other one comes without skull


@dataclass(frozen=True, eq=False)
class ReferenceScan:
    """A real scan in the image frame with what is taken for true of it.

    Parameters
    ----------
    name
        Of the case.
    modality
        Of the scan.
    volume
        HU for CT.
    brain
        bool, on the same grid.
    regions
        uint8 label map in this project's order; None where there is none.
    """

    name: str
    modality: Modality
    volume: Volume
    brain: Volume
    regions: Volume | None


def reference_ct(data: Path) -> list[ReferenceScan]:
    """Load the two head CT, aligned to be symmetric.

    Parameters
    ----------
    data
        Folder that holds `ncct/ct-aspects`.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if it does not.
    """
    folder = _folder(data, "ncct/ct-aspects")
    return [_ct(folder / name) for name in CT_CASES]


def reference_dwi(data: Path) -> list[ReferenceScan]:
    """Load the two diffusion-weighted images.

    Parameters
    ----------
    data
        Folder that holds `dwi`.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if it does not.
    """
    folder = _folder(data, "dwi")
    scans = []
    for name, file in DWI_CASES.items():
        volume = _canonical(folder / name / file)
        mask = _canonical(folder / name / _MASKS[name]).array > 0 if name in _MASKS else None
        brain = volume.with_array(volume.array != 0 if mask is None else mask)
        scans.append(ReferenceScan(name, Modality.DWI, volume, brain, None))
    return scans


@dataclass(frozen=True, eq=False)
class ReferenceInfarct:
    """A real diffusion-weighted scan in the image frame with what is taken for its infarct.

    Parameters
    ----------
    name
        Of the case.
    volume, adc
        Signal, and 1e-6 mm2/s, on one grid.
    infarct
        bool, (k, j, i): drawn by experts in the first case, by a published network in the second.
    """

    name: str
    volume: Volume
    adc: Volume
    infarct: NDArray[np.bool_]


def reference_infarcts(data: Path) -> list[ReferenceInfarct]:
    """Load the two diffusion-weighted scans with ADC and infarct.

    Parameters
    ----------
    data
        Folder that holds `dwi`.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if it does not.
    """
    folder = _folder(data, "dwi")
    return [_infarct(folder / name, name) for name in _INFARCTS]


def _infarct(folder: Path, name: str) -> ReferenceInfarct:
    files = _INFARCTS[name]
    paths = {kind: folder / file for kind, file in files.items()}
    scan = read_diffusion(paths["dwi"], paths.get("adc"), paths.get("b0"))
    diffusion = prepare_diffusion(scan)
    canonical = canonicalize(diffusion.dwi)
    adc = canonical.volume.with_array(canonical.reorder(diffusion.adc.array))
    infarct = _canonical(paths["infarct"]).array > 0
    return ReferenceInfarct(name, canonical.volume, adc, infarct)


def in_project_order(regions: Volume) -> NDArray[np.uint8]:
    """Rename the deep labels: I is the most lateral, L the next, and C lies in front of IC.

    Parameters
    ----------
    regions
        Label map 0 to 20 in the image frame, M1 to M6 in their places, the deep four in any order.
    """
    order = _deep_order(regions)
    table = np.arange(2 * REGIONS_PER_SIDE + 1, dtype=np.uint8)
    for theirs, code in order.items():
        ours = list(RegionCode).index(code) + 1
        table[theirs], table[theirs + REGIONS_PER_SIDE] = ours, ours + REGIONS_PER_SIDE
    return table[regions.array.astype(np.uint8)]


def _ct(folder: Path) -> ReferenceScan:
    volume = _canonical(folder / "im_aligned.nii.gz")
    stripped = _canonical(folder / "im_aligned_stripped.nii.gz")
    regions = _canonical(folder / "im_aligned_stripped_seg.nii.gz")
    return ReferenceScan(
        folder.name,
        Modality.NCCT,
        volume,
        stripped.with_array(stripped.array > 0),
        regions.with_array(in_project_order(regions)),
    )


def _canonical(path: Path) -> Volume:
    return canonicalize(read_image(path)).volume


def _folder(data: Path, part: str) -> Path:
    if not (data / part).is_dir():
        message = f"expected a folder {part} in the data folder {data.name}, found none"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    return data / part


def _deep_order(volume: Volume) -> dict[int, RegionCode]:
    labels = range(1, 2 * REGIONS_PER_SIDE + 1)
    centres = {label: np.argwhere(volume.array == label).mean(axis=0) for label in labels}
    width = {n: abs(centres[n][2] - centres[n + REGIONS_PER_SIDE][2]) for n in range(1, 5)}
    medial = sorted(width, key=lambda label: width[label])
    front, back = sorted(medial[:2], key=lambda label: -centres[label][1])
    return {
        front: RegionCode.C,
        back: RegionCode.IC,
        medial[2]: RegionCode.L,
        medial[3]: RegionCode.I,
    }
