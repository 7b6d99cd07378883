"""A head CT whose two levels look like the published slices made in code, at known places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from published_phantoms import BRAIN_MM, write_published
from region_phantoms import box_regions

from ASPECTSLib.atlas.atlas_import import import_published
from ASPECTSLib.atlas.rules import RegionRule, orbitomeatal_axes
from ASPECTSLib.atlas.slice_atlas import SliceAtlas
from ASPECTSLib.atlases.slice_mapping import RoughHead
from ASPECTSLib.geometry import Volume

SPACING_MM = (2.0, 2.0, 5.0)
_HU = {0: 30, 1: 40, 2: 40, 3: 26}  # other regions have that of cortex
_CORTEX_HU = 36


def slice_atlas(folder: Path) -> SliceAtlas:
    """Return the published form of the phantom, imported."""
    return import_published(write_published(folder))


def rough_head(*, older: int = 2, shift_mm: float = 0.0) -> RoughHead:
    """Return a head with its brain and its regions, in the image frame.

    Parameters
    ----------
    older
        Age group, 0 to 3, whose ventricles it has.
    shift_mm
        To the right.
    """
    labels = box_regions((shift_mm, 0.0, 0.0), SPACING_MM)
    _, j, i = np.indices(labels.array.shape)
    x = labels.affine[0, 3] + labels.affine[0, 0] * i - shift_mm
    y = labels.affine[1, 3] + labels.affine[1, 1] * j
    brain = (x / BRAIN_MM[0]) ** 2 + (y / BRAIN_MM[1]) ** 2 < 1
    code = (labels.array.astype(int) - 1) % 10 + 1
    hu = np.where(labels.array > 0, np.vectorize(lambda c: _HU.get(c, _CORTEX_HU))(code), 30)
    hu[(np.abs(x) / (4 + 2 * older)) ** 2 + ((y - 4) / 20) ** 2 < 1] = 8
    inside = labels.with_array(np.where(brain, labels.array, 0))
    # A spot on the right makes the two sides differ, so that the agreed handedness is never a tie.
    hu[(x > 20) & (y < -60)] += 2
    return RoughHead(
        labels.with_array(np.where(brain, hu, 0).astype(np.float32)),
        labels.with_array(brain),
        inside,
    )


def levelled_regions() -> Volume:
    """Return the regions of the phantom as those of an atlas, whose grid runs along the orbitomeatal line."""
    labels = box_regions(spacing_mm=SPACING_MM)
    axes = np.eye(4)
    axes[:3, :3] = orbitomeatal_axes(RegionRule().orbitomeatal_pitch_deg)
    return Volume(labels.array, axes @ labels.affine)
