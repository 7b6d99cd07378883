"""What goes wrong in head CT, and what lies in the picture besides the patient; all on the scan's own slices.

Scans are float32 in HU, shape (slices, rows, columns), in the image frame: columns run to the right, rows to the
front, slices to the head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.synthesis.beam_hardening import beam_hardening_error
from ASPECTSLib.synthesis.draw import Draw

PADDING_HU = (-1024.0, -1500.0, -2000.0, -3024.0)
"""What scanners write where they reconstruct nothing; round numbers of several makers."""

_HEAD_HU = -300.0
_AIR_HU = -700.0
_BONE_HU = 300.0
_LEAST_HEAD_MM2 = 200.0  # in a row or slice, to count as head

# Sizes and densities below are round numbers, from looking at scans with such artefacts.
_BAND_HU = (3.0, 22.0)
_MOTION_SLICES = 6
_MOTION_MM = 2.5  # the truth stays where it is, so that no more would be fair
_MOTION_DEG = 2.0
_DOUBLED = (0.3, 0.7)  # share of the moved picture where edges are doubled
_METAL_HU = 3000.0
_METAL_RADIUS_MM = (1.0, 4.0)
_STREAK_HU = (80.0, 500.0)  # at the metal
_STREAK_REACH_MM = 9.0
_STREAK_PAIRS = (9, 40)
_STREAK_WAVES = 4
_METAL_HEIGHT_MM = (3.0, 9.0)
_SHELL_HU = (-400.0, 250.0)
_SHARE_WITH_TABLE, _SHARE_WITH_FOAM = 0.5, 0.5
_FOAM_HU = -960.0
_FOAM_MM = (4.0, 14.0)
_HOLDER_RADIUS_MM = (95.0, 160.0)
_HOLDER_GAP_MM = (1.0, 18.0)
_HOLDER_ANGLE_DEG = (35.0, 80.0)
_SHELL_MM = (0.8, 2.5)
_LEFT_SCALP_MM = (0.0, 5.0)
_REACH_QUANTILE = 0.995
_TABLE_RADIUS_MM = (250.0, 600.0)
_TABLE_GAP_MM = (25.0, 60.0)
_TABLE_ANGLE_DEG = 60.0

# Places of metal from the middle of the head, mm: lateral, to the front, below the vertex.
_CLIP_MM = ((-35.0, 35.0), (-20.0, 30.0), (85.0, 120.0))
_IMPLANT_MM = ((58.0, 72.0), (-30.0, 5.0), (85.0, 125.0))
_TEETH_MM = ((-25.0, 25.0), (45.0, 75.0), (140.0, 165.0))


@dataclass(frozen=True)
class ArtefactRates:
    """Share of scans with each artefact.

    Parameters
    ----------
    beam_hardening
        Dark bands between dense bones.
    motion
        Slices that are shifted, turned or doubled.
    metal
        Streaks from a clip, an implant or teeth.
    holder
        Head holder, and often the table below it.
    circle
        Nothing beyond the circle that was reconstructed.
    cut
        A field of view that leaves out part of the scalp.
    """

    beam_hardening: float = 0.35
    motion: float = 0.05
    metal: float = 0.04
    holder: float = 0.6
    circle: float = 0.3
    cut: float = 0.04

    @classmethod
    def none(cls) -> ArtefactRates:
        """Return what leaves every scan as it is."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def with_artefacts(
    scan: Tensor, spacing_mm: tuple[float, float, float], rates: ArtefactRates, draw: Draw
) -> Tensor:
    """Add the artefacts of one scan that come before its noise.

    Parameters
    ----------
    scan
        Without noise.
    spacing_mm
        Of its columns, rows and slices.
    rates
        How often.
    draw
        Source of all randomness.
    """
    for name, rate, add in (
        ("motion", rates.motion, add_motion),
        ("holder", rates.holder, add_holder),
        ("beam hardening", rates.beam_hardening, add_beam_hardening),
        ("metal", rates.metal, add_metal),
    ):
        one = draw.part(name)
        if one.chance(rate):
            scan = add(scan, spacing_mm, one)
    return scan


