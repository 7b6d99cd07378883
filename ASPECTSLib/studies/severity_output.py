"""The files of the severity study: figures as JSON and pictures, patients and regions as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from ASPECTSLib import __version__
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.report.severity_figures import (
    PatientPoints,
    RegionBars,
    RocLine,
    SeverityFigures,
    VolumeBand,
    severity_pngs,
)
from ASPECTSLib.scoring.severity import MODERATE_ASPECTS, MODERATE_ML, TRIALS
from ASPECTSLib.statistics.correlation import Correlation
from ASPECTSLib.statistics.estimates import LEVEL
from ASPECTSLib.statistics.groups import Summary
from ASPECTSLib.statistics.roc import RocCurve
from ASPECTSLib.studies.severity import CohortFigures, SeverityStudy
from ASPECTSLib.studies.severity_analysis import Cutoff, Patient, StudyOptions, curves
from ASPECTSLib.studies.severity_regions import Band, Deduction

SCHEMA_VERSION = 1
STUDY_FILE = "study.json"
PATIENTS_FILE = "patients.csv"
REGIONS_FILE = "regions.csv"

PUBLISHED = {
    "doi": "10.1093/braincomms/fcag053",
    "patients": 738,
    "aspects_cutoff": MODERATE_ASPECTS,
    "core_volume_cutoff_ml": MODERATE_ML,
}
"""What the abstract of Wei et al. 2026 gives; it does not say how severity was graded."""

_CONVENTIONS = {
    "affected": "a region of which more than the fraction is infarcted",
    "aspects": "10 less the affected regions of the worse side",
    "core_volume": "the whole mask",
    "side": "the one with the lower ASPECTS, or as low, with more infarct in its regions",
    "moderate_severe": "NIHSS at or above the threshold",
    "cutoff": "called moderate to severe at an ASPECTS at or below it, a core volume at or above it; of several with "
    "the same Youden index the strictest",
    "intervals": "95 %; correlation and cut-off: percentiles of the bootstrap over patients, within groups for the "
    "cut-off; area: DeLong; proportion: Wilson; difference of proportions: Newcombe",
}

_SIGNIFICANT_DIGITS = 6  # finer ones are noise of the arithmetic
_STAR = 0.05


def write_study(study: SeverityStudy, atlas: Atlas, folder: Path) -> bool:
    """Write all files of a study into a folder.

    Returns
    -------
    bool
        Whether the pictures are among them: they need matplotlib.
    """
    files = {
        STUDY_FILE: json.dumps(study_record(study, atlas), indent=1) + "\n",
        PATIENTS_FILE: patients_csv(study),
        REGIONS_FILE: regions_csv(study),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    try:
        pictures = severity_pngs(figures_of(study))
    except ImportError:
        return False
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    return True


def study_record(study: SeverityStudy, atlas: Atlas) -> dict[str, Any]:
    """Return everything that was found as plain values, numbers to six significant digits."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "study": "severity",
        "versions": {"aspects": __version__, "numpy": np.__version__, "scipy": scipy.__version__},
        "atlas": {"name": atlas.name, "version": atlas.version, "sha256": dict(atlas.sha256)},
        "input": asdict(study.source),
        "options": asdict(study.options),
        "conventions": _CONVENTIONS,
        "interval_level": LEVEL,
        "published": PUBLISHED,
        "trials": [asdict(trial) for trial in TRIALS],
        "flow": asdict(study.flow),
        "territory": asdict(study.territory),
        "all": asdict(study.everyone),
    }
    return _plain(record)


def patients_csv(study: SeverityStudy) -> str:
    """Return a row for each mask: what the table says of the patient and what was measured."""
    header = (
        *("participant_id", "nihss", "mrs", "in_territory", "volume_ml", "territory_ml"),
        *("aspects", "aspects_left", "aspects_right", "worse_side", "stroke_side"),
        *(f"{region.side.value}_{region.code.value}" for region in REGIONS),
    )
    return csv_text(header, (_patient_row(patient, study.options) for patient in study.patients))


def regions_csv(study: SeverityStudy) -> str:
    """Return a row for each cohort, side and region: how often it is affected in both groups."""
    header = (
        *("cohort", "side", "region"),
        *("mild_n", "mild_affected", "mild_share", "mild_low", "mild_high"),
        *("moderate_severe_n", "moderate_severe_affected", "moderate_severe_share"),
        *("moderate_severe_low", "moderate_severe_high"),
        *("difference", "difference_low", "difference_high", "p", "p_holm"),
    )
    rows = (
        (cohort, side, *_deduction_row(deduction))
        for cohort, figures in (("territory", study.territory), ("all", study.everyone))
        for side, deductions in figures.deductions.items()
        for deduction in deductions or ()
    )
    return csv_text(header, rows)


