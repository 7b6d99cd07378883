"""What the panel remembers, in the scene: choices of scans, method and display."""

from __future__ import annotations

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from ASPECTSLib.methods import METHOD_NAMES

AGE_UNKNOWN, MAX_AGE = -1, 130
KINDS = ("ncct", "cta", "dwi", "adc", "b0", "cbf", "cbv", "tmax")
"""Names of the scans, as the fields below and the options of the command line."""


@parameterNodeWrapper
class ASPECTSParameters:
    """Kept in a script node of the scene; widgets name the field that they show."""

    ncct: slicer.vtkMRMLScalarVolumeNode
    cta: slicer.vtkMRMLScalarVolumeNode
    dwi: slicer.vtkMRMLScalarVolumeNode
    adc: slicer.vtkMRMLScalarVolumeNode
    b0: slicer.vtkMRMLScalarVolumeNode
    cbf: slicer.vtkMRMLScalarVolumeNode
    cbv: slicer.vtkMRMLScalarVolumeNode
    tmax: slicer.vtkMRMLScalarVolumeNode
    method: Annotated[str, Choice(list(METHOD_NAMES))] = METHOD_NAMES[0]
    ageYears: Annotated[int, WithinRange(AGE_UNKNOWN, MAX_AGE)] = AGE_UNKNOWN
    heatmapOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.0
    showOutlines: bool = True
    showCompared: bool = False
    exportResult: bool = True
    exportTable: bool = True
    exportSegments: bool = True
    exportPicture: bool = True
