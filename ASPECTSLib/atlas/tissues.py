"""Tissue classes of the atlas and their contrast in each modality."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Tissue(IntEnum):
    """Tissue classes, in the order of the atlas's probability maps."""

    AIR = 0
    CSF = 1
    VENTRICLE = 2
    CORTEX = 3
    WHITE_MATTER = 4
    CAUDATE = 5
    PUTAMEN = 6
    PALLIDUM = 7
    THALAMUS = 8
    CEREBELLAR_CORTEX = 9
    CEREBELLAR_WHITE_MATTER = 10
    BRAINSTEM = 11
    BONE = 12
    SOFT_TISSUE = 13


INTRACRANIAL: frozenset[Tissue] = frozenset(Tissue) - {Tissue.AIR, Tissue.BONE, Tissue.SOFT_TISSUE}
"""Classes inside the skull: what a brain mask keeps, CSF included."""

FLUID: frozenset[Tissue] = frozenset({Tissue.CSF, Tissue.VENTRICLE})

# Densities of the normal adult head at 120 kV: grey matter 37 to 41 HU, white matter 20 to 30 HU,
# CSF 0 to 15 HU (Hounsfield, Br J Radiol 1973;46:1016-22; Lev and Gonzalez, "CT Angiography and CT
# Perfusion Imaging", 2002). White matter is set so that grey minus white is 8 HU, the difference in
# thick-slice scans with partial volume.
NCCT_CONTRAST_HU: Mapping[Tissue, float] = MappingProxyType(
    {
        Tissue.AIR: -1000.0,
        Tissue.CSF: 8.0,
        Tissue.VENTRICLE: 8.0,
        Tissue.CORTEX: 37.0,
        Tissue.WHITE_MATTER: 29.0,
        Tissue.CAUDATE: 38.0,
        Tissue.PUTAMEN: 38.0,
        Tissue.PALLIDUM: 38.0,
        Tissue.THALAMUS: 37.0,
        Tissue.CEREBELLAR_CORTEX: 37.0,
        Tissue.CEREBELLAR_WHITE_MATTER: 30.0,
        Tissue.BRAINSTEM: 30.0,
        Tissue.BONE: 1000.0,
        Tissue.SOFT_TISSUE: 30.0,
    }
)
