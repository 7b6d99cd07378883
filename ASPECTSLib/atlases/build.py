"""The one place that knows the way from labelled head CT to a template atlas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.template_atlas import TemplateAtlas
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.atlases.build_cases import BuildCase, PreparedCase, prepare_case
from ASPECTSLib.atlases.build_store import Arrays, BuildStore
from ASPECTSLib.atlases.groupwise import (
    Template,
    TemplateSums,
    add_case,
    denoised,
    inverse_of,
    mean_shift_mm,
    mean_template,
    sharpened,
    symmetrised,
    to_mean_shape,
)
from ASPECTSLib.atlases.registration_route import RegisterHeads, register_heads
from ASPECTSLib.atlases.voting import count_votes, decide, moved_votes
from ASPECTSLib.errors import ErrorCode, InputRefusedError, OutputError, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.preprocessing.midplane import Midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine
from ASPECTSLib.registration.mapping import Mapping, warp

MIN_CASES = 3
"""Fewer make no majority."""

SHAPE_STEP = 0.25
"""Share of the way to the mean shape that the template is moved in an iteration (Avants et al. 2010).

A registration that favours one of its images by 0.4 mm would carry the template away by as much each time."""

RECIPE = 2
"""Goes up with every change of what comes out, for a stopped run never to go on with another program's work."""

_VERSION = "1"
_ALIGNING = 0.15  # share of the work before the first iteration


