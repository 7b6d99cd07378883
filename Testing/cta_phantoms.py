"""A CT angiography of the synthetic patient: its head CT with bright vessels in the depth of the brain."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.geometry import Volume, shrink
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.synthesis.patient import SyntheticPatient

VESSEL_HU = 280.0
_VESSELS = 80
_LENGTH = 3  # voxels from foot to head


def with_vessels(scan: Volume, mask: Volume, *, count: int = _VESSELS, seed: int = 0) -> Volume:
    """Return a scan with short vessels at random places of its brain, pairwise mirrored in the grid."""
    rng = np.random.default_rng(seed)
    inside = np.argwhere(mask.array[:-_LENGTH])
    array = scan.array.astype(np.float32).copy()
    last = array.shape[2] - 1
    for k, j, i in rng.choice(inside, count, replace=False):
        for column in (i, last - i):
            array[k : k + _LENGTH, j : j + 2, column] = VESSEL_HU
    return scan.with_array(array)


def small_angiography(patient: SyntheticPatient) -> Volume:
    """Return a coarse CT angiography of the patient: 128 x 128 x 32 voxels."""
    coarse = shrink(patient.scan, (2, 2, 1))
    return with_vessels(coarse, brain_mask(coarse))
