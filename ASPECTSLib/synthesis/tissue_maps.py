"""Tensors by tissue, on the full grid of an anatomy and on its coarse one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Box, bounding_box
from ASPECTSLib.synthesis.anatomy import COARSE_STEP

_INSIDE = {tissue: float(tissue in INTRACRANIAL) for tissue in Tissue}


def by_tissue(tissue: Tensor, values: Mapping[Tissue, float]) -> Tensor:
    """Return a value for each voxel by its tissue, float32.

    Parameters
    ----------
    tissue
        uint8 of `Tissue`, any shape.
    values
        Of every tissue.
    """
    row = torch.tensor([values[t] for t in Tissue], device=tissue.device)
    return row.index_select(0, tissue.flatten().int()).view(tissue.shape)


def brain_box(tissue: Tensor) -> Box:
    """Return a box around what lies inside the skull, in (k, j, i), from coarse voxel to coarse voxel."""
    inside = (by_tissue(tissue[::2, ::2, ::2], _INSIDE) > 0).cpu().numpy()
    spans = [
        # One more on each side, as only every second voxel was read.
        slice(
            max(2 * span.start - 1, 0) // COARSE_STEP * COARSE_STEP,
            min(-(-2 * span.stop // COARSE_STEP) * COARSE_STEP + 1, size),
        )
        for span, size in zip(bounding_box(inside), tissue.shape, strict=True)
    ]
    return spans[0], spans[1], spans[2]


def box_of(share: Tensor, margin: int = 0) -> Box | None:
    """Return the smallest box around what is above 0, in (k, j, i), or None if nothing is."""
    present = (share > 0).cpu().numpy()
    return bounding_box(present, (margin,) * 3) if present.any() else None


def coarse_by_tissue(tissue: Tensor, values: Mapping[Tissue, float]) -> Tensor:
    """Return the mean of the values by tissue around each point of the coarse grid.

    Every second voxel is read, which is enough for what is smooth.
    """
    return coarsened(by_tissue(tissue[::2, ::2, ::2], values), COARSE_STEP // 2)


def coarsened(values: Tensor, step: int = COARSE_STEP) -> Tensor:
    """Return the mean around every `step`-th voxel, the first included.

    Parameters
    ----------
    values
        Shape (k, j, i), each a multiple of the step plus 1.
    step
        Even.
    """
    pooled = functional.avg_pool3d(
        values[None, None], step + 1, step, step // 2, count_include_pad=False
    )
    return pooled[0, 0]


def coarse_brain(tissue: Tensor) -> Tensor:
    """Return where the coarse grid lies mostly inside the skull, bool."""
    return coarse_by_tissue(tissue, _INSIDE) > 0.5
