"""Which atlas the regions of a head CT come from, and the regions that it gives: by age, in space or on two slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ASPECTSLib.atlas.age_groups import AgeGroup, age_group
from ASPECTSLib.atlas.atlas import ATLAS_FOLDER, load_atlas
from ASPECTSLib.atlas.opening import HeadAtlas, groups_of, open_atlas
from ASPECTSLib.atlas.slice_atlas import SliceAtlas
from ASPECTSLib.atlases.slice_mapping import RoughHead, map_slices
from ASPECTSLib.delineation import Delineation, RegionSource, delineate
from ASPECTSLib.evidence import averaged_slices
from ASPECTSLib.geometry import Volume, expand
from ASPECTSLib.methods import ATLAS_REGISTRATION
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.route import RegistrationRoute
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.systems.study import ScoreOptions

WHOLE_HEAD, TWO_SLICES = "3d", "two-slice"
"""Modes, as the result names them."""


@dataclass(frozen=True, eq=False)
class AtlasRegions:
    """The regions of a head, and the atlas that they come from.

    Parameters
    ----------
    found
        Regions and how well they fit.
    atlas
        For the result.
    options
        What the result says of the choice.
    warnings
        Of the choice.
    """

    found: Delineation
    atlas: HeadAtlas | SliceAtlas
    options: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[WarningInfo, ...] = ()


@dataclass(frozen=True, eq=False)
class _Fitted:
    """An atlas with the regions that it gives, and the age group that it is of."""

    found: Delineation
    atlas: HeadAtlas
    group: AgeGroup | None


def find_by_atlas(
    volume: Volume, options: ScoreOptions, age_years: float | None, progress: Progress
) -> AtlasRegions:
    """Find the regions of a head CT by the atlas that the user and the patient's age ask for.

    Without `--atlas`, and but for the method `atlas-registration`, it is the atlas of all ages that ships.

    Parameters
    ----------
    volume
        HU, in the image frame.
    options
        Method, atlas, and where regions come from.
    age_years
        Of the patient; without it, the age group that fits best is taken.
    progress
        Told of each stage, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If the scan holds no brain, or not all regions; or the folder holds no atlas.
    ResourceError
        If an atlas is damaged.
    """
    if options.atlas is None and options.method != ATLAS_REGISTRATION:
        atlas = load_atlas()
        found = delineate(volume, atlas, options.regions, progress, options.registration)
        return AtlasRegions(found, atlas)
    folder = ATLAS_FOLDER if options.atlas is None else Path(options.atlas)
    groups = _groups_to_try(groups_of(folder), age_years)
    first = open_atlas(folder, groups[0])
    if isinstance(first, SliceAtlas):
        return _on_slices(volume, first, age_years, options.registration, progress)
    route = options.registration
    fits = [_fit(volume, first, groups[0], route, progress)]
    fits += [
        _fit(volume, open_atlas(folder, group), group, route, progress) for group in groups[1:]
    ]
    best = max(fits, key=lambda fit: fit.found.quality.correlation)
    chosen = _chosen(WHOLE_HEAD, best.atlas.name, best.group, age_years)
    return AtlasRegions(best.found, best.atlas, chosen, _age_warnings(best.group, age_years))


def _groups_to_try(
    there: Sequence[AgeGroup], age_years: float | None
) -> tuple[AgeGroup | None, ...]:
    """Return the group of an age, or the nearest that there is; all, where the age is not known."""
    if not there:
        return (None,)
    if age_years is None:
        return tuple(there)
    order, wanted = list(AgeGroup), age_group(age_years)
    return (min(there, key=lambda group: abs(order.index(group) - order.index(wanted))),)


def _fit(
    volume: Volume,
    atlas: HeadAtlas,
    group: AgeGroup | None,
    route: RegistrationRoute,
    progress: Progress,
) -> _Fitted:
    found = delineate(volume, atlas, RegionSource.REGISTRATION, progress, route)
    return _Fitted(found, atlas, group)


def _on_slices(
    volume: Volume,
    atlas: SliceAtlas,
    age_years: float | None,
    route: RegistrationRoute,
    progress: Progress,
) -> AtlasRegions:
    """Find the key slices by the atlas that ships, and the regions on them by the slices of another."""
    group = _groups_to_try(groups_of(ATLAS_FOLDER), age_years)[0] if age_years is not None else None
    shipped = load_atlas(group=group)
    rough = delineate(volume, shipped, RegionSource.REGISTRATION, progress, route)
    progress.stage("regions on two slices", 0.65)
    factors = (1, 1, averaged_slices(volume))
    brain = expand(rough.prepared.mask.array, factors, volume)
    head = RoughHead(volume, brain, rough.labels)
    mapped = map_slices(head, shipped.regions, atlas, age_years, progress)
    fits = mapped.fits.values()
    quality = replace(
        rough.quality,
        brain_dice=min(rough.quality.brain_dice, *(fit.brain_dice for fit in fits)),
        correlation=min(rough.quality.correlation, *(fit.correlation for fit in fits)),
    )
    return AtlasRegions(
        replace(rough, labels=mapped.labels, quality=quality),
        atlas.of_group(mapped.group),
        _chosen(TWO_SLICES, atlas.name, mapped.group, age_years),
        _age_warnings(mapped.group, age_years),
    )


def _chosen(
    mode: str, name: str, group: AgeGroup | None, age_years: float | None
) -> dict[str, Any]:
    """Return what the result says of the choice."""
    by = None if group is None else ("fit" if age_years is None else "age")
    group_name = None if group is None else group.value
    return {"atlas": name, "atlas_mode": mode, "age_group": group_name, "age_group_by": by}


def _age_warnings(group: AgeGroup | None, age_years: float | None) -> tuple[WarningInfo, ...]:
    if group is None:
        return ()
    if age_years is None:
        message = f"the age is not known: the atlas of {group.value} years fits best and was taken"
        return (WarningInfo("AGE_UNKNOWN", message),)
    if not group.holds(age_years):
        message = f"the atlas of {group.value} years was taken, the nearest to the patient's age"
        return (WarningInfo("AGE_BEYOND_ATLAS", message),)
    return ()
