"""One synthetic patient's head before it is scanned: anatomy of a certain age, with all that is ill in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.synthesis.ageing import SULCAL_VARIATION, sulcal_widening_mm
from ASPECTSLib.synthesis.anatomy import Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import is_any
from ASPECTSLib.synthesis.tissue_maps import by_tissue


@dataclass(frozen=True, eq=False)
class Infarct:
    """An acute infarct on the grid of an anatomy.

    Parameters
    ----------
    core
        float32, 0 to 1: share of each voxel that is infarcted.
    penumbra
        float32, 0 to 1: share that is hypo-perfused, the core included.
    age_hours
        Since onset.
    side
        Side of the larger part.
    """

    core: Tensor
    penumbra: Tensor
    age_hours: float
    side: Side


@dataclass(frozen=True, eq=False)
class Distractors:
    """What looks like an acute infarct and is none; each float32, 0 to 1, on the grid of an anatomy.

    Parameters
    ----------
    old_infarct
        Tissue that turned to fluid.
    leukoaraiosis
        White-matter disease.
    calcification
        Of pallidum, pineal gland, choroid plexus, falx.
    haemorrhage
        Fresh blood.
    """

    old_infarct: Tensor
    leukoaraiosis: Tensor
    calcification: Tensor
    haemorrhage: Tensor


@dataclass(frozen=True, eq=False)
class Head:
    """A head on the 1 mm grid of its anatomy; all tensors have shape (k, j, i).

    Parameters
    ----------
    anatomy
        What it was made from.
    tissue
        uint8 of `Tissue`, sulci widened by age.
    regions
        uint8 label map, 0 to 20.
    age_years
        Of the patient.
    infarct
        None in the healthy.
    distractors
        All zero where there are none.
    """

    anatomy: Anatomy
    tissue: Tensor
    regions: Tensor
    age_years: float
    infarct: Infarct | None
    distractors: Distractors

    def is_any(self, *tissues: Tissue) -> Tensor:
        """Return where the tissue is one of several, bool."""
        return is_any(self.tissue, *tissues)

    def table(self, values: dict[Tissue, float]) -> Tensor:
        """Return a value for each voxel by its tissue, float32."""
        return by_tissue(self.tissue, values)

    @cached_property
    def brain(self) -> Tensor:
        """Everything inside the skull, fluid included, bool."""
        return self.is_any(*sorted(INTRACRANIAL))


def aged_tissue(anatomy: Anatomy, age_years: float, draw: Draw) -> Tensor:
    """Return the tissue of an anatomy with the sulci of an age.

    Parameters
    ----------
    anatomy
        A head whose own sulci are taken as those of 40 years.
    age_years
        Cortex next to fluid turns to fluid, evenly from 40 years on to `MAX_SULCAL_WIDENING_MM` at 90.
    draw
        Varies the widening from place to place.
    """
    tissue = torch.from_numpy(anatomy.tissue).to(draw.device)
    depth = torch.from_numpy(anatomy.cortex_depth_mm).to(draw.device)
    widening = sulcal_widening_mm(age_years) * (
        1.0 + SULCAL_VARIATION * draw.smooth(tissue.shape, 20.0)
    )
    lost = (tissue == Tissue.CORTEX) & (depth <= widening)
    return tissue.masked_fill(lost, int(Tissue.CSF))
