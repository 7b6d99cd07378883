"""Time of scoring again after an edit, on 512 x 512 x 30 voxels, beside scoring from the start; needs slicer-core.

Everything from the edited segment to the stored result is in it: the segments are read from the scene, measured and
called, and the result and its table are written back.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import score_study
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.writer import write_study
from ASPECTSLib.synthesis.patient import Acquisition, make_patient
from ASPECTSSlicer.grids import fillVolume
from ASPECTSSlicer.overrides import REGIONS_EDIT, Review
from ASPECTSSlicer.results import loadResult

ROUNDS = 20


def main() -> None:
    """Print median and worst time of re-scoring, and its ratio to scoring."""
    vtk.vtkObject.GlobalWarningDisplayOff()
    scan = _real_sized_scan()
    start = time.perf_counter()
    study = score_study(Scan(scan, ("scan.nii.gz",)))
    scoring_s = time.perf_counter() - start
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    fillVolume(node, scan)
    with tempfile.TemporaryDirectory() as folder:
        write_study(study.result, study.images, Path(folder) / "result", Progress())
        review = Review(loadResult(scene, Path(folder) / "result", node), "benchmark")
    preparing_s = _seconds(review.prepare)
    times_s = [_seconds(lambda r=r: _edit_and_rescore(review, r)) for r in range(ROUNDS)]
    median_s = statistics.median(times_s)
    print(f"voxels                    {' x '.join(map(str, scan.size))}")
    print(f"scoring from the start    {scoring_s:.2f} s (without reading and writing files)")
    print(f"getting ready, once       {preparing_s:.2f} s")
    print(
        f"scoring after an edit     {median_s * 1000:.0f} ms median, {max(times_s) * 1000:.0f} ms worst of {ROUNDS}"
    )
    print(f"ratio                     1 : {scoring_s / median_s:.0f}")


def _real_sized_scan() -> Volume:
    affected = [region_of(code, Side.LEFT) for code in (RegionCode.I, RegionCode.L, RegionCode.M2)]
    acquisition = Acquisition(size=(512, 512, 30), spacing_mm=(0.45, 0.45, 5.0))
    return make_patient(load_atlas(), affected, np.random.default_rng(1), acquisition).scan


def _edit_and_rescore(review: Review, turn: int) -> None:
    """Take a voxel from a region, as the end of a brush stroke does, and score again."""
    segment = review.nodes.regions.GetSegmentation().GetSegment("M5_left")
    image = segment.GetRepresentation(
        slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    )
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    voxels[np.flatnonzero(voxels == segment.GetLabelValue())[turn]] = 0
    review.rescore(REGIONS_EDIT, "M5_left")


def _seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
