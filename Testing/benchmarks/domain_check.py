"""How far synthetic scans differ from real ones: a table, and a picture of both.

    PYTHONPATH=Testing python Testing/benchmarks/domain_check.py [DATA] [-o FOLDER] [--n 4] [--cache FOLDER]

DATA is the folder with the public scans ($ASPECTS_DATA or ../shared/data). With -o the picture domain_check.png is
written there: it shows real scans, so that it must not be committed. Real scans are five head CT and two DWI: a
synthetic range should reach beyond theirs, not copy it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import domain_measures as measures
import numpy as np
from domain_cases import (
    INTERPOLATED,
    HeadDwi,
    real_cts,
    real_dwis,
    region_cts,
    synthetic_ct,
    synthetic_dwi,
    synthetic_patients,
)
from domain_measures import HeadCt, NoisePatches
from domain_picture import Domains, draw_domains

REPOSITORY = Path(__file__).resolve().parents[2]
THIN_SLICES_MM = ((0.9, 1.1), (2.4, 2.6))
PICTURE = "domain_check.png"
_CLIPPED_HU = -500.0  # a lowest density above it: air is lost


@dataclass(frozen=True, eq=False)
class Measured:
    """A head CT with its noise; None where the scan was interpolated."""

    ct: HeadCt
    noise: NoisePatches | None

    @property
    def quiet_hu(self) -> float:
        """Noise as it would be in slices of 5 mm."""
        return self.noise.deviation * (self.ct.slice_mm / 5.0) ** 0.5 if self.noise else np.nan


Measure = Callable[[Measured], float]


def _brain(percent: float) -> Measure:
    return lambda m: float(measures.brain_percentiles(m.ct, (percent,))[0])


def _above_median(percent: float) -> Measure:
    return lambda m: _brain(percent)(m) - _brain(50.0)(m)


def _scalp(percent: float) -> Measure:
    def measure(m: Measured) -> float:
        if m.ct.hu.min() > _CLIPPED_HU:
            return np.nan
        return float(measures.scalp_percentiles(m.ct, (percent,))[0])

    return measure


def _vault(percent: float) -> Measure:
    return lambda m: float(measures.bone_percentiles(m.ct, (percent,))[0])


def _skull_edge(percent: float) -> Measure:
    return lambda m: float(np.percentile(measures.skull_edges_mm(m.ct), percent))


def _noise(value: Callable[[NoisePatches], float]) -> Measure:
    return lambda m: value(m.noise) if m.noise else np.nan


CT_MEASURES: tuple[tuple[str, Measure], ...] = (
    ("brain, smoothed: median [HU]", _brain(50.0)),
    ("  5th percentile less median", _above_median(5.0)),
    ("  25th percentile less median", _above_median(25.0)),
    ("  75th percentile less median", _above_median(75.0)),
    ("  95th percentile less median", _above_median(95.0)),
    ("ventricles [HU]", lambda m: measures.fluid_hu(m.ct)),
    ("brain under the skull less deep brain [HU]", lambda m: measures.rim_excess_hu(m.ct)),
    ("scalp: 25th percentile [HU]", _scalp(25.0)),
    ("scalp: median", _scalp(50.0)),
    ("scalp: 75th percentile", _scalp(75.0)),
    ("vault above 300 HU: median [HU]", _vault(50.0)),
    ("vault above 300 HU: 95th percentile", _vault(95.0)),
    ("inner skull, 10 to 90 %: 10th percentile [mm]", _skull_edge(10.0)),
    ("inner skull, 10 to 90 %: median", _skull_edge(50.0)),
    ("ventricles' wall, 10 to 90 % [mm]", lambda m: measures.ventricle_wall_mm(m.ct)),
    ("noise [HU]", _noise(lambda n: n.deviation)),
    ("noise as for 5 mm slices", lambda m: m.quiet_hu),
    ("noise in the middle over that near the skull", _noise(lambda n: n.centre_to_rim)),
    ("mean frequency of the noise [1/mm]", _noise(lambda n: n.mean_frequency())),
    (
        "correlation of neighbouring slices' noise",
        lambda m: measures.slice_correlation(m.ct, m.noise) if m.noise else np.nan,
    ),
)


@dataclass(frozen=True)
class Row:
    """One line of the table: a measure's values in real and in synthetic scans."""

    name: str
    real: Sequence[float]
    synthetic: Sequence[float]

    def line(self) -> str:
        """Return the row as text."""
        real, made = (np.array([v for v in side if np.isfinite(v)]) for side in self._sides)
        if not len(real) or not len(made):
            return f"{self.name:46} not measured"
        is_within = made.min() <= real.min() and real.max() <= made.max()
        return f"{self.name:46} {_summary(real)} {_summary(made)}   {'yes' if is_within else 'no'}"

    @property
    def _sides(self) -> tuple[Sequence[float], Sequence[float]]:
        return self.real, self.synthetic