@dataclass(frozen=True)
class BuildOptions:
    """Choices of the user.

    Parameters
    ----------
    name
        Of the atlas.
    iterations
        Of registration and averaging; the paper has four.
    sharpen
        Whether each new template is sharpened by its Laplacian, and the last one freed of the noise that this raises.

    Raises
    ------
    UsageError
        USAGE for no iteration, or an empty name.
    """

    name: str = "site-atlas"
    iterations: int = 4
    sharpen: bool = True

    def __post_init__(self) -> None:
        if self.iterations < 1 or not self.name:
            message = f"expected a name and at least one iteration, got {self.iterations}"
            raise UsageError(ErrorCode.USAGE, message)

    def record(self) -> dict[str, object]:
        """Return all options as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class LeftOut:
    """A case that could not be used, and why."""

    case: str
    code: ErrorCode
    message: str


@dataclass(frozen=True, eq=False)
class BuildStep:
    """An iteration: the template that came of it, and how far the one before lay from the cases.

    Parameters
    ----------
    template
        In the mean shape, sharpened where that was asked for.
    shift_mm
        Mean displacement from the template before to the cases, RAS mm, shape (k, j, i, 3) on its grid.
    mean_shift_mm, mean_spread_mm
        Length of the mean displacement, and mean length of all displacements, over the brain.
    spread_mm
        float32, shape (k, j, i): mean length of all displacements.
    """

    template: Template
    shift_mm: NDArray[np.float64]
    mean_shift_mm: float
    mean_spread_mm: float
    spread_mm: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BuiltAtlas:
    """A template atlas, and how it came about.

    Parameters
    ----------
    atlas
        The result.
    affine_mean
        The plain mean after affine registration, which the iterations begin with.
    steps
        The iterations.
    cases
        Names of those that took part.
    left_out
        The others.
    """

    atlas: TemplateAtlas
    affine_mean: Template
    steps: tuple[BuildStep, ...]
    cases: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, eq=False)
class _Aligned:
    """A prepared case and the affine matrix from points of the template to its own."""

    case: PreparedCase
    to_case: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Work:
    """What every step of a build needs; `memory` holds what a store without a folder does not."""

    grid: Volume
    regions_grid: Volume
    options: BuildOptions
    store: BuildStore
    progress: Progress
    register: RegisterHeads
    memory: dict[str, Arrays] = field(default_factory=dict)

    def keep(self, name: str, arrays: Arrays) -> None:
        """Keep arrays on disk, or in memory where there is no folder."""
        if self.store.is_on_disk:
            self.store.keep(name, arrays)
        else:
            self.memory[name] = arrays

    def read(self, name: str) -> Arrays | None:
        """Return what was kept; None for nothing."""
        return self.store.read(name) if self.store.is_on_disk else self.memory.get(name)

    def case(self, name: str) -> _Aligned:
        """Return a case that was aligned before."""
        kept = self.read(f"case-{name}")
        if kept is None:
            message = f"expected to find the prepared case {name} again, but it is gone"
            raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message)
        return _unpacked(kept)


def build_atlas(
    cases: Sequence[BuildCase],
    base: Atlas,
    options: BuildOptions,
    progress: Progress,
    store: BuildStore | None = None,
    register: RegisterHeads = register_heads,
) -> BuiltAtlas:
    """Build a template atlas from labelled head CT.

    Parameters
    ----------
    cases
        At least `MIN_CASES`; those that cannot be used are left out and told.
    base
        The atlas that ships: it gives the space and the first target.
    options
        Choices of the user.
    progress
        Told of each step, and asked for cancellation.
    store
        Keeps what is done, for a stopped run to go on exactly where it was.
    register
        The deformable registration.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if fewer than `MIN_CASES` cases can be used.
    CancelledError
        If the work was cancelled.
    """
    grid = base.brain_probability()
    work = _Work(grid, base.regions, options, store or BuildStore(), progress, register)
    names, left_out = _align_all(cases, base, work)
    if len(names) < MIN_CASES:
        reason = f"; {left_out[0].message}" if left_out else ""
        message = f"expected at least {MIN_CASES} cases to build from, got {len(names)}{reason}"
        raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
    affine_mean = _affine_mean(names, work)
    template, steps = affine_mean, []
    for number in range(1, options.iterations + 1):
        step = _iterate(names, template, number, work)
        template = step.template
        steps.append(step)
    regions = _regions(names, steps[-1], work)
    return BuiltAtlas(
        TemplateAtlas(template.image, template.brain, regions, options.name, _VERSION, {}),
        affine_mean,
        tuple(steps),
        tuple(names),
        tuple(left_out),
    )


def by_age_group(cases: Sequence[BuildCase]) -> dict[AgeGroup | None, tuple[BuildCase, ...]]:
    """Return the cases of each age group that has enough of them.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if no group has `MIN_CASES`.
    """
    groups = {group: tuple(c for c in cases if c.group is group) for group in AgeGroup}
    enough = {group: members for group, members in groups.items() if len(members) >= MIN_CASES}
    if not enough:
        counts = ", ".join(f"{len(members)} of {group}" for group, members in groups.items())
        message = f"expected at least {MIN_CASES} cases of an age group, got {counts} years"
        raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
    return enough


def _align_all(
    cases: Sequence[BuildCase], base: Atlas, work: _Work
) -> tuple[list[str], list[LeftOut]]:
    """Prepare all cases and register them to the base by affine maps; return who can be used, and who not."""
    names, left_out = [], []
    for number, case in enumerate(cases):
        fraction = _ALIGNING * number / len(cases)
        work.progress.stage(f"aligning case {number + 1} of {len(cases)}", fraction)
        if work.read(f"case-{case.name}") is None:
            try:
                work.keep(f"case-{case.name}", _packed(_align(case, base, work.progress)))
            except InputRefusedError as error:
                left_out.append(LeftOut(case.name, error.code, error.message))
                continue
        names.append(case.name)
    return names, left_out


def _align(case: BuildCase, base: Atlas, progress: Progress) -> _Aligned:
    prepared = prepare_case(case, base)
    template = base.render(NCCT_CONTRAST_HU)
    matrix = register_affine(prepared.fixed, template, prepared.midplane.pose, progress)
    return _Aligned(prepared, np.linalg.inv(matrix))


def _affine_mean(names: Sequence[str], work: _Work) -> Template:
    sums = TemplateSums.empty(work.grid)
    for name in names:
        work.progress.check()
        one = work.case(name)
        add_case(sums, one.case, Mapping(one.to_case), work.grid)
    return mean_template(sums, work.grid)


def _iterate(names: Sequence[str], template: Template, number: int, work: _Work) -> BuildStep:
    """Register all cases to a template and return the next one; what an earlier run has done is taken up."""
    sums, is_last = _kept_sums(number, work), number == work.options.iterations
    share = (1 - _ALIGNING) / work.options.iterations
    for position in range(sums.count, len(names)):
        done = _ALIGNING + share * (number - 1 + position / len(names))
        title = f"iteration {number} of {work.options.iterations}, case {position + 1}"
        work.progress.stage(f"{title} of {len(names)}", done)
        one = work.case(names[position])
        images = template.image, one.case.fixed
        mapping = work.register(*images, one.to_case, work.progress, closely=is_last)
        add_case(sums, one.case, mapping, work.grid)
        if is_last:
            labels = warp(one.case.labels, mapping, work.regions_grid, labels=True)
            work.keep(f"labels-{names[position]}", {"labels": labels.array})
        work.keep(f"sums-{number}", asdict(sums))
    return _next_template(sums, work, is_last=is_last)


def _kept_sums(number: int, work: _Work) -> TemplateSums:
    kept = work.read(f"sums-{number}")
    if kept is None:
        return TemplateSums.empty(work.grid)
    return TemplateSums(**{**kept, "count": int(kept["count"])})


def _next_template(sums: TemplateSums, work: _Work, *, is_last: bool) -> BuildStep:
    mean, shift_mm = mean_template(sums, work.grid), mean_shift_mm(sums)
    template = symmetrised(to_mean_shape(mean, SHAPE_STEP * shift_mm))
    if work.options.sharpen:
        template = sharpened(template)
        # Not before the last: heads were registered a little worse to smoother templates.
        template = symmetrised(denoised(template) if is_last else template)
    inside = mean.brain.array > 0.5
    spread_mm = sums.spread_mm / sums.count
    return BuildStep(
        template=template,
        shift_mm=shift_mm,
        mean_shift_mm=float(np.linalg.norm(shift_mm, axis=-1)[inside].mean()),
        mean_spread_mm=float(spread_mm[inside].mean()),
        spread_mm=spread_mm.astype(np.float32),
    )


def _regions(names: Sequence[str], last: BuildStep, work: _Work) -> Volume:
    """Let the cases vote on the regions of the last template, moved to the mean shape."""
    maps = (work.read(f"labels-{name}")["labels"].astype(np.uint8) for name in names)
    votes = count_votes(maps, work.regions_grid)
    to_mean = inverse_of(SHAPE_STEP * last.shift_mm, work.grid)
    return decide(moved_votes(votes, to_mean, work.regions_grid), work.regions_grid)


def _packed(one: _Aligned) -> Arrays:
    """Return a case as arrays: 8-bit where nothing is lost."""
    case = one.case
    return {
        "fixed": case.fixed.array,
        "affine": case.fixed.affine,
        "brain": case.brain.array,
        "labels": case.labels.array,
        "normal": case.midplane.normal,
        "plane": np.array([case.midplane.offset_mm, case.midplane.similarity]),
        "is_mirrored": np.array(case.is_mirrored),
        "to_case": one.to_case,
    }


def _unpacked(kept: Arrays) -> _Aligned:
    grid = Volume(kept["fixed"], kept["affine"])
    offset_mm, similarity = (float(value) for value in kept["plane"])
    case = PreparedCase(
        fixed=grid,
        brain=grid.with_array(kept["brain"]),
        labels=grid.with_array(kept["labels"]),
        midplane=Midplane(kept["normal"], offset_mm, similarity),
        is_mirrored=bool(kept["is_mirrored"]),
    )
    return _Aligned(case, kept["to_case"])
