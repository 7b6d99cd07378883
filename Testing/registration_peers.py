"""Registrations of this project and of others under one call, for the benchmark; what is not installed is left out."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from registration_pairs import Head, Pair

from ASPECTSLib.geometry import Volume, bounding_box, centred_affine, crop, shrink, shrink_factors
from ASPECTSLib.io.images import from_sitk, to_sitk
from ASPECTSLib.registration import affine, deformable, mapping
from ASPECTSLib.registration.mapping import affine_from_sitk, displacement_from_sitk
from ASPECTSLib.registration.settings import DeformableSettings

Register = Callable[[Pair, int], mapping.Mapping]
"""Takes a pair and the number of threads; gives the mapping from fixed to moving points."""

GREEDY = "greedy, weighted NCC, tuned"
GREEDY_METRIC = "-m WNCC 2x2x2"
GREEDY_STEPS = "-n 100x50"
MARGIN_MM = 10.0
THICK_SLICES_MM = (2.0, 2.0, 2.5)  # slices stay as they are
ISOTROPIC_MM = 2.0


def peers() -> Mapping[str, Register]:
    """Return the registrations that can be run here, by name."""
    found: dict[str, Register] = {}
    if importlib.util.find_spec("picsl_greedy"):
        found[GREEDY] = _greedy
        found["greedy, affine"] = partial(_greedy, deforms=False)
    found["SimpleITK affine"] = _affine_by_simpleitk
    found["SimpleITK demons"] = _demons
    found["this project, affine"] = _affine_in_torch
    found["this project"] = partial(_in_torch, settings=DeformableSettings())
    one_moves = DeformableSettings(symmetric=False)
    found["this project, one image moves"] = partial(_in_torch, settings=one_moves)
    if importlib.util.find_spec("ants"):
        found["ANTs SyNQuick"] = partial(_ants, kind="antsRegistrationSyNQuick[s]")
        found["ANTs SyN, mutual information"] = partial(_ants, kind="SyN")
        found["ANTs SyN, cross-correlation"] = partial(_ants, kind="SyNCC")
    if importlib.util.find_spec("fireants"):
        found["FireANTs greedy"] = _fireants
    return found


def _posed(head: Head) -> Volume:
    """Return the image in its symmetric pose, by its header alone."""
    return Volume(head.image.array, head.pose @ head.image.affine)


def _affine(pair: Pair, register: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the matrix from fixed to moving points; the moving head is posed, as the atlas is."""
    to_pose = register(pair.fixed.image, _posed(pair.moving), pair.fixed.pose)
    return np.linalg.inv(pair.moving.pose) @ to_pose


def _affine_in_torch(pair: Pair, _threads: int) -> mapping.Mapping:
    from ASPECTSLib.registration import torch_affine

    return mapping.Mapping(_affine(pair, torch_affine.register_affine))


def _in_torch(pair: Pair, _threads: int, *, settings: DeformableSettings) -> mapping.Mapping:
    from ASPECTSLib.registration import torch_affine, torch_deformable

    matrix = _affine(pair, torch_affine.register_affine)
    return torch_deformable.register_deformable(
        pair.fixed.image, pair.moving.image, matrix, settings
    )


def _affine_by_simpleitk(pair: Pair, _threads: int) -> mapping.Mapping:
    return mapping.Mapping(_affine(pair, affine.register_affine))


def _demons(pair: Pair, _threads: int) -> mapping.Mapping:
    matrix = _affine(pair, affine.register_affine)
    return deformable.register_deformable(pair.fixed.image, pair.moving.image, matrix)


def _thick(volume: Volume) -> Volume:
    margin = tuple(int(np.ceil(MARGIN_MM / s)) for s in volume.spacing_mm[::-1])
    part = crop(volume, bounding_box(volume.array > 0, margin))
    return shrink(part, shrink_factors(part, THICK_SLICES_MM))


