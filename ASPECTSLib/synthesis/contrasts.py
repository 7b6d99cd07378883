"""What each tissue looks like in DWI, CT angiography and perfusion maps: all numbers, with their sources.

Those of non-contrast CT are in `ASPECTSLib.atlas.tissues`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ASPECTSLib.atlas.tissues import Tissue

Curve = tuple[tuple[float, float], ...]
"""Points (time, value), in the order of time: hours since onset, or the phase of contrast."""

# --- Diffusion -----------------------------------------------------------------------------------

B_VALUE_S_PER_MM2 = 1000.0
"""Diffusion weighting of stroke protocols."""

# Adult brain: grey and white matter differ little (0.7 to 0.9 x 1e-3 mm2/s), fluid diffuses almost freely (Schaefer,
# Grant and Gonzalez, Radiology 2000;217:331-45). Measured on a public case: 800 in healthy tissue. Bone and fat give
# hardly any signal at either b-value: their ADC only keeps them dark.
ADC: Mapping[Tissue, float] = MappingProxyType(
    {
        Tissue.AIR: 1000.0,
        Tissue.CSF: 2900.0,
        Tissue.VENTRICLE: 3000.0,
        Tissue.CORTEX: 820.0,
        Tissue.WHITE_MATTER: 750.0,
        Tissue.CAUDATE: 770.0,
        Tissue.PUTAMEN: 750.0,
        Tissue.PALLIDUM: 770.0,
        Tissue.THALAMUS: 770.0,
        Tissue.CEREBELLAR_CORTEX: 780.0,
        Tissue.CEREBELLAR_WHITE_MATTER: 710.0,
        Tissue.BRAINSTEM: 740.0,
        Tissue.BONE: 800.0,
        Tissue.SOFT_TISSUE: 1200.0,
    }
)
"""Apparent diffusion coefficient, 1e-6 mm2/s."""

# Relative to white matter. Echo-planar scans with an echo time of 80 to 100 ms: fluid measured at 3.6 to 3.8 times the
# brain in two public cases; sulci less, as vessels and membranes run in them; the pallidum is dark from iron.
B0_SIGNAL: Mapping[Tissue, float] = MappingProxyType(
    {
        Tissue.AIR: 0.0,
        Tissue.CSF: 2.6,
        Tissue.VENTRICLE: 3.6,
        Tissue.CORTEX: 1.32,
        Tissue.WHITE_MATTER: 1.0,
        Tissue.CAUDATE: 1.18,
        Tissue.PUTAMEN: 1.08,
        Tissue.PALLIDUM: 0.74,
        Tissue.THALAMUS: 1.08,
        Tissue.CEREBELLAR_CORTEX: 1.28,
        Tissue.CEREBELLAR_WHITE_MATTER: 1.0,
        Tissue.BRAINSTEM: 1.03,
        Tissue.BONE: 0.04,
        Tissue.SOFT_TISSUE: 0.16,
    }
)
"""Signal without diffusion weighting (T2), white matter 1; fat is suppressed."""

# ADC falls within the first hours to two thirds, stays low for days, is normal again after a week to ten days and
# rises above it (Schlaug et al., Neurology 1997;49:113-9; Lansberg et al., AJNR 2001;22:637-44).
INFARCT_ADC_RATIO: Curve = (
    (0.0, 1.0),
    (0.5, 0.84),
    (1.0, 0.77),
    (3.0, 0.70),
    (12.0, 0.67),
    (72.0, 0.68),
    (120.0, 0.80),
    (200.0, 1.0),
    (360.0, 1.25),
)
"""ADC of infarcted tissue relative to its own before; measured on a public case: 590/800 = 0.74."""

# T2 is normal in the first hours (DWI shows what FLAIR does not), visible from about 4.5 to 6 h on (Thomalla et al.,
# Lancet Neurol 2011;10:978-86), and makes up half of the contrast after days: "T2 shine-through".
INFARCT_T2_RATIO: Curve = (
    (0.0, 1.0),
    (3.0, 1.02),
    (6.0, 1.10),
    (12.0, 1.16),
    (24.0, 1.22),
    (72.0, 1.35),
    (168.0, 1.45),
    (360.0, 1.60),
)
"""Signal at b = 0 of infarcted tissue relative to its own before."""

INFARCT_DWI_RATIO_RANGE = (1.3, 1.8)
"""Infarct over the same normal tissue at b = 1000, typically, 6 h to 3 days: 454/287 = 1.58 on a public case."""

LEUKOARAIOSIS_T2_RATIO = 1.45
"""Signal at b = 0 of wholly diseased white matter over normal; round number, from reading FLAIR and T2."""

LEUKOARAIOSIS_ADC_RATIO = 1.35
"""Diseased white matter diffuses more (Jones et al., Stroke 1999;30:393-7): about as bright as normal at b = 1000."""

HAEMORRHAGE_B0_RATIO = 0.25
"""Signal of fresh blood (deoxyhaemoglobin), which echo-planar scans show dark; round number, from textbooks."""

HAEMORRHAGE_RIM_T2_RATIO = 1.5
"""Signal of the serum and oedema around it; round number, from textbooks."""

CALCIFICATION_B0_RATIO = 0.4
"""Signal of calcium, which echo-planar scans show dark; round number, from textbooks."""

# --- Susceptibility ------------------------------------------------------------------------------

SUSCEPTIBILITY_PPM: Mapping[Tissue, float] = MappingProxyType(
    {tissue: 0.0 if tissue is Tissue.AIR else -9.4 for tissue in Tissue} | {Tissue.BONE: -10.5}
)
"""Of volume, relative to air: water and tissue -9.05, air 0.36 (Schenck, Med Phys 1996, doi:10.1118/1.597854)."""

# --- Perfusion -----------------------------------------------------------------------------------

# Positron emission tomography of healthy adults: grey 55, white 22 (Leenders et al., Brain 1990;113:27-47,
# doi:10.1093/brain/113.1.27); perfusion CT agrees to within a fifth. Cortex is set
# higher, as it is thinner than the maps resolve: blurred with the fluid beside it, it measures about 45.
CBF: Mapping[Tissue, float] = MappingProxyType(
    {
        Tissue.AIR: 0.0,
        Tissue.CSF: 6.0,
        Tissue.VENTRICLE: 2.0,
        Tissue.CORTEX: 85.0,
        Tissue.WHITE_MATTER: 24.0,
        Tissue.CAUDATE: 58.0,
        Tissue.PUTAMEN: 62.0,
        Tissue.PALLIDUM: 44.0,
        Tissue.THALAMUS: 60.0,
        Tissue.CEREBELLAR_CORTEX: 62.0,
        Tissue.CEREBELLAR_WHITE_MATTER: 30.0,
        Tissue.BRAINSTEM: 36.0,
        Tissue.BONE: 0.0,
        Tissue.SOFT_TISSUE: 0.0,
    }
)
"""Cerebral blood flow, mL/100 g/min, at `CBF_AGE_YEARS`."""

CBF_AGE_YEARS = 45.0

CBF_LOSS_PER_YEAR = 0.005
"""Share of blood flow lost each year (Leenders et al. 1990)."""

CORE_CBF_SHARE = (0.06, 0.22)
"""Of the other side's flow: the core is called where it is below 30 % (Campbell et al., Stroke 2011;42:3435-40)."""

