"""Anatomies: whole heads as tissue classes with their ASPECTS regions, which synthetic patients are made from."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.alignment import align, registration_intensities
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.freesurfer import read_tissues
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.rules import draw_regions_at, grid_points
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import (
    LPS_FROM_RAS,
    Volume,
    apply_affine,
    bounding_box,
    crop,
    resample,
)
from ASPECTSLib.io.images import IMAGE_SUFFIXES, to_sitk
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.average_head import average_head
from ASPECTSLib.synthesis.store import keep_arrays

COARSE_STEP = 4
"""Smooth fields of an anatomy are kept at every fourth voxel."""

VENTRICLE_REACH_MM = 12.0
"""How far a widening ventricle pushes the brain, falling off exponentially."""

ANATOMY_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")

_CACHE_VERSION = 1
_HEIGHT_MM = 190  # from the vertex down: what lies lower is neck
_TISSUE_SIGMA_MM = 0.8  # makes probabilities of hard labels, as the rule's thresholds expect
_DEPTH_UNIT_MM = 0.1
_PUSH_UNIT = 100.0
_HEAD_MARGIN = 4
_EXTENT_DECIMALS = 3  # mm: headers in single precision differ by less between axis orders


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A head on an isotropic 1 mm grid whose axes run right, anterior and superior.

    Parameters
    ----------
    name
        For cards and logs; the file's name without suffix.
    tissue
        uint8 of `Tissue`, shape (k, j, i).
    regions
        uint8 label map, 0 to 20, same shape.
    affine
        4x4 matrix from (i, j, k) to mm, origin at the middle of the brain.
    atlas_points
        float32, shape (3, k, j, i) at every `COARSE_STEP`-th voxel: where it lies in the atlas, MNI152 RAS mm.
    cortex_depth_mm
        float32, shape (k, j, i): distance of a cortex voxel from the nearest fluid; 0 elsewhere.
    ventricle_push
        float32, shape (3, k, j, i) at every `COARSE_STEP`-th voxel: direction (x, y, z) away from the ventricles,
        1 at their wall and falling off with `VENTRICLE_REACH_MM`.
    """

    name: str
    tissue: NDArray[np.uint8]
    regions: NDArray[np.uint8]
    affine: NDArray[np.float64]
    atlas_points: NDArray[np.float32]
    cortex_depth_mm: NDArray[np.float32]
    ventricle_push: NDArray[np.float32]

    def mirrored(self) -> Anatomy:
        """Return the mirror image: left and right exchanged, labels with them."""
        points = self.atlas_points[..., ::-1].copy()
        push = self.ventricle_push[..., ::-1].copy()
        points[0], push[0] = -points[0], -push[0]
        affine = self.affine.copy()
        last = self.affine[0, 0] * (self.tissue.shape[2] - 1)
        affine[0, 3] = -(self.affine[0, 3] + last)
        return Anatomy(
            name=self.name,
            tissue=np.ascontiguousarray(self.tissue[..., ::-1]),
            regions=np.ascontiguousarray(swap_sides(self.regions[..., ::-1])),
            affine=affine,
            atlas_points=_aligned_after_flip(points, self.tissue.shape[2]),
            cortex_depth_mm=np.ascontiguousarray(self.cortex_depth_mm[..., ::-1]),
            ventricle_push=_aligned_after_flip(push, self.tissue.shape[2]),
        )


