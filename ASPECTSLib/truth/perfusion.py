"""The infarct core of a patient by a map of cerebral blood flow, on the grid of the patient's scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.geometry import CanonicalVolume, bounding_box, crop, paste, resample
from ASPECTSLib.io.flow import FlowMap, covered_by
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.frames import mask_on, world_grid
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.perfusion_core import CoreRule
from ASPECTSLib.systems.flow_core import FlowCore, core_beside_ct, core_of_map
from ASPECTSLib.truth.mapped import MappedScan, map_stripped

_MARGIN = (1, 4, 4)  # voxels around the brain that are asked for: no more than a third of a scan


@dataclass(frozen=True, eq=False)
class CoreOfScan:
    """What a map says of a scan, on the scan's grid in the image frame.

    Parameters
    ----------
    core
        bool.
    covered
        bool: what the map covers.
    flow
        float32, the map itself, for a picture.
    low_on_both
        bool: tissue that is short of blood as the other side is, and so was not compared.
    is_bilateral
        Whether much of the core lies on either side.
    """

    core: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    flow: NDArray[np.float32]
    low_on_both: NDArray[np.bool_]
    is_bilateral: bool


def core_on_ct(mapped: MappedScan, flow: FlowMap, rule: CoreRule) -> CoreOfScan:
    """Find the core of the patient of a CT; the CT gives the midplane, the brain and its fluid.

    Parameters
    ----------
    mapped
        The CT; its file and that of the map lie in one frame.
    flow
        On any grid.
    rule
        What counts as core.

    Raises
    ------
    InputRefusedError
        GEOMETRY_INVALID if the map shows no flow where the brain lies, IMPLAUSIBLE_UNITS for another unit.
    """
    found = core_beside_ct(flow.volume, mapped.canonical, mapped.found.prepared, rule)
    return _on_scan(mapped.canonical, mapped.brain, found)


def map_and_core_of_flow(
    flow: FlowMap, rule: CoreRule, atlas: Atlas, source: RegionSource, progress: Progress
) -> tuple[MappedScan, CoreOfScan]:
    """Find brain, regions and core on the map alone, where there is no CT.

    Parameters
    ----------
    flow
        At least 8 slices, as `ASPECTSLib.io.scan.check_scan` wants them.
    rule
        What counts as core.
    atlas, source, progress
        As in `map_stripped`.

    Raises
    ------
    InputRefusedError
        NO_BRAIN, IMPLAUSIBLE_UNITS, PARTIAL_COVERAGE or LOW_REGISTRATION_QUALITY.
    """
    progress.stage("brain mask", 0.10)
    core, filled = core_of_map(flow.volume, rule)
    found = map_stripped(filled, core.brain, Modality.CBF, atlas, source, progress)
    mapped = MappedScan(
        Modality.CBF, core.canonical, found, core.brain, None, found.models, flow.notes
    )
    on_scan = CoreOfScan(
        core.core, core.covered, core.grid.array, core.low_on_both, core.is_bilateral
    )
    return mapped, on_scan


def _on_scan(canonical: CanonicalVolume, brain: NDArray[np.bool_], found: FlowCore) -> CoreOfScan:
    """Carry what was found to the scan; nothing outside of the brain is asked for, which is a third of the scan."""
    box, like = bounding_box(brain, _MARGIN), canonical.volume
    part, flow = crop(world_grid(canonical), box), world_grid(found.canonical)
    core, low = (
        paste(mask_on(flow.with_array(mask), part), box, like).array
        for mask in (found.core, found.low_on_both)
    )
    covered = resample(covered_by(flow), part, order=0).array
    return CoreOfScan(
        core=core & brain,
        covered=paste(covered, box, like).array,
        flow=paste(resample(flow, part).array, box, like).array,
        low_on_both=low,
        is_bilateral=found.is_bilateral,
    )
