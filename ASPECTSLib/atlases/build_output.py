"""The files of a built atlas: templates and regions with their card, what was measured, and the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import Level, RegionCode
from ASPECTSLib.atlas.template_atlas import ALL_AGES, TemplateAtlas, write_template_atlas
from ASPECTSLib.atlases.build import RECIPE, BuildOptions, BuiltAtlas, LeftOut, build_atlas
from ASPECTSLib.atlases.build_cases import BuildCase
from ASPECTSLib.atlases.build_figures import build_pngs
from ASPECTSLib.atlases.build_store import store_for
from ASPECTSLib.atlases.entropy import image_entropy
from ASPECTSLib.atlases.groupwise import Template
from ASPECTSLib.atlases.level_planes import level_slice
from ASPECTSLib.atlases.progress_part import PartOfProgress
from ASPECTSLib.atlases.registration_route import route
from ASPECTSLib.atlases.validation import Group, Validation
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.estimates import LEVEL, Estimate

BUILD_FILE = "build.json"
DICE_FILE = "dice.csv"

_CONVENTIONS = {
    "entropy": "of 256 grey levels from the lowest to the highest value, background included, in bits: of the two key "
    "slices and their mean as in doi:10.1038/s41597-024-03973-y, and of the whole template",
    "mean_shift_mm": "length of the mean displacement from the template to the cases, averaged over the brain",
    "mean_spread_mm": "mean length of all displacements, averaged over the brain",
    "dice": "of each side, averaged over both sides and then over cases that the atlas was not built from",
    "intervals": "percentiles of the bootstrap over cases",
}
_DIGITS = 5
_MEAN = "mean"
_UNKNOWN_AGE = "unknown"


@dataclass(frozen=True, eq=False)
class Built:
    """All that `aspects atlas build` made.

    Parameters
    ----------
    atlases
        By age group; None is for all ages.
    options
        Choices of the user.
    validation
        None where there were no cases for it.
    """

    atlases: Mapping[Group, BuiltAtlas]
    options: BuildOptions
    validation: Validation | None


def build_groups(
    groups: Mapping[Group, Sequence[BuildCase]],
    base: Atlas,
    options: BuildOptions,
    work: Path | None,
    progress: Progress,
) -> dict[Group, BuiltAtlas]:
    """Build an atlas of each group of cases; what is done is kept in a folder for a stopped run to go on."""
    made_by = {"recipe": RECIPE, "registration": route().value, "base": dict(base.sha256)}
    record = {**options.record(), **made_by}
    built: dict[Group, BuiltAtlas] = {}
    for group, cases in groups.items():
        done = len(built) / len(groups)
        part = PartOfProgress(progress, done, done + 1 / len(groups))
        built[group] = build_atlas(cases, base, options, part, store_for(work, cases, record))
    return built


def write_build(built: Built, folder: Path) -> bool:
    """Write all files of a built atlas into a folder; return whether there are pictures, which need matplotlib."""
    templates = {group: one.atlas for group, one in built.atlases.items()}
    write_template_atlas(templates, folder, _facts(built))
    record = json.dumps(build_record(built), indent=1) + "\n"
    (folder / BUILD_FILE).write_text(record, encoding="utf-8", newline="\n")
    if built.validation is not None:
        text = dice_csv(built.validation)
        (folder / DICE_FILE).write_text(text, encoding="utf-8", newline="\n")
    try:
        pictures = build_pngs(built.atlases)
    except ImportError:
        return False
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    return True


def build_record(built: Built) -> dict[str, Any]:
    """Return everything that was measured as plain values."""
    return {
        "schema_version": 1,
        "versions": {"aspects": __version__, "numpy": np.__version__},
        "options": built.options.record(),
        "registration": route().value,
        "conventions": _CONVENTIONS,
        "interval_level": LEVEL,
        "atlases": {group_name(group): _atlas_record(one) for group, one in built.atlases.items()},
        "validation": None if built.validation is None else _validation_record(built.validation),
    }


def dice_csv(validation: Validation) -> str:
    """Return the cross-table: a row for the atlas's and the cases' age groups, a column for each region."""
    columns, rows = _columns(), []
    for atlas_group, case_group in validation.rows:
        estimates = [validation.estimate(atlas_group, case_group, c) for c in columns.values()]
        cells = ["" if e is None else f"{e.value:.3f}" for e in estimates]
        n = estimates[-1].n if estimates[-1] else 0
        rows.append((group_name(atlas_group), _ages(case_group), n, *cells))
    return csv_text(("atlas", "ages", "cases", *columns), rows)


def build_lines(built: Built) -> list[str]:
    """Return what came out, in lines of words."""
    lines = []
    for group, one in built.atlases.items():
        before, after = (entropies(t, one.atlas) for t in (one.affine_mean, _template(one)))
        steps = ", ".join(f"{step.mean_shift_mm:.2f}" for step in one.steps)
        lines.append(
            f"ages {group_name(group)}: {len(one.cases)} cases, entropy {after[_MEAN]:.2f} "
            f"(affine mean {before[_MEAN]:.2f}), shift from the mean shape {steps} mm"
        )
        lines += [_left_out_line(left) for left in one.left_out]
    if built.validation is not None:
        for atlas_group, case_group in built.validation.rows:
            dice = built.validation.estimate(atlas_group, case_group)
            words = f"{dice.value:.3f} ({dice.low:.3f} to {dice.high:.3f})"
            cases = f"{dice.n} unseen case{'s' * (dice.n > 1)} of {_ages_in_words(case_group)}"
            lines.append(f"Dice of atlas {group_name(atlas_group)} on {cases}: {words}")
        lines += [_left_out_line(left) for left in built.validation.left_out]
    return lines


def entropies(template: Template, atlas: TemplateAtlas) -> dict[str, float]:
    """Return the entropy of both key slices, of their mean as in the paper, and of the whole template, in bits."""
    cut = {
        level: image_entropy(level_slice(template.image, atlas.regions, level)) for level in Level
    }
    by_name = {level.value: value for level, value in cut.items()}
    mean = float(np.mean(list(cut.values())))
    return {**by_name, _MEAN: mean, "whole": image_entropy(template.image.array)}


def group_name(group: Group) -> str:
    """Return the name of an atlas's age group."""
    return ALL_AGES if group is None else group.value