def with_field_of_view(
    scan: Tensor, pixel_mm: float, lowest_hu: float, rates: ArtefactRates, draw: Draw
) -> Tensor:
    """Limit densities as a scan's file does, and clear what was not reconstructed.

    Parameters
    ----------
    scan
        With noise.
    pixel_mm
        Pixel spacing.
    lowest_hu
        No density lies below it; where it is 0, the padding is 0 too.
    rates
        How often the field of view is a circle, or cut.
    draw
        Source of all randomness.
    """
    scan = scan.clamp_min(lowest_hu)
    radius_mm = math.inf
    if draw.part("circle").chance(rates.circle):
        radius_mm = (scan.shape[2] - 1) / 2.0 * pixel_mm
    cut = draw.part("cut")
    if cut.chance(rates.cut):
        radius_mm = min(radius_mm, skull_reach_mm(scan, pixel_mm) + cut.uniform(*_LEFT_SCALP_MM))
    if math.isinf(radius_mm):
        return scan
    padding_hu = draw.part("padding").pick(PADDING_HU) if lowest_hu < 0.0 else lowest_hu
    right, front = _axes_mm(scan, pixel_mm)
    return scan.masked_fill(torch.hypot(right, front) > radius_mm, padding_hu)


def add_motion(scan: Tensor, spacing_mm: tuple[float, float, float], draw: Draw) -> Tensor:
    """Shift and turn a run of slices by little; in half of the cases edges are doubled."""
    count = 1 + int(draw.generator.integers(min(_MOTION_SLICES, len(scan))))
    start = int(draw.generator.integers(len(scan) - count + 1))
    angle = math.radians(draw.uniform(-_MOTION_DEG, _MOTION_DEG))
    rows, columns = scan.shape[1:]
    shift = [
        2.0 * draw.uniform(-_MOTION_MM, _MOTION_MM) / spacing_mm[0] / n for n in (columns, rows)
    ]
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[cos, -sin, shift[0]], [sin, cos, shift[1]]], device=scan.device)
    run = scan[start : start + count][:, None]
    grid = functional.affine_grid(matrix.expand(count, 2, 3), run.shape, align_corners=False)
    moved = functional.grid_sample(run, grid, padding_mode="border", align_corners=False)
    share = draw.uniform(*_DOUBLED) if draw.chance(0.5) else 1.0
    scan = scan.clone()
    scan[start : start + count] = torch.lerp(run, moved, share)[:, 0]
    return scan


