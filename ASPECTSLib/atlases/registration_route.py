"""The one place that chooses the deformable registration by which atlases are built and validated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.registration.route import RegistrationRoute, deform, resolve_route

RegisterHeads = Callable[[Volume, Volume, NDArray[np.float64], Progress], Mapping]
"""Takes fixed, moving, the 4x4 affine from fixed to moving points, and progress."""


def route() -> RegistrationRoute:
    """Return which registration is there: that in torch, or that of SimpleITK where torch is not installed."""
    return resolve_route(RegistrationRoute.AUTO, is_measured=True)


def register_heads(
    fixed: Volume, moving: Volume, matrix: NDArray[np.float64], progress: Progress
) -> Mapping:
    """Deform one brain to another, on top of an affine registration, by the best registration that is there.

    Parameters
    ----------
    fixed, moving
        HU in the brain window, 0 outside the brain.
    matrix
        4x4 affine matrix from fixed to moving points, RAS mm.
    progress
        Asked for cancellation between iterations.

    Returns
    -------
    Mapping
        From fixed to moving points.
    """
    return deform(fixed, moving, matrix, route(), progress)