def _aligned_after_flip(field: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Check that a flipped coarse field starts at the first voxel again."""
    if (size - 1) % COARSE_STEP:
        message = f"expected a grid of a multiple of {COARSE_STEP} plus 1 voxels, got {size}"
        raise ValueError(message)
    return np.ascontiguousarray(field)


def anatomy_files(folder: Path) -> tuple[Path, ...]:
    """Return the label maps of a folder, in the order of their names.

    Raises
    ------
    FileRefusedError
        NO_IMAGES if there is none.
    """
    if not folder.is_dir():
        message = f"expected a folder of label maps, got no folder named {folder.name}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith(ANATOMY_SUFFIXES))
    if not found:
        message = f"expected whole-head label maps in {folder.name}, found no image"
        raise FileRefusedError(ErrorCode.NO_IMAGES, message)
    return tuple(found)


def anatomy_name(path: Path) -> str:
    """Return the name of an anatomy: that of its file, without the ending."""
    suffix = next((s for s in IMAGE_SUFFIXES if path.name.lower().endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def load_anatomy(path: Path, atlas: Atlas, cache: Path | None = None) -> Anatomy:
    """Load a label map as an anatomy; the first time takes half a minute, as it is registered to the atlas.

    Parameters
    ----------
    path
        Whole-head label map in FreeSurfer numbering.
    atlas
        Gives the space of the regions' rule.
    cache
        Folder for prepared anatomies, made when missing; nothing is kept when left out.

    Raises
    ------
    InputRefusedError
        If the file is no such label map, or what is in the cache is damaged.
    OutputError
        If the cache cannot be written.
    """
    if cache is None:
        # Rounded as in a cache, so that patients are the same with and without one.
        fresh = prepare_anatomy(anatomy_name(path), read_tissues(path), atlas)
        return _unpacked(fresh.name, _packed(fresh))
    prepared = cache / f"{anatomy_name(path)}-{_cache_key(path, atlas)}.npz"
    if not prepared.is_file():
        keep_arrays(
            _packed(prepare_anatomy(anatomy_name(path), read_tissues(path), atlas)),
            prepared,
            "prepared anatomies",
        )
    return _load(prepared, anatomy_name(path))


def load_anatomies(
    folder: Path, atlas: Atlas, cache: Path | None = None, progress: Progress | None = None
) -> tuple[Anatomy, ...]:
    """Load all label maps of a folder as `load_anatomy` does, asking between them whether to go on."""
    progress = progress or Progress()
    anatomies = []
    for path in anatomy_files(folder):
        progress.check()
        anatomies.append(load_anatomy(path, atlas, cache))
    return tuple(anatomies)


def atlas_anatomy(atlas: Atlas, rng: np.random.Generator) -> Anatomy:
    """Draw an anatomy from the atlas itself, for use without any other anatomies.

    Its gyri are noise, so that it is good to show how things work and poor to train on.

    Parameters
    ----------
    atlas
        Gives tissues and regions.
    rng
        Source of all randomness.
    """
    head = average_head(atlas, rng)
    regions = resample(atlas.regions, head, order=0)
    box = _grid_box(head.array)
    head, regions = crop(head, box), crop(regions, box)
    points = _coarse(grid_points(head.array.shape, head.affine))
    return _finished("atlas", head, regions.array.astype(np.uint8), points)


def prepare_anatomy(name: str, head: Volume, atlas: Atlas) -> Anatomy:
    """Register a head to the atlas and draw its regions by the rule of the atlas, in its own tissue.

    Parameters
    ----------
    name
        For cards and logs.
    head
        uint8 of `Tissue`, axes running right, anterior and superior.
    atlas
        Gives template and space.
    """
    head = _isotropic(head)
    head = crop(head, _grid_box(head.array))
    points = _atlas_points(head, atlas)
    regions = _regions(head.array, points)
    return _finished(name, head, regions, _coarse(points))


def _finished(
    name: str, head: Volume, regions: NDArray[np.uint8], points: NDArray[np.float32]
) -> Anatomy:
    tissue = head.array.astype(np.uint8)
    affine = head.affine.copy()
    inside = np.isin(tissue, [int(t) for t in INTRACRANIAL])
    middle_ijk = np.argwhere(inside).mean(axis=0)[::-1]
    affine[:3, 3] -= apply_affine(head.affine, middle_ijk)
    fluid = np.isin(tissue, (Tissue.CSF, Tissue.VENTRICLE))
    depth = ndimage.distance_transform_edt(~fluid).astype(np.float32)
    return Anatomy(
        name=name,
        tissue=tissue,
        regions=regions,
        affine=affine,
        atlas_points=points,
        cortex_depth_mm=np.where(tissue == Tissue.CORTEX, depth, 0).astype(np.float32),
        ventricle_push=_ventricle_push(tissue),
    )


def _isotropic(head: Volume) -> Volume:
    """Return a head on a 1 mm grid along the axes of its world."""
    extent_mm = np.array(head.size) * head.spacing_mm
    affine = np.eye(4)
    middle = apply_affine(head.affine, (np.array(head.size) - 1) / 2)
    size = np.ceil(np.round(extent_mm, _EXTENT_DECIMALS)).astype(int)
    affine[:3, 3] = middle - (size - 1) / 2
    grid = Volume(np.zeros(tuple(size[::-1]), np.uint8), affine)
    return resample(head, grid, order=0)


def _grid_box(tissue: NDArray[np.uint8]) -> tuple[slice, slice, slice]:
    """Return the part of a 1 mm grid with the head, of a multiple of the coarse step plus 1 voxels along each axis."""
    box = bounding_box(tissue != Tissue.AIR, (_HEAD_MARGIN,) * 3)
    brain = bounding_box(np.isin(tissue, [int(t) for t in INTRACRANIAL]))
    spans = [slice(max(box[0].start, brain[0].stop - _HEIGHT_MM), box[0].stop), box[1], box[2]]
    fitted = []
    for span, size in zip(spans, tissue.shape, strict=True):
        extra = -(span.stop - span.start - 1) % COARSE_STEP
        stop = min(span.stop + extra, size)
        length = (stop - span.start - 1) // COARSE_STEP * COARSE_STEP + 1
        fitted.append(slice(span.start, span.start + length))
    return fitted[0], fitted[1], fitted[2]


def _atlas_points(head: Volume, atlas: Atlas) -> NDArray[np.float32]:
    """Return where each voxel lies in the atlas, shape (k, j, i, 3), RAS mm."""
    intensities = registration_intensities()
    template = atlas.render({t: float(intensities[t]) for t in Tissue})
    transform = align(
        to_sitk(head.with_array(intensities[head.array])),
        to_sitk(template.with_array(template.array.astype(np.float32))),
    )
    grid = to_sitk(head)
    field = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat32,
        grid.GetSize(),
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )
    displacement = sitk.GetArrayFromImage(field) * np.diag(LPS_FROM_RAS)[:3].astype(np.float32)
    return (grid_points(head.array.shape, head.affine) + displacement).astype(np.float32)


def _regions(tissue: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    box = bounding_box(np.isin(tissue, [int(t) for t in INTRACRANIAL]), (2, 2, 2))
    part = tissue[box]
    probabilities = np.stack(
        [ndimage.gaussian_filter((part == t).astype(np.float32), _TISSUE_SIGMA_MM) for t in Tissue]
    )
    regions = np.zeros(tissue.shape, np.uint8)
    regions[box] = draw_regions_at(probabilities, points[box])
    return regions


def _coarse(points: NDArray[np.floating]) -> NDArray[np.float32]:
    every = points[::COARSE_STEP, ::COARSE_STEP, ::COARSE_STEP]
    return np.ascontiguousarray(np.moveaxis(every, -1, 0), np.float32)


def _ventricle_push(tissue: NDArray[np.uint8]) -> NDArray[np.float32]:
    outside = ndimage.distance_transform_edt(tissue != Tissue.VENTRICLE).astype(np.float32)
    smooth = ndimage.gaussian_filter(outside, COARSE_STEP / 2)
    gradient = np.stack(np.gradient(smooth)[::-1])  # x, y, z
    length = np.maximum(np.linalg.norm(gradient, axis=0), 0.5)
    push = gradient / length * np.exp(-outside / VENTRICLE_REACH_MM)
    step = slice(None, None, COARSE_STEP)
    return np.ascontiguousarray(push[:, step, step, step], np.float32)


def _cache_key(path: Path, atlas: Atlas) -> str:
    digest = hashlib.sha256(path.read_bytes())
    digest.update(f"{_CACHE_VERSION} {sorted(atlas.sha256.items())}".encode())
    return digest.hexdigest()[:16]


def _load(path: Path, name: str) -> Anatomy:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return _unpacked(name, stored)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        message = f"expected a prepared anatomy in {path.name}, got a damaged file; delete it"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error


def _packed(anatomy: Anatomy) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an anatomy in as few bits as its use needs."""
    return {
        "tissue": anatomy.tissue,
        "regions": anatomy.regions,
        "affine": anatomy.affine,
        "atlas_points": anatomy.atlas_points.astype(np.float16),
        "cortex_depth": np.minimum(anatomy.cortex_depth_mm / _DEPTH_UNIT_MM, 255).astype(np.uint8),
        "ventricle_push": np.rint(anatomy.ventricle_push * _PUSH_UNIT).astype(np.int8),
    }


def _unpacked(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Anatomy:
    return Anatomy(
        name=name,
        tissue=arrays["tissue"],
        regions=arrays["regions"],
        affine=arrays["affine"],
        atlas_points=arrays["atlas_points"].astype(np.float32),
        cortex_depth_mm=arrays["cortex_depth"].astype(np.float32) * _DEPTH_UNIT_MM,
        ventricle_push=arrays["ventricle_push"].astype(np.float32) / _PUSH_UNIT,
    )