def figures_of(study: SeverityStudy) -> SeverityFigures:
    """Return what the pictures show: the main cohort at the main threshold of NIHSS."""
    figures, cohort = study.territory, study.cohort
    nihss = study.options.nihss[0]
    threshold = figures.thresholds[0]
    found = curves(cohort, nihss)
    aspects, volume = threshold.aspects, threshold.core_volume
    return SeverityFigures(
        cohort=f"{len(cohort)} patients with at least {study.options.territory_ml:g} mL of infarct in the ASPECTS "
        f"regions and a known NIHSS, of {study.flow.masks} infarct masks",
        nihss=nihss,
        group_names=(
            f"mild (NIHSS < {nihss}), n = {threshold.mild}",
            f"moderate–severe (NIHSS ≥ {nihss}), n = {threshold.moderate_severe}",
        ),
        roc=(
            _roc_line("ASPECTS", "≤ {:.0f}", aspects, found["aspects"]),
            _roc_line("core volume", "≥ {:.4g} mL", volume, found["core_volume"]),
        ),
        points=PatientPoints(cohort.nihss, cohort.aspects, cohort.volume_ml, cohort.side),
        correlations=_correlation_titles(figures),
        cutoffs=(aspects.youden.value, volume.youden.value),
        bars=_bars(figures.deductions["either"]),
        bands=tuple(_volume_band(band) for band in figures.sides.bands),
    )


def _patient_row(patient: Patient, options: StudyOptions) -> Iterable[object]:
    infarct = patient.infarct
    score = infarct.score(options.fraction)
    side = infarct.hemisphere(options.fraction)
    in_territory = infarct.territory_ml >= options.territory_ml
    yield from (patient.participant_id, patient.nihss, patient.mrs, "yes" if in_territory else "no")
    yield from (f"{infarct.volume_ml:.3f}", f"{infarct.territory_ml:.3f}")
    yield from (score.score, score.left, score.right, score.side.value)
    yield side.value if side else "none"
    yield from (f"{share:.4f}" for share in infarct.fractions)


def _deduction_row(deduction: Deduction) -> Iterable[object]:
    yield deduction.region.value
    for group in (deduction.mild, deduction.moderate_severe):
        yield from (group.n, group.count, *map(_number, (group.value, group.low, group.high)))
    difference = deduction.difference
    yield from map(_number, (difference.value, difference.low, difference.high))
    yield from map(_number, (deduction.p_value, deduction.p_holm))


def _number(value: float) -> str:
    return f"{value:.4g}"


def _roc_line(name: str, form: str, cutoff: Cutoff, curve: RocCurve) -> RocLine:
    area = cutoff.area
    return RocLine(
        f"{name}: AUC {area.value:.2f} ({area.low:.2f}–{area.high:.2f})",
        np.concatenate([[0.0], 1 - curve.specificity]),
        np.concatenate([[0.0], curve.sensitivity]),
        [
            (1 - at.specificity.value, at.sensitivity.value, f"{form.format(at.cutoff)}, {words}")
            for at, words in ((cutoff.at_youden, "best here"), (cutoff.at_published, "published"))
        ],
    )


def _correlation_titles(figures: CohortFigures) -> tuple[str, str, str]:
    names = {
        "aspects_nihss": "ASPECTS and NIHSS",
        "core_volume_nihss": "Core volume and NIHSS",
        "aspects_core_volume": "ASPECTS and core volume",
    }
    titles = [_with_rho(words, figures.correlations[name]) for name, words in names.items()]
    return titles[0], titles[1], titles[2]


def _with_rho(words: str, correlation: Correlation | None) -> str:
    if correlation is None:
        return words
    rho = correlation.rho
    numbers = f"{rho.value:.2f} ({rho.low:.2f} to {rho.high:.2f})".replace("-", "−")
    return f"{words}: ρ = {numbers}"


def _bars(deductions: Sequence[Deduction]) -> RegionBars:
    groups = [[d.mild for d in deductions], [d.moderate_severe for d in deductions]]
    return RegionBars(
        codes=[d.region.value for d in deductions],
        shares=np.array([[(p.value, p.low, p.high) for p in group] for group in groups]),
        starred=np.array([d.p_holm < _STAR for d in deductions]),
        star=f"p < {_STAR:g} (Fisher, Holm)",
    )


def _volume_band(band: Band) -> VolumeBand:
    def values(summary: Summary | None) -> tuple[int, float, float, float] | None:
        if summary is None:
            return None
        return summary.n, summary.median, summary.lower_quartile, summary.upper_quartile

    return VolumeBand(f"{band.lowest}–{band.highest}", values(band.left_ml), values(band.right_ml))


def _plain(value: Any) -> Any:
    """Round numbers, and turn tuples, enumerations and numpy's types into what JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    return value
