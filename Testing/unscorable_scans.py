"""Files and folders that must not be scored, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from dicom_phantoms import depths, upright, write_series
from head_phantoms import AIR_HU, grid_points, head_hu
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image

SHAPE_KJI = (32, 64, 64)
SPACING_MM = np.array([3.6, 3.6, 5.0])
RAS_FROM_LPS = np.array([-1.0, -1.0, 1.0])

Maker = Callable[[Path], Path]
"""Makes one in an empty folder, and returns its path."""


def head(*, noise_hu: float = 3.0) -> Volume:
    """Return a phantom of a head on CT, in HU."""
    affine = centred_affine(SHAPE_KJI, SPACING_MM)
    hu = head_hu(grid_points(affine, SHAPE_KJI))
    noise = np.random.default_rng(0).normal(scale=noise_hu, size=SHAPE_KJI)
    return Volume(np.rint(hu + noise).astype(np.int16), affine)


def head_dicom(folder: Path, keep: Callable[[int], bool] = lambda _slice: True) -> Path:
    """Write the slices of a head to keep as DICOM, 5 mm apart."""
    positions = upright(depths((SHAPE_KJI[0] - 1, 5.0)))
    kept = np.array([keep(index) for index in range(len(positions))])
    write_series(
        folder / "dicom", positions[kept], anatomy=_anatomy_lps, SeriesDescription="Head 5.0"
    )
    return folder / "dicom"


def _anatomy_lps(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    centre = np.array([5.0, -10.0, 78.0])
    noise = np.random.default_rng(0).normal(scale=3.0, size=points_lps.shape[:-1])
    return head_hu((points_lps - centre) * RAS_FROM_LPS) + noise


def _missing(folder: Path) -> Path:
    return folder / "scan.nii.gz"


def _empty(folder: Path) -> Path:
    return _bytes(folder, b"")


def _text(folder: Path) -> Path:
    return _bytes(folder, b"This is not an image.\n" * 40)


def _truncated(folder: Path) -> Path:
    path = _written(folder, head())
    return _bytes(folder, path.read_bytes()[:-2000])


def _bytes(folder: Path, content: bytes) -> Path:
    (folder / "scan.nii.gz").write_bytes(content)
    return folder / "scan.nii.gz"


def _folder_without_images(folder: Path) -> Path:
    (folder / "study").mkdir()
    (folder / "study" / "notes.txt").write_text("no image here")
    return folder / "study"


def _mr(folder: Path) -> Path:
    scan = head(noise_hu=0.0)
    tissue = np.interp(scan.array, [AIR_HU, 0, 8, 29, 37, 900], [0, 20, 200, 900, 600, 50])
    noise = np.random.default_rng(1).normal(scale=60.0, size=(2, *tissue.shape))
    magnitude = np.hypot(tissue + noise[0], noise[1])
    return _written(folder, scan.with_array(magnitude.astype(np.float32)))


def _abdomen(folder: Path) -> Path:
    affine = centred_affine((40, 64, 90), np.array([4.5, 4.5, 5.0]))
    x, y, _ = np.moveaxis(grid_points(affine, (40, 64, 90)), -1, 0)
    hu = np.full(x.shape, AIR_HU)
    for inset_mm, value in ((0.0, -90.0), (20.0, 45.0)):
        hu[(x / (180.0 - inset_mm)) ** 2 + (y / (120.0 - inset_mm)) ** 2 < 1.0] = value
    hu[np.hypot(x, y + 60.0) < 22.0] = 500.0
    noise = np.random.default_rng(2).normal(scale=8.0, size=hu.shape)
    return _written(folder, Volume(np.rint(hu + noise).astype(np.int16), affine))


def _air(folder: Path) -> Path:
    noise = np.random.default_rng(3).normal(AIR_HU, 8.0, SHAPE_KJI)
    return _written(folder, head().with_array(np.rint(noise).astype(np.int16)))


def _zero(folder: Path) -> Path:
    return _written(folder, head().with_array(np.zeros(SHAPE_KJI, np.int16)))


def _one_slice(folder: Path) -> Path:
    scan = head()
    return _written(folder, Volume(scan.array[16:17], scan.affine))


def _missing_dicom_slices(folder: Path) -> Path:
    return head_dicom(folder, keep=lambda index: index not in {14, 15})


def _blank_slices(folder: Path) -> Path:
    scan = head()
    array = scan.array.copy()
    array[14:16] = -1000
    return _written(folder, scan.with_array(array))


def _not_a_number(folder: Path) -> Path:
    array = head().array.astype(np.float32)
    array[16, 30:34, 30:34] = np.nan
    return _written(folder, head().with_array(array))


def _written(folder: Path, volume: Volume) -> Path:
    path = folder / "scan.nii.gz"
    write_image(volume, path)
    return path


UNSCORABLE: Mapping[str, tuple[Maker, ErrorCode]] = MappingProxyType(
    {
        "no file": (_missing, ErrorCode.FILE_NOT_FOUND),
        "empty file": (_empty, ErrorCode.FILE_EMPTY),
        "text": (_text, ErrorCode.FILE_UNREADABLE),
        "truncated": (_truncated, ErrorCode.FILE_TRUNCATED),
        "folder without images": (_folder_without_images, ErrorCode.NO_IMAGES),
        "MR": (_mr, ErrorCode.WRONG_MODALITY),
        "abdomen": (_abdomen, ErrorCode.NO_BRAIN),
        "noise of air": (_air, ErrorCode.NO_BRAIN),
        "all zero": (_zero, ErrorCode.NO_SIGNAL),
        "one slice": (_one_slice, ErrorCode.TOO_FEW_SLICES),
        "DICOM slices missing": (_missing_dicom_slices, ErrorCode.MISSING_SLICES),
        "blank slices": (_blank_slices, ErrorCode.MISSING_SLICES),
        "not a number": (_not_a_number, ErrorCode.NON_FINITE_VOXELS),
    }
)
"""How each is made, and the code that says why it is refused."""
