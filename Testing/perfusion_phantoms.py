"""Maps of blood flow of the atlas as they would look, with a core that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.inference.pose import contrast_of
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan

SHAPE, SPACING_MM = (46, 76, 62), (3.0, 3.0, 3.5)
M2_LEFT, CORE_SHARE, NOISE = 16, 0.1, 1.0


def flow_and_core() -> tuple[Volume, NDArray[np.bool_]]:
    """Return a map in mL/100 g/min, of which the left M2 has a tenth of its flow, and where that is."""
    atlas = load_atlas()
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-92.0, -130.0, -62.0)
    grid = Volume(np.zeros(SHAPE, np.uint8), affine)
    flow = resample(atlas.render(contrast_of(Modality.CBF)), grid).array
    inside = resample(atlas.brain_probability(), grid).array > 0.5
    core = (resample(atlas.regions, grid, order=0).array == M2_LEFT) & inside
    noise = np.random.default_rng(0).normal(0.0, NOISE, SHAPE)
    flow = np.where(inside, np.maximum(flow * np.where(core, CORE_SHARE, 1.0) + noise, 0.5), 0.0)
    return grid.with_array(flow.astype(np.float32)), core


def perfusion_scan(flow: Volume, **companions: Volume) -> Scan:
    """Return a study as `read_perfusion` gives it; companions by the names of their kinds, in lower case."""
    kinds = {Modality(name.upper()): volume for name, volume in companions.items()}
    return Scan(flow, ("cbf.nii.gz",), Modality.CBF, companions=kinds)
