from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from ASPECTSLib.report import severity_figures
from ASPECTSLib.report.severity_figures import (
    OVERVIEW_FILE,
    PatientPoints,
    RegionBars,
    RocLine,
    SeverityFigures,
    VolumeBand,
    severity_pngs,
)


def roc_line(name):
    points = np.array([0.0, 0.3, 1.0])
    return RocLine(f"{name}: AUC 0.8", points, np.sqrt(points), [(0.3, 0.55, "best")] * 2)


def figures():
    generator = np.random.default_rng(2)
    count = 40
    return SeverityFigures(
        cohort=f"{count} patients",
        nihss=6,
        group_names=("mild", "moderate–severe"),
        roc=(roc_line("ASPECTS"), roc_line("core volume")),
        points=PatientPoints(
            generator.integers(0, 30, count),
            generator.integers(0, 11, count),
            generator.uniform(0, 200, count),
            generator.integers(-1, 2, count),
        ),
        correlations=("ρ = −0.5", "ρ = 0.5", "ρ = −0.8"),
        cutoffs=(6.0, 30.0),
        bars=RegionBars(
            ["C", "L"], np.full((2, 2, 3), [0.5, 0.4, 0.6]), np.array([True, False]), "p"
        ),
        bands=(VolumeBand("0–5", (3, 10.0, 5.0, 20.0), None), VolumeBand("6–10", None, None)),
    )


@pytest.fixture(scope="module")
def pictures():
    return severity_pngs(figures())


def test_there_is_a_picture_for_each_subject_and_one_of_all(pictures):
    sizes = {name: imread(BytesIO(png)).shape[:2] for name, png in pictures.items()}
    assert set(sizes) == {
        "roc.png",
        "nihss.png",
        "regions.png",
        "aspects-volume.png",
        "sides.png",
        OVERVIEW_FILE,
    }
    widths = {name: width for name, (_, width) in sizes.items()}
    assert widths["nihss.png"] == 2 * widths["roc.png"]
    assert widths[OVERVIEW_FILE] == 3 * widths["roc.png"]


def test_same_figures_same_bytes(pictures):
    assert severity_pngs(figures()) == pictures


@pytest.fixture
def draw(monkeypatch):
    """Draw some of the files only."""

    def draw_files(changed, *names):
        chosen = {name: severity_figures._FILES[name] for name in names}
        monkeypatch.setattr(severity_figures, "_FILES", chosen)
        return severity_pngs(changed)

    return draw_files


def test_what_changes_is_drawn_where_it_belongs(pictures, draw):
    bars = replace(figures().bars, starred=np.array([False, False]))
    changed = draw(replace(figures(), bars=bars), "regions.png", "sides.png")
    assert changed["regions.png"] != pictures["regions.png"]
    assert changed["sides.png"] == pictures["sides.png"]


def test_a_cohort_of_one_side_without_volume_can_be_drawn(draw):
    points = replace(figures().points, side=np.ones(40, int), volume_ml=np.zeros(40))
    assert draw(replace(figures(), points=points), "nihss.png")
