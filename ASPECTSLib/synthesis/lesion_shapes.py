"""Shapes of real infarcts: a folder of masks in MNI152 space, kept small enough to hold all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE
from ASPECTSLib.errors import ASPECTSError, ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume, apply_affine, bounding_box, crop
from ASPECTSLib.io.masks import mask_files, read_mask
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.store import keep_arrays

_CACHE_VERSION = 1


@dataclass(frozen=True, eq=False)
class LesionShapes:
    """Infarct masks in MNI152 space, each cut to its bounding box and packed to bits.

    Parameters
    ----------
    names
        Names of the files, shape (shapes,).
    bits
        uint8, the packed voxels of all shapes, one after the other.
    starts
        Where each shape begins in `bits`, and the end; shape (shapes + 1,).
    sizes
        Voxels along k, j, i of each box, shape (shapes, 3).
    affines
        From (i, j, k) of each box to MNI152 RAS mm, shape (shapes, 4, 4).
    volumes_ml
        Shape (shapes,).
    left_shares
        Share of each mask on the patient's left, 0 to 1, shape (shapes,).
    region_shares
        Share of each mask inside the twenty ASPECTS regions of the atlas, 0 to 1, shape (shapes,).
    empty_files
        How many masks were left out because nothing is marked in them.
    """

    names: NDArray[np.str_]
    bits: NDArray[np.uint8]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    affines: NDArray[np.float64]
    volumes_ml: NDArray[np.float64]
    left_shares: NDArray[np.float64]
    region_shares: NDArray[np.float64]
    empty_files: int = 0

    def __len__(self) -> int:
        """Return the number of shapes."""
        return len(self.names)

    def mask(self, index: int) -> Volume:
        """Return a shape as a bool mask on its own box."""
        size = self.sizes[index]
        packed = self.bits[self.starts[index] : self.starts[index + 1]]
        voxels = np.unpackbits(packed, count=int(np.prod(size)))
        return Volume(voxels.reshape(size).astype(bool), self.affines[index])


def load_shapes(
    folder: Path, atlas: Atlas, cache: Path | None = None, progress: Progress | None = None
) -> LesionShapes:
    """Load all masks of a folder; the first time takes a minute for a thousand.

    Parameters
    ----------
    folder
        With a .nii.gz file for each infarct; other files are ignored.
    atlas
        Gives the regions.
    cache
        Folder for the packed shapes, made when missing; nothing is kept when left out.
    progress
        Asked between files whether to go on.

    Raises
    ------
    FileRefusedError
        COHORT_INVALID if there is no mask, all are empty, or a file is no binary three-dimensional image.
    OutputError
        If the cache cannot be written.
    """
    paths = mask_files(folder)
    if cache is None:
        return pack_shapes(_read(paths, progress or Progress()), atlas)
    packed = cache / f"lesions-{_cache_key(paths, atlas)}.npz"
    if not packed.is_file():
        _save(pack_shapes(_read(paths, progress or Progress()), atlas), packed)
    return _load(packed)


def pack_shapes(masks: Iterable[tuple[str, Volume]], atlas: Atlas) -> LesionShapes:
    """Pack masks in MNI152 space.

    Parameters
    ----------
    masks
        Names and bool masks; those where nothing is marked are left out and counted.
    atlas
        Gives the regions.

    Raises
    ------
    FileRefusedError
        COHORT_INVALID if nothing is left.
    """
    rows, bits, empty_files = [], [], 0
    for name, mask in masks:
        if not mask.array.any():
            empty_files += 1
            continue
        cut = crop(mask, bounding_box(mask.array))
        bits.append(np.packbits(cut.array))
        rows.append((name, cut.array.shape, cut.affine, *_measure(cut, atlas)))
    if not rows:
        message = f"expected infarct masks, got {empty_files} in which nothing is marked"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    names, sizes, affines, volumes_ml, left_shares, region_shares = zip(*rows, strict=True)
    return LesionShapes(
        names=np.array(names),
        bits=np.concatenate(bits),
        starts=np.cumsum([0, *(len(part) for part in bits)]),
        sizes=np.array(sizes),
        affines=np.array(affines),
        volumes_ml=np.array(volumes_ml),
        left_shares=np.array(left_shares),
        region_shares=np.array(region_shares),
        empty_files=empty_files,
    )


def _read(paths: tuple[Path, ...], progress: Progress) -> Iterable[tuple[str, Volume]]:
    for path in paths:
        progress.check()
        try:
            yield path.name, read_mask(path)
        except ASPECTSError as error:
            raise FileRefusedError(ErrorCode.COHORT_INVALID, error.message) from error


def _measure(mask: Volume, atlas: Atlas) -> tuple[float, float, float]:
    """Return volume in mL, share on the left and share inside the regions."""
    voxels = np.argwhere(mask.array)[:, ::-1].astype(np.float64)
    points = apply_affine(mask.affine, voxels)
    regions = atlas.regions
    at = np.rint(apply_affine(np.linalg.inv(regions.affine), points)).astype(np.int64)[:, ::-1]
    inside = ((at >= 0) & (at < regions.array.shape)).all(axis=1)
    labels = np.zeros(len(at), np.int64)
    labels[inside] = regions.array[tuple(at[inside].T)]
    in_regions = (labels > 0) & (labels <= 2 * REGIONS_PER_SIDE)
    left = points[:, 0] < 0
    return len(at) * mask.voxel_volume_ml, float(left.mean()), float(in_regions.mean())


def _cache_key(paths: tuple[Path, ...], atlas: Atlas) -> str:
    digest = hashlib.sha256(f"{_CACHE_VERSION} {sorted(atlas.sha256.items())}".encode())
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _save(shapes: LesionShapes, path: Path) -> None:
    arrays = {field.name: np.asarray(getattr(shapes, field.name)) for field in fields(shapes)}
    keep_arrays(arrays, path, "infarct shapes")


def _load(path: Path) -> LesionShapes:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {field.name: stored[field.name] for field in fields(LesionShapes)}
    return LesionShapes(**{**arrays, "empty_files": int(arrays["empty_files"])})
