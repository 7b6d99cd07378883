"""Whole-head label maps in FreeSurfer numbering, as tissue classes of this project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import CanonicalVolume, Volume, canonicalize
from ASPECTSLib.io.images import read_image

FREESURFER_LABELS: Mapping[Tissue, tuple[int, ...]] = MappingProxyType(
    {
        Tissue.CSF: (24, 514),
        Tissue.VENTRICLE: (4, 5, 14, 15, 43, 44, 72),
        Tissue.CORTEX: (3, 42, 17, 53, 18, 54, 26, 58),
        Tissue.WHITE_MATTER: (2, 41, 28, 60, 85),
        Tissue.CAUDATE: (11, 50),
        Tissue.PUTAMEN: (12, 51),
        Tissue.PALLIDUM: (13, 52),
        Tissue.THALAMUS: (10, 49),
        Tissue.CEREBELLAR_CORTEX: (8, 47),
        Tissue.CEREBELLAR_WHITE_MATTER: (7, 46),
        Tissue.BRAINSTEM: (16,),
        Tissue.BONE: (515, 516),
    }
)
"""Labels of each class, in the numbering of FreeSurferColorLUT.txt and, from 500 on, of SynthSeg's training maps."""

FIRST_EXTRACEREBRAL_LABEL = 500

_MAX_UNKNOWN_SHARE = 0.05  # of the head: vessels, choroid plexus and lesions take about 1 %


def read_tissues(path: Path) -> Volume:
    """Read a whole-head label map as tissue classes.

    Parameters
    ----------
    path
        Label map in FreeSurfer numbering, in any order of axes.

    Returns
    -------
    Volume
        uint8 of `Tissue`, its axes running right, anterior and superior, in the file's world (RAS mm).

    Raises
    ------
    ContentRefusedError
        WRONG_MODALITY if it is no such label map.
    """
    volume = read_in_world(path)
    labels = np.rint(volume.array).astype(np.int64)
    if (labels != volume.array).any():
        message = f"expected whole numbers as labels in {path.name}, got fractions"
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
    return volume.with_array(tissues_of(labels))


def read_in_world(path: Path) -> Volume:
    """Read an image with its axes reordered to right, anterior, superior, where it lies in the file's world."""
    canonical = canonicalize(read_image(path))
    return Volume(canonical.volume.array, canonical_affine(canonical))


def canonical_affine(canonical: CanonicalVolume) -> NDArray[np.float64]:
    """Return the affine from the reordered indices (i, j, k) to the world of the volume as it was given."""
    source = canonical.source_affine
    affine = np.eye(4)
    shape_of_axis = canonical.volume.array.shape
    start = source[:3, 3].copy()
    for axis in range(3):  # canonical array axis (k, j, i)
        column = source[:3, 2 - canonical.axis_of[axis]]
        flip = canonical.flipped[axis]
        affine[:3, 2 - axis] = -column if flip else column
        start += column * (shape_of_axis[axis] - 1) if flip else 0.0
    affine[:3, 3] = start
    return affine


def tissues_of(labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the tissue class of each FreeSurfer label.

    Parameters
    ----------
    labels
        Integers, 0 outside of the head.

    Raises
    ------
    ContentRefusedError
        WRONG_MODALITY if white matter, cortex, lateral ventricle or putamen of a side is missing, or too much of the
        head has labels that are not known.
    """
    _check_labels(labels)
    table = np.zeros(labels.max() + 1, np.uint8)
    table[FIRST_EXTRACEREBRAL_LABEL:] = Tissue.SOFT_TISSUE
    for tissue, members in FREESURFER_LABELS.items():
        table[[label for label in members if label < len(table)]] = tissue
    tissue = table[labels]
    # Small labels without a class of their own (vessels, choroid plexus, lesions) take their neighbour's.
    unknown = (labels > 0) & (labels < FIRST_EXTRACEREBRAL_LABEL) & (tissue == Tissue.AIR)
    _check_known(unknown, labels)
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return tissue[tuple(nearest)]


def _check_labels(labels: NDArray[np.int64]) -> None:
    present = np.unique(labels)
    wanted = (2, 41, 3, 42, 4, 43, 12, 51)
    missing = [label for label in wanted if label not in present]
    if missing or present[0] < 0:
        message = (
            "expected a whole-head label map in FreeSurfer numbering, "
            f"but labels {', '.join(map(str, missing)) or 'below 0'} are {'missing' if missing else 'present'}"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)


def _check_known(unknown: NDArray[np.bool_], labels: NDArray[np.int64]) -> None:
    share = np.count_nonzero(unknown) / np.count_nonzero(labels)
    if share > _MAX_UNKNOWN_SHARE:
        message = (
            "expected a whole-head label map in FreeSurfer numbering, "
            f"but {100 * share:.0f} % of its voxels have labels that are none of it"
        )
        raise ContentRefusedError(ErrorCode.WRONG_MODALITY, message)