def main() -> None:
    """Print the table and draw the picture."""
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder)
        patients = list(synthetic_patients(arguments.data, cache, arguments.n))
    real = [_measured(ct) for ct in real_cts(arguments.data)]
    made = [_measured(synthetic_ct(patient)) for patient in patients]
    thin = [_measured(synthetic_ct(patients[0], slice_mm)) for slice_mm in THIN_SLICES_MM]
    with_regions = list(region_cts(arguments.data))
    dwi = list(real_dwis(arguments.data)), [synthetic_dwi(patient) for patient in patients]
    print(f"{'':46} {'real: min, median, max, n':>31} {'synthetic':>31}   within")
    for row in (
        *ct_rows(real, made),
        *region_rows(with_regions, [m.ct for m in made]),
        *dwi_rows(*dwi),
    ):
        print(row.line())
    print_noise_by_thickness(real, made + thin)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        noisy = [[(m.ct, m.noise) for m in side] for side in (real, made + thin)]
        draw_domains(Domains(*noisy, *dwi), arguments.output / PICTURE)


def ct_rows(real: Sequence[Measured], made: Sequence[Measured]) -> Iterator[Row]:
    """Compare densities, sharpness and noise of head CT."""
    for name, measure in CT_MEASURES:
        yield Row(name, [measure(m) for m in real], [measure(m) for m in made])


def region_rows(real: Sequence[HeadCt], made: Sequence[HeadCt]) -> Iterator[Row]:
    """Compare regions without infarct: grey with white matter, right with left."""
    contrasts = [[measures.region_contrasts_hu(ct) for ct in side] for side in (real, made)]
    for code in contrasts[0][0]:
        values = [[v for contrast in side for v in contrast[code]] for side in contrasts]
        yield Row(f"{code} less internal capsule [HU]", *values)
    sides = [[measures.side_differences_hu(ct) for ct in side] for side in (real, made)]
    yield Row("right less left, each region [HU]", *([v for ct in s for v in ct] for s in sides))
    deviations = [[float(np.std(ct)) for ct in side if len(ct) > 2] for side in sides]
    yield Row("right less left, deviation within a case", *deviations)


def dwi_rows(real: Sequence[HeadDwi], made: Sequence[HeadDwi]) -> Iterator[Row]:
    """Compare diffusion-weighted signal in the brain, of which the median is taken as 1."""
    for percent in (1.0, 5.0, 25.0, 75.0, 95.0, 99.0):
        values = [
            [measures.relative_percentile(d.signal, d.brain, percent) for d in side]
            for side in (real, made)
        ]
        yield Row(f"DWI in the brain: percentile {percent:.0f} over median", *values)
    grains = [[measures.grain(d.signal, d.brain) for d in side] for side in (real, made)]
    yield Row("DWI: pixel to pixel, over median", *grains)


def print_noise_by_thickness(real: Sequence[Measured], made: Sequence[Measured]) -> None:
    """Print slice thickness and noise of each scan."""
    print("\nnoise by slice thickness: mm, HU, HU as for 5 mm")
    for m in sorted((*real, *made), key=lambda m: m.ct.slice_mm):
        if m.noise:
            noise_hu = m.noise.deviation
            print(f"{m.ct.name:14} {m.ct.slice_mm:5.1f} {noise_hu:6.2f} {m.quiet_hu:6.2f}")


def _measured(ct: HeadCt) -> Measured:
    return Measured(ct, None if ct.name in INTERPOLATED else measures.noise_patches(ct))


def _summary(values: np.ndarray) -> str:
    numbers = " ".join(f"{v:8.2f}" for v in (values.min(), np.median(values), values.max()))
    return f"{numbers} {len(values):4d}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = Path(os.environ.get("ASPECTS_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("data", nargs="?", type=Path, default=default)
    parser.add_argument("-o", "--output", type=Path, help="folder for the picture")
    parser.add_argument("--n", type=int, default=4, help="synthetic patients")
    parser.add_argument("--cache", type=Path, help="folder for prepared anatomies")
    return parser


if __name__ == "__main__":
    main()