def _greedy(pair: Pair, threads: int, *, deforms: bool = True) -> mapping.Mapping:
    """Run greedy (GPL) with what was found to be best on real head CT: see the docstring of the benchmark."""
    with _silence():
        return _run_greedy(pair, threads, deforms)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep away what compiled code writes straight to the terminal."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _run_greedy(pair: Pair, threads: int, deforms: bool) -> mapping.Mapping:
    from picsl_greedy import Greedy3D

    greedy, quiet = Greedy3D(), io.StringIO()
    fixed = _thick(pair.fixed.image)
    images = {"fixed": to_sitk(fixed), "moving": to_sitk(_thick(pair.moving.image))}
    start = f"-threads {threads} -V 0 -i fixed moving {GREEDY_METRIC} {GREEDY_STEPS}"
    command = f"{start} -o affine -a -dof 12 -ia-image-centers"
    greedy.execute(command, out=quiet, err=quiet, affine=None, **images)
    matrix = np.array(greedy["affine"])
    if not deforms:
        return mapping.Mapping(matrix)
    greedy.execute(f"{start} -o warp -it affine -s 8mm 3mm", out=quiet, err=quiet, warp=None)
    return mapping.Mapping(matrix, displacement_from_sitk(greedy["warp"]), fixed)


def _isotropic(volume: Volume) -> sitk.Image:
    part = _thick(volume)
    size_mm = np.array(part.size) * part.spacing_mm
    shape = tuple(np.ceil(size_mm / ISOTROPIC_MM).astype(int)[::-1])
    grid_affine = centred_affine(shape, np.full(3, ISOTROPIC_MM))
    centre = part.affine @ [*((np.array(part.size) - 1) / 2), 1]
    grid_affine[:3, 3] += centre[:3]
    like = to_sitk(Volume(np.zeros(shape, np.float32), grid_affine))
    return sitk.Resample(to_sitk(part), like, sitk.Transform(), sitk.sitkLinear, 0.0)


def _ants(pair: Pair, _threads: int, *, kind: str) -> mapping.Mapping:
    import ants

    fixed, moving = (ants.from_sitk(_isotropic(head.image)) for head in (pair.fixed, pair.moving))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        done = ants.registration(
            fixed, moving, type_of_transform=kind, outprefix=f"{folder}/", random_seed=1
        )
        warp_path, affine_path = done["fwdtransforms"]
        warp = sitk.ReadImage(warp_path, sitk.sitkVectorFloat64)
        matrix = affine_from_sitk(sitk.AffineTransform(sitk.ReadTransform(affine_path)))
    grid = from_sitk(sitk.VectorIndexSelectionCast(warp, 0))
    return mapping.Mapping(matrix, displacement_from_sitk(warp), grid)


def _fireants(pair: Pair, _threads: int) -> mapping.Mapping:
    """Run FireANTs on the CPU, affine and then greedy, with its tutorial's settings but fewer steps; not tuned."""
    from fireants.io import BatchedImages, Image
    from fireants.registration.affine import AffineRegistration
    from fireants.registration.greedy import GreedyRegistration

    grid = _isotropic(pair.fixed.image)
    images = [
        BatchedImages([Image(image, device="cpu")])
        for image in (grid, _isotropic(pair.moving.image))
    ]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        start = AffineRegistration([4, 2, 1], [100, 50, 25], *images, optimizer_lr=3e-3)
        start.optimize()
        greedy = GreedyRegistration(
            [4, 2, 1],
            [100, 50, 25],
            *images,
            init_affine=start.get_affine_matrix().detach(),
            cc_kernel_size=5,
            deformation_type="compositive",
            optimizer_lr=0.5,
        )
        greedy.optimize()
        greedy.save_as_ants_transforms(f"{folder}/warp.nii.gz")
        warp = sitk.ReadImage(f"{folder}/warp.nii.gz", sitk.sitkVectorFloat64)
    field = from_sitk(sitk.VectorIndexSelectionCast(warp, 0))
    return mapping.Mapping(np.eye(4), displacement_from_sitk(warp), field)
