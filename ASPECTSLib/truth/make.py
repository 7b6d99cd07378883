"""The one place that knows the way from a patient's scan, with perfusion or a mask, to a labelled case."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import AFFECTED_FRACTION
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.flow import FlowMap
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan, check_scan
from ASPECTSLib.preprocessing.frames import in_order, mask_on, world_grid
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.report.staging import check_output, publish, staging_folder
from ASPECTSLib.scoring.perfusion_core import CoreRule
from ASPECTSLib.systems.coverage import refuse_elsewhere
from ASPECTSLib.truth.case import Truth, write_truth
from ASPECTSLib.truth.checks import (
    NOTED_IN_BRAIN,
    note_warnings,
    refuse_misplaced,
    region_warnings,
)
from ASPECTSLib.truth.mapped import MappedScan, map_ct, map_diffusion
from ASPECTSLib.truth.perfusion import CoreOfScan, core_on_ct, map_and_core_of_flow

NOTED_LOW_ON_BOTH_ML = 5.0
"""Tissue of the regions that could not be compared, as both sides have hardly any flow, from which it is said."""

FROM_FLOW, FROM_MASK = "cerebral blood flow", "an infarct mask"


@dataclass(frozen=True)
class TruthOptions:
    """Choices of the user.

    Parameters
    ----------
    rule
        What counts as core on a map of blood flow.
    affected_fraction
        A region with more than this share infarcted is affected.
    regions
        Where the twenty regions come from.

    Raises
    ------
    UsageError
        USAGE if the share is not between 0 and 1.
    """

    rule: CoreRule = field(default_factory=CoreRule)
    affected_fraction: float = AFFECTED_FRACTION
    regions: RegionSource = RegionSource.AUTO

    def __post_init__(self) -> None:
        if not 0.0 < self.affected_fraction < 1.0:
            message = f"expected an affected share between 0 and 1, got {self.affected_fraction:g}"
            raise UsageError(ErrorCode.USAGE, message)

    def record(self, *, by_flow: bool) -> dict[str, float | str]:
        """Return the options that counted, for `truth.json`."""
        common = {"affected_fraction": self.affected_fraction, "regions": self.regions.value}
        if not by_flow:
            return common
        return {"core_below": self.rule.below, "least_ml": self.rule.least_ml, **common}


def truth_from_flow(
    scan: Scan | None, flow: FlowMap, options: TruthOptions, atlas: Atlas, progress: Progress
) -> Truth:
    """Make the truth of a patient by a map of cerebral blood flow.

    Parameters
    ----------
    scan
        Head CT or CT angiography in the frame of the map; without one, the map itself is the scan.
    flow
        As `read_flow` gives it.
    options
        The user's choices.
    atlas
        Gives the regions.
    progress
        Told of each stage, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If scan or map cannot be used, or lie elsewhere than the other.
    """
    if scan is None:
        check_scan(flow.volume)
        mapped, found = map_and_core_of_flow(flow, options.rule, atlas, options.regions, progress)
    else:
        refuse_elsewhere(flow.volume, scan.volume, "a map of blood flow")
        mapped = map_ct(scan, atlas, options.regions, progress)
        progress.stage("core", 0.85)
        found = core_on_ct(mapped, flow, options.rule)
    names = (*(scan.files if scan else ()), *flow.files)
    notes = mapped.notes if scan is None else (*mapped.notes, *flow.notes)
    warnings = (
        *note_warnings(notes, names),
        *region_warnings(mapped.found, found.covered),
        *_core_warnings(mapped, found),
    )
    picture = None if scan is None else found.flow
    record = options.record(by_flow=True)
    return Truth(
        mapped, found.core, FROM_FLOW, options.affected_fraction, record, warnings, picture
    )


def truth_from_mask(
    scan: Scan, mask: Volume, options: TruthOptions, atlas: Atlas, progress: Progress
) -> Truth:
    """Make the truth of a patient by an infarct mask, drawn on a scan that is registered to this one.

    Parameters
    ----------
    scan
        Head CT, CT angiography or diffusion-weighted MRI.
    mask
        bool, on any grid in the frame of the scan.
    options, atlas, progress
        As in `truth_from_flow`.

    Raises
    ------
    InputRefusedError
        If scan or mask cannot be used, or lie elsewhere than the other.
    """
    refuse_elsewhere(mask, scan.volume, "an infarct mask")
    ordered = in_order(mask)
    if scan.modality is Modality.DWI:
        on_scan = scan.volume.with_array(mask_on(ordered, scan.volume))
        mapped = map_diffusion(scan, on_scan, atlas, options.regions, progress)
    else:
        mapped = map_ct(scan, atlas, options.regions, progress)
    progress.stage("infarct", 0.85)
    like = world_grid(mapped.canonical)
    infarct = mask_on(ordered, like) & mapped.brain
    in_brain = refuse_misplaced(ordered, like.with_array(mapped.brain))
    everywhere = ordered.with_array(np.ones(ordered.array.shape, np.uint8))
    covered = resample(everywhere, like, order=0).array > 0
    warnings = (
        *note_warnings(mapped.notes, scan.files),
        *region_warnings(mapped.found, covered),
        *_mask_warnings(ordered, infarct, in_brain),
    )
    record = options.record(by_flow=False)
    return Truth(mapped, infarct, FROM_MASK, options.affected_fraction, record, warnings)


def truth_to_folder(truth: Truth, atlas: Atlas, folder: Path, *, picture: bool = True) -> bool:
    """Write the files of a case to a new folder, all of them or none; return whether there is a picture as wanted.

    Raises
    ------
    UsageError, OutputError
        If there is something of that name, or it cannot be written.
    """
    check_output(folder)
    with staging_folder(folder) as staging:
        has_picture = write_truth(truth, atlas, staging, picture=picture)
        publish(staging, folder)
    return has_picture


def _core_warnings(mapped: MappedScan, found: CoreOfScan) -> list[WarningInfo]:
    if not found.core.any():
        return [_no_infarct("no flow below the threshold: the case is one without infarct")]
    warnings = []
    if found.is_bilateral:
        message = "there is core on both sides, and each was compared with the other: check it"
        warnings.append(WarningInfo("BOTH_SIDES", message))
    low = found.low_on_both & (mapped.found.labels.array > 0)
    low_ml = float(np.count_nonzero(low)) * mapped.grid.voxel_volume_ml
    if low_ml > NOTED_LOW_ON_BOTH_ML:
        message = (
            f"{low_ml:.0f} mL of the regions have hardly any flow on both sides and were not compared: old or "
            "bilateral infarcts are not found there"
        )
        warnings.append(WarningInfo("NOT_COMPARED", message))
    return warnings


def _mask_warnings(mask: Volume, infarct: NDArray[np.bool_], in_brain: float) -> list[WarningInfo]:
    if not mask.array.any():
        return [_no_infarct("the mask is empty: the case is one without infarct")]
    if not infarct.any():
        return [
            _no_infarct(
                "the infarct covers no voxel of the scan by half: the case is one without infarct"
            )
        ]
    if in_brain < NOTED_IN_BRAIN:
        message = (
            f"{1 - in_brain:.0%} of the infarct mask lies outside of the brain and was left out: check that it is "
            "registered to the scan"
        )
        return [WarningInfo("INFARCT_OUTSIDE", message)]
    return []


def _no_infarct(message: str) -> WarningInfo:
    return WarningInfo("NO_INFARCT", message)
