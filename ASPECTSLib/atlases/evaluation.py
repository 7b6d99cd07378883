"""Mapped regions held against raters, and the raters against each other, as in table 3 of the ASPECTS-281 paper.

Sun et al. 2024, doi:10.1038/s41597-024-03973-y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import RegionCode
from ASPECTSLib.atlases.label_folders import find_label_maps, read_label_map
from ASPECTSLib.atlases.region_measures import RegionMeasure, measure_regions
from ASPECTSLib.errors import (
    ErrorCode,
    GeometryRefusedError,
    InputRefusedError,
    UsageError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.preprocessing.grids import volumes_coincide
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.bootstrap import Bootstrap, percentile_interval, replicates
from ASPECTSLib.statistics.estimates import Estimate, require

MAPPED = "atlas"
"""Name of the reader whose label maps are evaluated."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class EvaluationOptions:
    """Choices of the user.

    Parameters
    ----------
    drawn_slices
        Only slices on which both of a pair have regions are compared, as where raters draw on the two key slices.
    bootstrap
        Of the intervals, over cases.
    """

    drawn_slices: bool = False
    bootstrap: Bootstrap = field(default_factory=Bootstrap)


@dataclass(frozen=True)
class Refusal:
    """A case that was not compared: which readers, and why."""

    case: str
    readers: tuple[str, ...]
    code: ErrorCode
    message: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of an evaluation.

    Parameters
    ----------
    readers
        Names; the first is the one that is evaluated.
    measures
        Of each pair of readers and each case, by the twenty regions.
    refusals
        Cases that were left out, and why.
    options
        Choices of the user.
    """

    readers: tuple[str, ...]
    measures: Mapping[Pair, Mapping[str, tuple[RegionMeasure, ...]]]
    refusals: tuple[Refusal, ...]
    options: EvaluationOptions

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of readers, those with the evaluated one first."""
        return tuple(combinations(self.readers, 2))

    def estimate(self, pair: Pair, measure: str, code: RegionCode | None = None) -> Estimate | None:
        """Return the mean of a measure over cases with its interval; None where no case has it.

        Parameters
        ----------
        pair
            Of readers.
        measure
            Name of a field or property of `RegionMeasure`.
        code
            Region, of which both sides are averaged in each case; all regions when left out.
        """
        values = [_case_mean(m, measure, code) for m in self.measures[pair].values()]
        return mean_over_cases(np.array(values), self.options.bootstrap)

    def advantage(self, code: RegionCode | None = None) -> Estimate | None:
        """Return how much higher the Dice of the atlas with raters is than that of raters with each other.

        Over the cases that all have read; None with a single rater, or without such a case.
        """
        with_atlas = [pair for pair in self.pairs if self.readers[0] in pair]
        without = [pair for pair in self.pairs if self.readers[0] not in pair]
        cases = set.intersection(*(set(self.measures[pair]) for pair in self.pairs))
        if not without:
            return None

        def mean(pairs: Sequence[Pair], case: str) -> float:
            return _mean([_case_mean(self.measures[p][case], "dice", code) for p in pairs])

        values = [mean(with_atlas, case) - mean(without, case) for case in sorted(cases)]
        return mean_over_cases(np.array(values), self.options.bootstrap)


def evaluate_folders(
    mapped: Path, raters: Mapping[str, Path], options: EvaluationOptions, progress: Progress
) -> Evaluation:
    """Compare the label maps of a folder with those of raters, case by case.

    Parameters
    ----------
    mapped
        Folder of the label maps that are evaluated, as `find_label_maps` takes it.
    raters
        Folders of the raters' label maps by the raters' names.
    options
        Choices of the user.
    progress
        Told of each case, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        If a folder has no label maps; COHORT_INVALID if no case can be compared.
    UsageError
        USAGE without a rater, or if one has the name of the evaluated.
    """
    if not raters or MAPPED in raters:
        expected = f"at least one rater, of another name than {MAPPED}"
        raise UsageError(ErrorCode.USAGE, f"expected {expected}, got {', '.join(raters) or 'none'}")
    folders = {MAPPED: mapped, **raters}
    files = {reader: find_label_maps(folder) for reader, folder in folders.items()}
    cases = sorted(set().union(*files.values()))
    pairs = tuple(combinations(folders, 2))
    measures: dict[Pair, dict[str, tuple[RegionMeasure, ...]]] = {pair: {} for pair in pairs}
    refusals: list[Refusal] = []
    for number, case in enumerate(cases):
        progress.stage(f"case {number + 1} of {len(cases)}", number / len(cases))
        found = {reader: files[reader].get(case, ()) for reader in folders}
        for pair, outcome in _compare_case(case, found, refusals, options).items():
            measures[pair][case] = outcome
    compared = {case for by_case in measures.values() for case in by_case}
    reason = f"; {refusals[0].message}" if refusals else ""
    require(bool(compared), "at least one case that can be compared", f"none{reason}")
    return Evaluation(tuple(folders), measures, tuple(refusals), options)


def mean_over_cases(values: NDArray[np.float64], bootstrap: Bootstrap) -> Estimate | None:
    """Return the mean of what is defined, with its interval by bootstrap over cases; None for nothing."""
    defined = values[np.isfinite(values)]
    if not defined.size:
        return None
    drawn = replicates(lambda sample: sample.mean(axis=1), bootstrap, defined)
    low, high = percentile_interval(drawn)
    return Estimate(float(defined.mean()), low, high, len(defined))


def _compare_case(
    case: str,
    files: Mapping[str, tuple[Path, ...]],
    refusals: list[Refusal],
    options: EvaluationOptions,
) -> dict[Pair, tuple[RegionMeasure, ...]]:
    """Return the measures of all pairs that can be compared; say of the others why not."""
    labels: dict[str, Volume] = {}
    for reader, paths in files.items():
        try:
            labels[reader] = read_label_map(paths)
        except InputRefusedError as error:
            refusals.append(Refusal(case, (reader,), error.code, error.message))
    compared = {}
    for pair in combinations(labels, 2):
        try:
            compared[pair] = _compare(labels[pair[0]], labels[pair[1]], options)
        except InputRefusedError as error:
            refusals.append(Refusal(case, pair, error.code, error.message))
    return compared


def _compare(
    first: Volume, second: Volume, options: EvaluationOptions
) -> tuple[RegionMeasure, ...]:
    if not volumes_coincide(first, second):
        message = f"expected label maps on one grid, got {_grid(first)} and {_grid(second)}"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    one, other = canonicalize(first).volume, canonicalize(second).volume
    if not options.drawn_slices:
        return measure_regions(one, other)
    drawn = [volume.array.any(axis=(1, 2)) for volume in (one, other)]
    both = drawn[0] & drawn[1]
    require(bool(both.any()), "slices on which both have drawn", "none")
    parts = [v.with_array(np.where(both[:, None, None], v.array, 0)) for v in (one, other)]
    return measure_regions(parts[0], parts[1], planar=True)


def _case_mean(measures: Sequence[RegionMeasure], measure: str, code: RegionCode | None) -> float:
    """Return a measure of a case, averaged over the sides of a region, or over all regions."""
    return _mean([getattr(m, measure) for m in measures if code in {None, m.region.code}])


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _grid(volume: Volume) -> str:
    size = "x".join(str(length) for length in volume.size)
    return f"{size} voxels of {' x '.join(f'{length:.3g}' for length in volume.spacing_mm)} mm"
