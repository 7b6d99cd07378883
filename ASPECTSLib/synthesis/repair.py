"""Specks of public label maps put right: air and soft tissue where CT shows neither."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.head import Head

_NEAR_BRAIN = 3  # voxels: what is no fluid there is dura, sinus, nerve or vessel, never fat
_SPECK = 1  # voxels, half of the width of an air bubble in bone that is none


@dataclass(frozen=True, eq=False)
class RepairedHead:
    """A head without specks.

    Parameters
    ----------
    head
        Its tissue within the skull is brain or fluid.
    dural
        bool, of the shape of the brain's box: soft tissue next to the brain, which is fluid in the head.
    """

    head: Head
    dural: Tensor


def repaired(head: Head, box: Box) -> RepairedHead:
    """Return a head whose air bubbles in bone are bone, and in the brain fluid, and whose soft tissue lies outside.

    Parameters
    ----------
    head
        As its label map has it.
    box
        Around the brain.
    """
    tissue = head.tissue.clone()
    bone = tissue == int(Tissue.BONE)
    filled = eroded(grown(bone, _SPECK), _SPECK)
    tissue.masked_fill_(filled & (tissue == int(Tissue.AIR)), int(Tissue.BONE))
    part = tissue[box]
    brain = (part >= min(INTRACRANIAL)) & (part <= max(INTRACRANIAL))
    near = grown(brain, _NEAR_BRAIN)
    dural = near & (part == int(Tissue.SOFT_TISSUE))
    bubbles = eroded(near, _NEAR_BRAIN) & (part == int(Tissue.AIR))
    part.masked_fill_(dural | bubbles, int(Tissue.CSF))
    return RepairedHead(replace(head, tissue=tissue), dural)


def grown(mask: Tensor, steps: int) -> Tensor:
    """Return a mask of shape (k, j, i) grown by some steps along the axes."""
    for _ in range(steps):
        outer = mask.clone()
        for axis, size in enumerate(mask.shape):
            outer.narrow(axis, 1, size - 1).logical_or_(mask.narrow(axis, 0, size - 1))
            outer.narrow(axis, 0, size - 1).logical_or_(mask.narrow(axis, 1, size - 1))
        mask = outer
    return mask


def eroded(mask: Tensor, steps: int) -> Tensor:
    """Return a mask of shape (k, j, i) without what lies within some steps, along the axes, of its border.

    The ends of the grid are no border.
    """
    return ~grown(~mask, steps)