def add_beam_hardening(scan: Tensor, spacing_mm: tuple[float, float, float], draw: Draw) -> Tensor:
    """Add dark bands between dense bones, with the mean of soft tissue kept."""
    error = beam_hardening_error(scan, spacing_mm[0])
    soft = (scan > 0.0) & (scan < 100.0)
    inside = error[soft][::17]
    if not len(inside):
        return scan
    inside = inside - inside.mean()
    # The darkest hundredth decides: bands lie in few slices.
    deepest = -float(torch.quantile(inside[:: max(len(inside) // 100000, 1)], 0.01))
    strength = draw.uniform(*_BAND_HU) / max(deepest, 1e-6)
    return scan + (error - error[soft].mean()) * strength


def add_metal(scan: Tensor, spacing_mm: tuple[float, float, float], draw: Draw) -> Tensor:
    """Add a piece of metal with streaks: an aneurysm clip, an implant in the ear, or a tooth's filling."""
    pixel_mm, _, slice_mm = spacing_mm
    place = draw.pick((_CLIP_MM, _IMPLANT_MM, _TEETH_MM))
    lateral, front, below = (draw.uniform(*limits) for limits in place)
    middle = _head_middle_mm(scan, spacing_mm)
    if middle is None:
        return scan
    right_mm, front_mm, vertex = middle
    level = vertex - below / slice_mm
    right, ahead = _axes_mm(scan, pixel_mm)
    right = right - (right_mm + lateral * draw.pick((-1.0, 1.0)))
    ahead = ahead - (front_mm + front)
    away = torch.hypot(right, ahead)
    streaks = _rays(torch.atan2(ahead, right), draw) / (1.0 + away / _STREAK_REACH_MM)
    streaks *= draw.log_uniform(*_STREAK_HU)
    metal = away < draw.uniform(*_METAL_RADIUS_MM)
    half = draw.uniform(*_METAL_HEIGHT_MM) / 2.0 / slice_mm
    scan = scan.clone()
    for k in range(max(round(level - half), 0), min(round(level + half), len(scan) - 1) + 1):
        scan[k] += streaks
        scan[k].masked_fill_(metal, _METAL_HU)
    return scan


def add_holder(scan: Tensor, spacing_mm: tuple[float, float, float], draw: Draw) -> Tensor:
    """Add a head holder, a thin arc behind the occiput, and in half of the cases the table under it."""
    middle = _head_middle_mm(scan, spacing_mm)
    back = _occiput_mm(scan, spacing_mm[0])
    if middle is None or back is None:
        return scan
    back -= draw.uniform(*_HOLDER_GAP_MM)
    picture = torch.full(scan.shape[1:], -math.inf, device=scan.device)
    arcs = [(draw.uniform(*_HOLDER_RADIUS_MM), back, draw.uniform(*_HOLDER_ANGLE_DEG))]
    if draw.chance(_SHARE_WITH_TABLE):
        back -= draw.uniform(*_TABLE_GAP_MM)
        arcs.append((draw.uniform(*_TABLE_RADIUS_MM), back, _TABLE_ANGLE_DEG))
    right, front = _axes_mm(scan, spacing_mm[0])
    right = right - middle[0]
    for radius_mm, lowest_mm, angle_deg in arcs:
        away = torch.hypot(right, front - (lowest_mm + radius_mm)) - radius_mm
        below = torch.atan2(right.abs(), (lowest_mm + radius_mm) - front)
        _draw_arc(picture, away, below < math.radians(angle_deg), draw)
    return torch.where((scan < _AIR_HU) & (picture > scan), picture, scan)


def skull_reach_mm(scan: Tensor, pixel_mm: float) -> float:
    """Return how far bone reaches from the middle of the picture; infinite where there is none."""
    bone = (scan > _BONE_HU).any(dim=0)
    away = torch.hypot(*_axes_mm(scan, pixel_mm))[bone]
    return float(torch.quantile(away, _REACH_QUANTILE)) if len(away) else math.inf


def _draw_arc(picture: Tensor, away: Tensor, within: Tensor, draw: Draw) -> None:
    """Draw a shell with foam behind it, and at times a second shell behind that, where nothing denser is drawn."""
    pixel_mm = float((away[0, 1:] - away[0, :-1]).abs().max().clamp_min(1e-3))
    thickness, hu = draw.uniform(*_SHELL_MM), draw.uniform(*_SHELL_HU)
    foam_mm = draw.uniform(*_FOAM_MM)
    foam = within & (away > 0.0) & (away < foam_mm)
    picture.masked_fill_(foam, _FOAM_HU)
    for start in (0.0, foam_mm) if draw.chance(_SHARE_WITH_FOAM) else (0.0,):
        share = ((thickness + pixel_mm) / 2.0 - (away - start).abs()) / pixel_mm
        share = share.clamp(0.0, min(thickness / pixel_mm, 1.0)) * within
        shell = -1000.0 + (hu + 1000.0) * share
        torch.where(share > 0.0, torch.maximum(picture, shell), picture, out=picture)


def _rays(angle: Tensor, draw: Draw) -> Tensor:
    """Return streaks by angle, of mean 0 around the circle and of about unit height."""
    total = torch.zeros_like(angle)
    for _ in range(_STREAK_WAVES):
        # Every streak runs through the metal to its other side: an even number of waves.
        waves = 2 * draw.pick(range(*_STREAK_PAIRS))
        total += torch.cos(waves * angle + draw.uniform(0.0, 2.0 * math.pi))
    return (total / _STREAK_WAVES).pow(3).mul_(4.0)


def _axes_mm(scan: Tensor, pixel_mm: float) -> tuple[Tensor, Tensor]:
    """Return how far to the right and to the front each pixel lies from the middle of the picture."""
    front, right = torch.meshgrid(
        *(
            (torch.arange(n, dtype=torch.float32, device=scan.device) - (n - 1) / 2) * pixel_mm
            for n in scan.shape[1:]
        ),
        indexing="ij",
    )
    return right, front


def _head_middle_mm(
    scan: Tensor, spacing_mm: tuple[float, float, float]
) -> tuple[float, float, float] | None:
    """Return the middle of the head to the right and to the front, and the slice of its vertex."""
    head = scan[:, ::4, ::4] > _HEAD_HU
    area_mm2 = head.sum(dim=(1, 2)) * (4.0 * spacing_mm[0]) ** 2
    present = torch.nonzero(area_mm2 > _LEAST_HEAD_MM2)
    if not len(present):
        return None
    right, front = _axes_mm(head, 4.0 * spacing_mm[0])
    outline = head.any(dim=0)
    return float(right[outline].mean()), float(front[outline].mean()), float(present.max())


def _occiput_mm(scan: Tensor, pixel_mm: float) -> float | None:
    """Return how far to the front the hindmost row with some head lies, mm from the middle of the picture."""
    width_mm = (scan > _HEAD_HU).any(dim=0).sum(dim=1) * pixel_mm
    rows = torch.nonzero(width_mm > 20.0)
    if not len(rows):
        return None
    return (float(rows.min()) - (scan.shape[1] - 1) / 2) * pixel_mm
