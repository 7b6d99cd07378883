"""What looks like an acute infarct and is none: old infarcts, white-matter disease, calcification and blood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.synthesis.anatomy import Anatomy
from ASPECTSLib.synthesis.chronic import draw_lacunes, draw_leukoaraiosis, draw_old_infarcts
from ASPECTSLib.synthesis.dense import (
    draw_choroid_plexus,
    draw_falx,
    draw_haemorrhage,
    draw_pallidum,
    draw_pineal,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import AgedBrain, Patch
from ASPECTSLib.synthesis.head import Distractors

RATE_AGES_YEARS = (40.0, 90.0)
"""Ages of the two chances of a rate; in between they change evenly, beyond they stay."""


@dataclass(frozen=True)
class DistractorRates:
    """Chance of each finding at 40 and at 90 years.

    Parameters
    ----------
    old_infarct
        Of cortex and white matter. Round numbers for patients with stroke.
    lacunes
        Silent infarcts, most of them lacunes, were found in 8 to 28 % of eight populations of 59 to 75 years on
        average, rising with age (Vermeer 2007, doi:10.1016/S1474-4422(07)70170-9).
    leukoaraiosis
        On MRI 95 % have white-matter lesions at 60 to 90 years (de Leeuw 2001, doi:10.1136/jnnp.70.1.9), of whom CT
        shows the severe; how severe they are grows with age, too.
    pineal
        75.1 % above 20 years, 81.5 % at 70 to 79 (Kwak 1988, doi:10.11477/mf.1406206122).
    choroid_plexus
        66.2 % of 1569 adults (Daghighi 2007, PMID 17594669).
    falx
        7.3 % with tentorium and sagittal sinus (Daghighi 2007), 26.8 % (Ghorbanlou 2022, doi:10.5115/acb.21.137).
    pallidum
        0.8 % (Daghighi 2007), 0.9 % (Ghorbanlou 2022), more in the old; raised to be met often enough.
    haemorrhage
        Round numbers: such scans are out of scope, and are to be recognised.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a chance is not between 0 and 1.
    """

    old_infarct: tuple[float, float] = (0.03, 0.15)
    lacunes: tuple[float, float] = (0.03, 0.35)
    leukoaraiosis: tuple[float, float] = (0.15, 0.95)
    pineal: tuple[float, float] = (0.72, 0.82)
    choroid_plexus: tuple[float, float] = (0.55, 0.75)
    falx: tuple[float, float] = (0.05, 0.25)
    pallidum: tuple[float, float] = (0.01, 0.06)
    haemorrhage: tuple[float, float] = (0.01, 0.02)

    def __post_init__(self) -> None:
        for field in fields(self):
            if not all(0.0 <= chance <= 1.0 for chance in getattr(self, field.name)):
                message = (
                    f"expected chances of 0 to 1, got {getattr(self, field.name)} for {field.name}"
                )
                raise UsageError(ErrorCode.RECIPE_INVALID, message)

    def chance(self, finding: str, age_years: float) -> float:
        """Return the chance of a finding, by the name of its rate, at an age."""
        return float(np.interp(age_years, RATE_AGES_YEARS, getattr(self, finding)))


NO_DISTRACTORS = DistractorRates(**{field.name: (0.0, 0.0) for field in fields(DistractorRates)})


def draw_distractors(
    tissue: Tensor, anatomy: Anatomy, age_years: float, draw: Draw, rates: DistractorRates
) -> Distractors:
    """Draw what a patient has besides an acute infarct.

    Parameters
    ----------
    tissue
        uint8 of `Tissue`, shape (k, j, i): the anatomy's with the sulci of the patient's age.
    anatomy
        The head.
    age_years
        Of the patient.
    draw
        Source of all randomness.
    rates
        How often each finding is drawn.
    """
    brain = AgedBrain(anatomy, tissue, age_years)
    layers = {
        field.name: torch.zeros(tissue.shape, device=draw.device) for field in fields(Distractors)
    }
    for finding, (layer, drawn_by) in _FINDINGS.items():
        part = draw.part(finding)
        if part.chance(rates.chance(finding, age_years)):
            for patch in drawn_by(brain, part):
                patch.add_to(layers[layer])
    return Distractors(**layers)


_FINDINGS: Mapping[str, tuple[str, Callable[[AgedBrain, Draw], Iterable[Patch]]]] = (
    MappingProxyType(
        {
            "old_infarct": ("old_infarct", draw_old_infarcts),
            "lacunes": ("old_infarct", draw_lacunes),
            "leukoaraiosis": ("leukoaraiosis", draw_leukoaraiosis),
            "pineal": ("calcification", draw_pineal),
            "choroid_plexus": ("calcification", draw_choroid_plexus),
            "falx": ("calcification", draw_falx),
            "pallidum": ("calcification", draw_pallidum),
            "haemorrhage": ("haemorrhage", draw_haemorrhage),
        }
    )
)
"""Layer and source of each finding, by the name of its rate."""
