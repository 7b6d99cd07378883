"""The key slices of the regions, checked by a network that finds them in the image, where one is installed.

The localiser of Sun et al. 2024, doi:10.1038/s41597-024-03973-y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.key_slice_warnings import key_slice_warnings
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.scoring.key_slices import find_key_slices
from ASPECTSLib.systems.models import optional_model

SLICE_FINDER_MODEL = "slice-finder"


@dataclass(frozen=True)
class KeySliceCheck:
    """What came of the check: warnings, and the network that was asked; nothing of both where there is none."""

    warnings: tuple[WarningInfo, ...] = ()
    models: tuple[ModelFile, ...] = ()


def check_key_slices(
    volume: Volume, labels: NDArray[np.uint8], progress: Progress
) -> KeySliceCheck:
    """Compare the ganglionic slice of the regions with that of a network.

    Parameters
    ----------
    volume
        Head CT in HU, in the image frame.
    labels
        Region label map on its grid.
    progress
        Told of the stage, where there is a network.

    Raises
    ------
    ResourceError
        If the network is there, and damaged.
    """
    model = optional_model(SLICE_FINDER_MODEL)
    if model is None:
        return KeySliceCheck()
    progress.stage("key slices by network", 0.78)
    from ASPECTSLib.inference.registry import load_network
    from ASPECTSLib.inference.slice_finder import compare_key_slices, find_ganglionic

    spacing_mm = float(volume.spacing_mm[2])
    found = find_ganglionic(load_network(model), volume)
    apart_mm = compare_key_slices(found, find_key_slices(labels, spacing_mm), spacing_mm)
    return KeySliceCheck(key_slice_warnings(apart_mm), (model,))
