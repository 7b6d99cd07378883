"""What a head CT is not to be scored with, or not where it lies: blood, and old infarcts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.delineation import Delineation
from ASPECTSLib.evidence import DensityEvidence, middle_slices
from ASPECTSLib.geometry import crop
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left
from ASPECTSLib.scoring.haemorrhage import Haemorrhage, find_haemorrhage
from ASPECTSLib.scoring.mirrored_brain import mirror_brain
from ASPECTSLib.scoring.old_infarct import find_old_infarct


@dataclass(frozen=True, eq=False)
class NoGo:
    """What was found.

    Parameters
    ----------
    haemorrhage
        Blood.
    old_infarct_ml
        Volume of old infarcts that reach into the regions.
    left_out
        bool, on the grid of the evidence: places that are not to be compared, as an old infarct darkens them or the
        other side.
    reflected
        `smoothed` of the evidence, mirrored on the midplane, on its grid: both are found by it.
    """

    haemorrhage: Haemorrhage
    old_infarct_ml: float
    left_out: NDArray[np.bool_]
    reflected: NDArray[np.float32]

    def mirrored(self) -> NoGo:
        """Return what is found in the mirror image of the head."""
        left_out, reflected = (
            np.ascontiguousarray(array[..., ::-1]) for array in (self.left_out, self.reflected)
        )
        return replace(self, left_out=left_out, reflected=reflected)


def look_for_no_go(found: Delineation, evidence: DensityEvidence) -> NoGo:
    """Look for blood and old infarcts, working on the mirror image where that is the agreed handedness.

    Parameters
    ----------
    found
        Head with its regions.
    evidence
        Gathered of that head.
    """
    averaged = found.prepared.volume
    if is_heavier_on_the_left(averaged):
        return _look(found.mirrored(), evidence.mirrored(averaged)).mirrored()
    return _look(found, evidence)


def _look(found: Delineation, evidence: DensityEvidence) -> NoGo:
    prepared, box = found.prepared, evidence.box
    brain = mirror_brain(
        crop(prepared.volume, box),
        evidence.smoothed,
        prepared.midplane.reflection,
        evidence.mask.array,
        middle_slices(found.labels.array, evidence.averaged_slices)[box],
    )
    old = find_old_infarct(brain)
    return NoGo(find_haemorrhage(brain), old.volume_ml, old.left_out, brain.reflected.array)
