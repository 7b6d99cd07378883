"""A scan that can tell its truth on any grid, be it synthetic or of a labelled cohort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.infarct_inputs import Typical, typical_of
from ASPECTSLib.inference.inputs import label_centres
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.scoring.overlap import infarct_fractions

_OVERVIEW_SPACING_MM = 3.0


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan that can tell its truth on any grid of its frame; what is measured on it is measured once.

    Parameters
    ----------
    image
        The scan, in the image frame.
    modality
        Of the scan.
    regions_on, brain_on, infarct_on
        Return the label map, the brain mask or the acute infarct on a grid: uint8, bool and bool, (k, j, i).
        `infarct_on` is None where nothing is known of an infarct.
    adc
        The map that belongs to a diffusion-weighted scan, 1e-6 mm2/s, in the same frame, where there is one.
    measured_in
        Returns the brain on the grid of the image, bool, where `brain_on` is no more than the outline of the head:
        signal and ADC are measured there.
    """

    image: Volume
    modality: Modality
    regions_on: Callable[[Volume], NDArray[np.uint8]]
    brain_on: Callable[[Volume], NDArray[np.bool_]]
    infarct_on: Callable[[Volume], NDArray[np.bool_]] | None = None
    adc: Volume | None = None
    measured_in: Callable[[], NDArray[np.bool_]] | None = None

    @property
    def centres_mm(self) -> NDArray[np.float64]:
        """Of the twenty regions, shape (20, 3)."""
        return self._centres[0]

    @property
    def volumes_ml(self) -> NDArray[np.float64]:
        """Of the twenty regions, shape (20,)."""
        return self._centres[1]

    @cached_property
    def typical(self) -> Typical:
        """Signal and ADC of the brain."""
        return typical_of(self.image, self.adc, self.brain)

    @cached_property
    def regions(self) -> NDArray[np.uint8]:
        """Label map on the grid of the image, shape (k, j, i)."""
        return self.regions_on(self.image)

    @cached_property
    def brain(self) -> NDArray[np.bool_]:
        """Brain on the grid of the image, shape (k, j, i)."""
        return self.brain_on(self.image) if self.measured_in is None else self.measured_in()

    @cached_property
    def infarct_fractions(self) -> NDArray[np.float64]:
        """Share of each region that is infarcted, shape (20,), 0 to 1; NaN where the image lacks the region.

        Raises
        ------
        UsageError
            RECIPE_INVALID if nothing is known of an infarct.
        """
        if self.infarct_on is None:
            message = "expected scans with infarct masks to learn this task"
            raise UsageError(ErrorCode.RECIPE_INVALID, message)
        shares = infarct_fractions(self.regions, self.infarct_on(self.image)).values()
        return np.array([np.nan if share is None else share for share in shares])

    @cached_property
    def _centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        extent_mm = np.array(self.image.size) * self.image.spacing_mm
        shape = tuple(int(n) for n in np.ceil(extent_mm[::-1] / _OVERVIEW_SPACING_MM))
        affine = np.diag([_OVERVIEW_SPACING_MM] * 3 + [1.0])
        affine[:3, 3] = self.image.affine[:3, 3]
        overview = Volume(np.zeros(shape, np.uint8), affine)
        labels = overview.with_array(self.regions_on(overview))
        return label_centres(labels, len(REGIONS))
