"""The synthetic demo patient as sample data of Slicer, made on the spot: nothing is fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.synthesis.patient import make_patient
from ASPECTSSlicer.grids import fillVolume

SAMPLE_NAME = "ASPECTSSyntheticPatient"
_INFARCT = (RegionCode.I, RegionCode.L, RegionCode.M2)
_SEED = 1


def registerSample(iconPath: Path) -> None:
    """Offer the patient in the Sample Data module."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ASPECTS",
        sampleName=SAMPLE_NAME,
        uris=[],
        fileNames=[],
        thumbnailFileName=str(iconPath),
        customDownloader=lambda _source: loadSample(slicer.mrmlScene),
    )


def loadSample(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
    """Make the patient, a head CT with a left infarct in I, L and M2, and add it to the scene."""
    affected = [region_of(code, Side.LEFT) for code in _INFARCT]
    patient = make_patient(load_atlas(), affected, np.random.default_rng(_SEED))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", _("Synthetic head CT"))
    fillVolume(node, patient.scan)
    node.CreateDefaultDisplayNodes()
    return node
