"""What images must hold to be registered."""

from __future__ import annotations

import numpy as np

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume


def check_images(fixed: Volume, moving: Volume) -> None:
    """Refuse images in which there is nothing to register.

    Raises
    ------
    ContentRefusedError
        NON_FINITE_VOXELS, or NO_SIGNAL if an image is the same everywhere.
    """
    for name, image in (("scan", fixed), ("template", moving)):
        if not np.isfinite(image.array).all():
            message = f"expected finite voxels in the {name} to register, got others"
            raise ContentRefusedError(ErrorCode.NON_FINITE_VOXELS, message)
        if image.array.size == 0 or image.array.min() == image.array.max():
            message = f"expected a brain in the {name} to register, got the same value everywhere"
            raise ContentRefusedError(ErrorCode.NO_SIGNAL, message)


def check_mask(mask: Volume | None, like: Volume) -> None:
    """Refuse a mask that holds nothing, or lies on another grid.

    Raises
    ------
    ContentRefusedError
        NO_SIGNAL if it is empty.
    GeometryRefusedError
        GEOMETRY_INVALID if its grid is another.
    """
    if mask is None:
        return
    if mask.array.shape != like.array.shape or not np.allclose(mask.affine, like.affine):
        message = f"expected a mask on the scan's grid of {like.size} voxels, got {mask.size}"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    if not mask.array.any():
        raise ContentRefusedError(
            ErrorCode.NO_SIGNAL, "expected a mask that holds some of the scan, got an empty one"
        )
