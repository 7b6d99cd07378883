"""A head with all twenty regions as balls, some of them dark on one side; its midplane is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from head_phantoms import ellipsoid, grid_points, mirrored
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ASPECTSLib.atlas.regions import REGIONS, Region, RegionCode, Side, swap_sides
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.midplane import Midplane
from ASPECTSLib.training.labelled import Labelled

BRAIN_MM = (66.0, 84.0, 62.0)
BRAIN_HU, BONE_HU, DROP_HU = 32.0, 400.0, 8.0
RADIUS_MM = 8.0
CENTRES_MM = {
    RegionCode.C: (14.0, 24.0, 4.0),
    RegionCode.L: (26.0, 2.0, 0.0),
    RegionCode.IC: (14.0, -10.0, 2.0),
    RegionCode.I: (43.0, 6.0, 0.0),
    RegionCode.M1: (38.0, 40.0, 2.0),
    RegionCode.M2: (52.0, -14.0, -4.0),
    RegionCode.M3: (44.0, -42.0, 4.0),
    RegionCode.M4: (34.0, 34.0, 30.0),
    RegionCode.M5: (44.0, -4.0, 30.0),
    RegionCode.M6: (36.0, -40.0, 30.0),
}
"""Of the right side, in the head's own frame: x = 0 is its midplane."""

SHAPE, SPACING_MM = (38, 88, 70), (2.0, 2.0, 3.5)


@dataclass(frozen=True, eq=False)
class PairedHead:
    """A scan of the head, all on one grid in the image frame.

    Parameters
    ----------
    image
        HU.
    brain, infarct
        bool.
    labels
        uint8 label map.
    midplane
        As it is.
    """

    image: Volume
    brain: Volume
    labels: Volume
    infarct: Volume
    midplane: Midplane

    def mirrored(self) -> PairedHead:
        """Return the mirror image, the sides named anew."""
        labels = mirrored(self.labels)
        return PairedHead(
            mirrored(self.image),
            mirrored(self.brain),
            labels.with_array(swap_sides(labels.array)),
            mirrored(self.infarct),
            self.midplane.mirrored(),
        )


def paired_head(
    affected: Collection[Region] = (),
    *,
    to_head: NDArray[np.float64] | None = None,
    drop_hu: float = DROP_HU,
    noise_hu: float = 0.0,
    seed: int = 0,
) -> PairedHead:
    """Scan the head.

    Parameters
    ----------
    affected
        Regions that are darker, the whole of each.
    to_head
        4x4 rigid matrix from the image frame to the head's own; identity when left out.
    drop_hu
        By how much they are darker.
    noise_hu, seed
        Of the image.
    """
    matrix = np.eye(4) if to_head is None else to_head
    affine = centred_affine(SHAPE, np.array(SPACING_MM))
    points = apply_affine(matrix, grid_points(affine, SHAPE))
    labels = labels_at(points)
    brain = ellipsoid(points, BRAIN_MM)
    infarct = np.isin(labels, [region.label for region in affected])
    hu = np.where(brain, BRAIN_HU - drop_hu * infarct, BONE_HU)
    hu += noise_hu * np.random.default_rng(seed).standard_normal(SHAPE)
    grid = Volume(hu.astype(np.float32), affine)
    normal = matrix[0, :3] / np.linalg.norm(matrix[0, :3])
    midplane = Midplane(normal, -float(matrix[0, 3]), 1.0)
    return PairedHead(grid, *(grid.with_array(a) for a in (brain, labels, infarct)), midplane)


def labels_at(points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the labels at points of shape (..., 3) in the head's own frame."""
    centres = cKDTree([centre_of(region) for region in REGIONS])
    _, nearest = centres.query(points, distance_upper_bound=RADIUS_MM)
    labels = np.array(
        [region.label for region in REGIONS] + [0], np.uint8
    )  # the last: none is near
    return labels[nearest]


def centre_of(region: Region) -> tuple[float, float, float]:
    """Return the centre of a region in the head's own frame."""
    x, y, z = CENTRES_MM[region.code]
    return (x if region.side is Side.RIGHT else -x, y, z)


def labelled_head(affected: Collection[Region] = (), **options: object) -> Labelled:
    """Return the head as training sees it, upright."""
    head = paired_head(affected, **options)  # type: ignore[arg-type]
    dark = [region.label for region in affected]

    def labels_on(grid: Volume) -> NDArray[np.uint8]:
        return labels_at(grid_points(grid.affine, grid.array.shape))

    return Labelled(
        image=head.image,
        modality=Modality.NCCT,
        regions_on=labels_on,
        brain_on=lambda grid: ellipsoid(grid_points(grid.affine, grid.array.shape), BRAIN_MM),
        infarct_on=lambda grid: np.isin(labels_on(grid), dark),
    )
