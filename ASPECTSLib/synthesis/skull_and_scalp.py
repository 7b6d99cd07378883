"""What lies around the brain on CT: tables and marrow of the skull, air cells, skin, fat, muscle and eyes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Box
from ASPECTSLib.synthesis.anatomy import Anatomy
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import blurred, made_fine, voxel_of
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.repair import eroded
from ASPECTSLib.synthesis.tissue_maps import by_tissue, coarsened

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Zone:
    """An ellipsoid in the atlas, MNI152 RAS mm, on the right; its mirror image belongs to it.

    Parameters
    ----------
    middle_mm
        Of the ellipsoid.
    half_axes_mm
        Along right, anterior and superior.
    """

    middle_mm: Point
    half_axes_mm: Point


# Eyes: mean of the label 506 (eye) of 12 public whole-head label maps, carried to the atlas: x 29 to 35, y 50 to 60,
# z -49 to -40, radius 10.3 to 12.1 mm. The other zones are read off the atlas; round numbers.
EYE = Zone((33.0, 56.0, -44.0), (11.3, 11.3, 11.3))
ORBIT = Zone((30.0, 44.0, -43.0), (20.0, 26.0, 18.0))
TEMPLE = Zone((66.0, 5.0, -25.0), (24.0, 42.0, 48.0))
NECK = Zone((0.0, -75.0, -95.0), (75.0, 60.0, 50.0))
THROAT = Zone((0.0, 10.0, -105.0), (55.0, 60.0, 50.0))
CHEEK = Zone((48.0, 25.0, -70.0), (26.0, 34.0, 36.0))
MASTOID = Zone((52.0, -38.0, -48.0), (13.0, 17.0, 18.0))
OTIC_CAPSULE = Zone((26.0, -32.0, -40.0), (16.0, 11.0, 9.0))
LENS = Zone((33.0, 64.0, -44.0), (4.5, 2.2, 4.5))

# Densities, HU, from textbooks of CT: fat -120 to -70, muscle 40 to 65, marrow of the diploe 300 to 900, compact bone
# 1000 to 2000; old skulls are dense throughout. Patients and scanners differ in bone: medians of the vault above 300 HU
# were 655 to 1130 in five real scans with slices of 4 to 9 mm, measured by domain_check.py.
_FAT_HU = (-112.0, -85.0)
_MUSCLE_HU = (42.0, 58.0)
_SKIN_HU = (25.0, 70.0)
_COMPACT_HU = (650.0, 1800.0)
_DIPLOE_SHARE = (0.5, 1.3)  # of compact bone
_DIPLOE_TEXTURE = 0.2
_MARROW_LIMITS = (-0.8, 0.4)  # of its difference from compact bone, as a share
_SURFACE_SHARE = (0.25, 0.9)  # of compact bone, in voxels at its surface
_OTIC_HU = 500.0  # more than compact bone
_CELL_HU = -850.0
_VITREOUS_HU = (4.0, 16.0)
_LENS_HU = (60.0, 95.0)
_EYE_WALL_HU = 45.0

_HALF = 2
_SKIN_SIGMA = 1.5  # of the blur that tells depth under the skin, voxels of the half grid: 3 mm
_SKIN_AIR = (0.03, 0.19)  # skin of 2.5 to 5.5 mm
_FAT_AIR = (0.003, 0.07)  # fat reaches to 4.5 to 8 mm
_SKIN_STEEPNESS, _FAT_STEEPNESS = 9.0, 40.0
_UNEVEN_SKIN = 0.25
_GRAIN_SIGMA = 1.2  # of strands of fat, and of the diploe, voxels of the half grid
_GRAIN = 0.55
_BELLY_SIGMA = 1.4  # of muscles, voxels of the coarse grid
_BELLY = 1.1
_MOSTLY_FAT = -0.25
_MUSCLE_STEEPNESS = 4.0
_CELL_SIGMA_MM = 1.0
_INNER_MM = 2  # bone around air cells


def add_skull_and_scalp(density: Tensor, head: Head, draw: Draw) -> None:
    """Set the density of everything outside the skull's cavity, in place.

    Parameters
    ----------
    density
        HU, shape (k, j, i), on the grid of the head.
    head
        Gives tissue and atlas.
    draw
        Source of all randomness.
    """
    under_skin, grain = _fields(head, draw.part("fields"))
    bone = head.tissue == int(Tissue.BONE)
    scalp = head.tissue == int(Tissue.SOFT_TISSUE)
    torch.where(bone, _bone_hu(bone, grain, draw.part("skull")), density, out=density)
    torch.where(scalp, _soft_hu(under_skin, grain, draw.part("scalp")), density, out=density)
    add_skull_base(density, head, draw.part("base"))
    add_eyes(density, head, draw.part("eyes"))


def add_skull_base(density: Tensor, head: Head, draw: Draw) -> None:
    """Add air cells of the mastoids and the dense capsules of the inner ears to bone, in place."""
    pneumatised = draw.uniform(-0.6, 0.9)  # from a compact to a hollow mastoid
    for side in (1.0, -1.0):
        one = draw.part(f"side {side:.0f}")
        box, share = zone_in(head.anatomy, MASTOID, side, one)
        bone = head.tissue[box] == int(Tissue.BONE)
        cells = one.smooth(bone.shape, _CELL_SIGMA_MM) + pneumatised - 2.0 * (1.0 - share)
        hollow = eroded(bone, _INNER_MM) & (share > 0.0) & (cells > 0.0)
        density[box].masked_fill_(hollow, _CELL_HU)
        box, share = zone_in(head.anatomy, OTIC_CAPSULE, side, one)
        bone = head.tissue[box] == int(Tissue.BONE)
        density[box] += _OTIC_HU * share * bone


def add_eyes(density: Tensor, head: Head, draw: Draw) -> None:
    """Add eyeballs with their lenses to soft tissue, in place."""
    vitreous, lens = draw.uniform(*_VITREOUS_HU), draw.uniform(*_LENS_HU)
    for side in (1.0, -1.0):
        for zone, inside, rim in ((EYE, vitreous, _EYE_WALL_HU), (LENS, lens, lens)):
            box, share = zone_in(head.anatomy, zone, side, draw)
            soft = head.tissue[box] == int(Tissue.SOFT_TISSUE)
            part = density[box]
            part.masked_fill_(soft & (share > 0.0), rim)
            part.masked_fill_(soft & (share > 0.13), inside)


def zone_in(anatomy: Anatomy, zone: Zone, side: float, draw: Draw) -> tuple[Box, Tensor]:
    """Return a zone in an anatomy: a box, and 1 in the ellipsoid's middle falling to 0 at its border.

    Parameters
    ----------
    anatomy
        The head; near the zone, its axes are taken as the atlas's.
    zone
        On the right.
    side
        1 for the right, -1 for the left.
    draw
        Gives the device.
    """
    x, y, z = zone.middle_mm
    middle = voxel_of(anatomy, (side * x, y, z))[::-1]
    spans, squared = [], torch.zeros(1, 1, 1, device=draw.device)
    shape = anatomy.tissue.shape
    for axis, (centre, half) in enumerate(zip(middle, zone.half_axes_mm[::-1], strict=True)):
        start = min(max(int(centre - half), 0), shape[axis] - 1)
        span = slice(start, max(min(int(centre + half) + 2, shape[axis]), start + 1))
        along = (torch.arange(span.start, span.stop, device=draw.device) - centre) / half
        squared = squared + along.float().reshape([-1 if a == axis else 1 for a in range(3)]) ** 2
        spans.append(span)
    return (spans[0], spans[1], spans[2]), (1.0 - squared.sqrt()).clamp_min(0.0)


def _fields(head: Head, draw: Draw) -> tuple[Tensor, Tensor]:
    """Return the share of air around each voxel, and where muscle is likelier than fat, which serves as grain too."""
    is_air = {t: float(t is Tissue.AIR) for t in Tissue}
    air = blurred(coarsened(by_tissue(head.tissue, is_air), _HALF), _SKIN_SIGMA)
    grain = draw.smooth(air.shape, _GRAIN_SIGMA).mul_(_GRAIN)
    zones = functional.interpolate(
        _muscle(head.anatomy, draw)[None, None],
        size=air.shape,
        mode="trilinear",
        align_corners=True,
    )[0, 0]
    both = made_fine(torch.stack((air, zones + grain)), head.tissue.shape)
    return both[0], both[1]


def _muscle(anatomy: Anatomy, draw: Draw) -> Tensor:
    """Return where there is muscle rather than fat, on the coarse grid."""
    x, y, z = torch.from_numpy(anatomy.atlas_points).to(draw.device)
    right = torch.stack((x.abs(), y, z))
    total = draw.smooth(x.shape, _BELLY_SIGMA).mul_(_BELLY).add_(_MOSTLY_FAT)
    for zone, weight in ((TEMPLE, 3.0), (NECK, 2.2), (THROAT, 1.6), (CHEEK, 1.2), (ORBIT, -1.5)):
        middle = torch.tensor(zone.middle_mm, device=draw.device).reshape(3, 1, 1, 1)
        half = torch.tensor(zone.half_axes_mm, device=draw.device).reshape(3, 1, 1, 1)
        squared = (((right - middle) / half) ** 2).sum(dim=0)
        total += weight * draw.uniform(0.7, 1.3) * torch.exp(-(squared**2))
    return total


def _soft_hu(under_skin: Tensor, grain: Tensor, draw: Draw) -> Tensor:
    """Return the density of soft tissue: muscle and fat, covered by fat, covered by skin; its arguments are used up."""
    fat, muscle = draw.uniform(*_FAT_HU), draw.uniform(*_MUSCLE_HU)
    under_skin.addcmul_(under_skin, grain, value=_UNEVEN_SKIN)
    level = draw.log_uniform(*_FAT_AIR)
    padding = ((under_skin - level).mul_(_FAT_STEEPNESS)).add_(0.5).clamp_(0.0, 1.0)
    share = grain.mul_(_MUSCLE_STEEPNESS).sigmoid_()
    hu = share.addcmul_(share, padding, value=-1.0).mul_(muscle - fat).add_(fat)
    level, skin_hu = draw.uniform(*_SKIN_AIR), draw.uniform(*_SKIN_HU)
    skin = under_skin.sub_(level).mul_(_SKIN_STEEPNESS).add_(0.5).clamp_(0.0, 1.0)
    return hu.addcmul_(hu, skin, value=-1.0).add_(skin, alpha=skin_hu)


def _bone_hu(bone: Tensor, grain: Tensor, draw: Draw) -> Tensor:
    """Return the density of bone: a surface that is not all bone, compact tables, and marrow between them."""
    compact = draw.uniform(*_COMPACT_HU)
    diploe, surface = draw.uniform(*_DIPLOE_SHARE), draw.uniform(*_SURFACE_SHARE)
    below = eroded(bone, 1)
    inner = eroded(below, 1)
    marrow = (grain * _DIPLOE_TEXTURE).add_(diploe - 1.0).clamp_(*_MARROW_LIMITS).mul_(inner)
    return marrow.add_(below, alpha=1.0 - surface).add_(surface).mul_(compact)
