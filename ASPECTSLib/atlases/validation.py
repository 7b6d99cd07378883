"""Template atlases mapped to labelled scans that they were not built from, as in table 4 of the ASPECTS-281 paper.

Sun et al. 2024, doi:10.1038/s41597-024-03973-y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.atlas.template_atlas import TemplateAtlas
from ASPECTSLib.atlases.build import LeftOut
from ASPECTSLib.atlases.build_cases import BuildCase, PreparedCase, prepare_case
from ASPECTSLib.atlases.evaluation import mean_over_cases
from ASPECTSLib.atlases.registration_route import RegisterHeads, register_heads
from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine
from ASPECTSLib.registration.mapping import warp_labels
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.estimates import Estimate

Group = AgeGroup | None
"""An age group; None for all ages together, or for an age that is not known."""


@dataclass(frozen=True, eq=False)
class MappedCase:
    """A case to which an atlas was mapped.

    Parameters
    ----------
    case
        Name.
    atlas_group, case_group
        Of the atlas, and of the patient.
    dice
        Of the twenty regions, in the order of their labels.
    """

    case: str
    atlas_group: Group
    case_group: Group
    dice: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """All cases to which atlases were mapped, and those that could not be used."""

    mapped: tuple[MappedCase, ...]
    left_out: tuple[LeftOut, ...]
    bootstrap: Bootstrap

    @property
    def rows(self) -> tuple[tuple[Group, Group], ...]:
        """Pairs of the atlas's and the cases' age group, in the order of ages."""
        order = (*AgeGroup, None)
        found = {(m.atlas_group, m.case_group) for m in self.mapped}
        return tuple(sorted(found, key=lambda row: (order.index(row[0]), order.index(row[1]))))

    def estimate(
        self, atlas_group: Group, case_group: Group, code: RegionCode | None = None
    ) -> Estimate | None:
        """Return the mean Dice over cases with its interval, of a region of both sides, or of all."""
        labels = [r.label - 1 for r in REGIONS if code in {None, r.code}]
        values = [
            float(m.dice[labels].mean())
            for m in self.mapped
            if (m.atlas_group, m.case_group) == (atlas_group, case_group)
        ]
        return mean_over_cases(np.array(values), self.bootstrap)


def validate_atlases(
    atlases: Mapping[Group, TemplateAtlas],
    cases: Sequence[BuildCase],
    base: Atlas,
    bootstrap: Bootstrap,
    progress: Progress,
    register: RegisterHeads = register_heads,
) -> Validation:
    """Map each atlas to each case, and compare the regions with the case's own.

    Parameters
    ----------
    atlases
        By age group.
    cases
        That no atlas was built from.
    base
        The atlas that ships, by which cases are prepared.
    bootstrap
        Of the intervals.
    progress
        Told of each case, and asked for cancellation.
    register
        The deformable registration.
    """
    mapped, left_out = [], []
    for number, case in enumerate(cases):
        progress.stage(f"validating on case {number + 1} of {len(cases)}", number / len(cases))
        try:
            prepared = prepare_case(case, base)
        except InputRefusedError as error:
            left_out.append(LeftOut(case.name, error.code, error.message))
            continue
        for group, atlas in atlases.items():
            labels = map_template(prepared, atlas, progress, register)
            dice = region_dice(labels.array, prepared.labels.array)
            mapped.append(MappedCase(case.name, group, case.group, dice))
    return Validation(tuple(mapped), tuple(left_out), bootstrap)


def map_template(
    case: PreparedCase,
    atlas: TemplateAtlas,
    progress: Progress,
    register: RegisterHeads = register_heads,
) -> Volume:
    """Return the regions of a template atlas on a scan, uint8 on its grid."""
    pose = case.midplane.pose
    matrix = register_affine(case.fixed, atlas.template, pose, progress)
    mapping = register(case.fixed, atlas.template, matrix, progress)
    return warp_labels(atlas.regions, mapping, case.brain)