PENUMBRA_CBF_SHARE = (0.40, 0.70)
"""Of the other side's flow; round numbers, from textbooks."""

LEUKOARAIOSIS_CBF_SHARE = 0.65
"""Of normal white matter's flow; round number, from textbooks."""

VESSEL_CBF = 300.0
"""What maps show in large vessels, mL/100 g/min: far above any tissue; round number."""

# --- CT angiography ------------------------------------------------------------------------------

# Early arterial, peak and venous phase: arteries enhance first, veins 6 to 8 s later. An intracranial artery should be
# above 250 HU and reaches 450 HU; round numbers, from protocols.
ARTERY_HU: Curve = ((0.0, 300.0), (0.35, 400.0), (0.7, 300.0), (1.0, 200.0))
"""Density of arterial blood by phase: 0 early arterial, 1 venous."""

VEIN_HU: Curve = ((0.0, 60.0), (0.35, 150.0), (0.7, 270.0), (1.0, 230.0))
"""Density of venous blood by phase."""

GREY_ENHANCEMENT_HU = (6.0, 10.0)
"""Of grey matter at its peak: 4 to 5 % of its volume is blood, half of that with contrast agent; round numbers."""

WHITE_ENHANCEMENT_HU = (3.0, 4.0)
"""Of white matter, with half the blood; round numbers."""

PARENCHYMA_PHASE: Curve = ((0.0, 0.55), (0.35, 0.9), (0.7, 1.0), (1.0, 0.85))
"""Share of the enhancement of tissue by phase."""

CORE_ENHANCEMENT_SHARE = 0.15
"""Of normal enhancement that reaches the core: its low blood volume is what source images show; round number."""

PENUMBRA_ENHANCEMENT_SHARE: Curve = ((0.0, 0.45), (0.35, 0.65), (1.0, 0.95))
"""Of normal enhancement that reaches the penumbra by phase: collaterals fill late; round numbers."""

SOFT_TISSUE_ENHANCEMENT_HU = 8.0
"""Of scalp and muscle; round number."""


def value_at(curve: Curve, time: float) -> float:
    """Return the value of a curve at a time, straight between its points."""
    times, values = zip(*curve, strict=True)
    return float(np.interp(time, times, values))
