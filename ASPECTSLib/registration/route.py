"""Which of the two registrations is made, affine and deformable: that in torch, or that of SimpleITK."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.device import current_device
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import affine, deformable
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.registration.settings import DeformableSettings


class RegistrationRoute(StrEnum):
    """Who registers the atlas to a scan.

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


def align(
    fixed: Volume,
    moving: Volume,
    pose: NDArray[np.float64],
    route: RegistrationRoute,
    progress: Progress,
) -> NDArray[np.float64]:
    """Register a scan to the atlas by an affine matrix, by a resolved route.

    Parameters
    ----------
    fixed, moving, pose, progress
        As in `affine.register_affine`.
    route
        As `resolve_route` gives it.

    Returns
    -------
    numpy.ndarray
        4x4 matrix from scan points to atlas points, RAS mm.
    """
    if route is RegistrationRoute.SIMPLEITK:
        return affine.register_affine(fixed, moving, pose, progress)
    from ASPECTSLib.registration import torch_affine

    with _one_thread():
        return torch_affine.register_affine(fixed, moving, pose, progress, current_device())


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
    from ASPECTSLib.registration import torch_deformable

    chosen = replace(settings or DeformableSettings(), device=current_device())
    with _one_thread():
        return torch_deformable.register_deformable(
            fixed, moving, matrix, chosen, progress=progress
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: steps are many and small, and on busy cores threads wait for each other for minutes."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