def _template(one: BuiltAtlas) -> Template:
    return Template(one.atlas.template, one.atlas.brain)


def _facts(built: Built) -> dict[str, Any]:
    """Return what the card says beside the files."""
    cases = {group_name(group): len(one.cases) for group, one in built.atlases.items()}
    return {
        "space": "MNI152 NLin6 by affine maps to the atlas that ships, RAS mm, mirror-symmetric about x = 0",
        "made_by": f"aspects atlas build {__version__}",
        "cases": cases,
        "intended_use": "research only: regions of head CT by registration",
        "limits": "as good as the labels that it was built from, and made for heads like these",
    }


def _atlas_record(one: BuiltAtlas) -> dict[str, Any]:
    return {
        "cases": list(one.cases),
        "left_out": [_left_out(left) for left in one.left_out],
        "iterations": [
            {
                "mean_shift_mm": round(step.mean_shift_mm, _DIGITS),
                "mean_spread_mm": round(step.mean_spread_mm, _DIGITS),
                "entropy": _rounded(entropies(step.template, one.atlas)),
            }
            for step in one.steps
        ],
        "entropy_of_affine_mean": _rounded(entropies(one.affine_mean, one.atlas)),
    }


def _validation_record(validation: Validation) -> dict[str, Any]:
    return {
        "dice": [
            {
                "atlas": group_name(atlas_group),
                "ages": _ages(case_group),
                **{
                    name: _estimate(validation.estimate(atlas_group, case_group, code))
                    for name, code in _columns().items()
                },
            }
            for atlas_group, case_group in validation.rows
        ],
        "cases": [
            {
                "case": one.case,
                "ages": _ages(one.case_group),
                "atlas": group_name(one.atlas_group),
                "dice": round(float(one.dice.mean()), _DIGITS),
            }
            for one in validation.mapped
        ],
        "left_out": [_left_out(left) for left in validation.left_out],
    }


def _columns() -> dict[str, RegionCode | None]:
    return {**{code.value: code for code in RegionCode}, _MEAN: None}


def _ages(group: AgeGroup | None) -> str:
    return _UNKNOWN_AGE if group is None else group.value


def _ages_in_words(group: AgeGroup | None) -> str:
    return "unknown age" if group is None else f"{group.value} years"


def _left_out(left: LeftOut) -> dict[str, str]:
    return {"case": left.case, "code": left.code.value, "message": left.message}


def _left_out_line(left: LeftOut) -> str:
    return f"! {left.case}: {left.message} [{left.code}]"


def _estimate(estimate: Estimate | None) -> dict[str, float | int] | None:
    if estimate is None:
        return None
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**_rounded(ends), "n": estimate.n}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in values.items()}
