"""Which of the two deformable registrations is made: that in torch, or that of SimpleITK."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.device import current_device
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import deformable
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.registration.settings import DeformableSettings


class RegistrationRoute(StrEnum):
    """Who deforms the atlas to a scan.

    `auto` takes torch where it is installed: it was measured to be the better one on head CT, CT angiography, diffusion
    MRI and maps of blood flow.
    """

    AUTO = "auto"
    TORCH = "torch"
    SIMPLEITK = "simpleitk"


def resolve_route(route: RegistrationRoute) -> RegistrationRoute:
    """Return the route that is taken, never `auto`.

    Parameters
    ----------
    route
        What is asked for.

    Raises
    ------
    ResourceError
        TORCH_MISSING if torch is asked for by name and is not installed.
    """
    has_torch = importlib.util.find_spec("torch") is not None
    if route is RegistrationRoute.AUTO:
        return RegistrationRoute.TORCH if has_torch else RegistrationRoute.SIMPLEITK
    if route is RegistrationRoute.TORCH and not has_torch:
        message = (
            "expected PyTorch for the registration in torch, which is not installed; use simpleitk"
        )
        raise ResourceError(ErrorCode.TORCH_MISSING, message)
    return route


def deform(
    fixed: Volume,
    moving: Volume,
    matrix: NDArray[np.float64],
    route: RegistrationRoute,
    progress: Progress,
    settings: DeformableSettings | None = None,
) -> Mapping:
    """Deform the atlas to a scan by a resolved route; torch computes on the device of `ASPECTSLib.device.computing_on`.

    Parameters
    ----------
    fixed, moving, matrix, progress
        As in `deformable.register_deformable`.
    route
        As `resolve_route` gives it.
    settings
        Of torch; those for a scan when left out. SimpleITK has no others, and the device is not theirs to choose.
    """
    if route is RegistrationRoute.SIMPLEITK:
        return deformable.register_deformable(fixed, moving, matrix, progress)
    import torch

    from ASPECTSLib.registration import torch_deformable

    # Steps are many and small: more threads gain nothing, and on busy cores they wait for each other for minutes.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        chosen = replace(settings or DeformableSettings(), device=current_device())
        return torch_deformable.register_deformable(
            fixed, moving, matrix, chosen, progress=progress
        )
    finally:
        torch.set_num_threads(threads)
