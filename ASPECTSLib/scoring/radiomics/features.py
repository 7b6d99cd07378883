"""All features of a region, or those that are asked for, by the names of pyradiomics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import numpy as np

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.scoring.radiomics.first_order import first_order_features
from ASPECTSLib.scoring.radiomics.glcm import glcm_features
from ASPECTSLib.scoring.radiomics.glrlm import glrlm_features, high_grey_level_run_emphasis
from ASPECTSLib.scoring.radiomics.region import Region
from ASPECTSLib.scoring.radiomics.shape import shape_features

CLASSES: Mapping[str, Callable[[Region], dict[str, float]]] = MappingProxyType(
    {
        "firstorder": first_order_features,
        "shape": shape_features,
        "glcm": glcm_features,
        "glrlm": glrlm_features,
    }
)

MEAN, ROOT_MEAN_SQUARED = "firstorder_Mean", "firstorder_RootMeanSquared"
HIGH_GREY_LEVEL_RUNS = "glrlm_HighGrayLevelRunEmphasis"

PAPER_FEATURES = (MEAN, ROOT_MEAN_SQUARED, HIGH_GREY_LEVEL_RUNS)
"""What screening left of 105 in the paper on radiomics of CT angiography."""


def all_features(region: Region) -> dict[str, float]:
    """Return every feature of a region: name of the class, underscore, name."""
    return {
        f"{kind}_{name}": value
        for kind, compute in CLASSES.items()
        for name, value in compute(region).items()
    }


def feature_names() -> tuple[str, ...]:
    """Return the names of all features, in their order."""
    cube = np.argwhere(np.ones((3, 3, 3), bool))
    levels = np.arange(1, len(cube) + 1)
    return tuple(all_features(Region(levels.astype(np.float64), levels, cube, np.ones(3))))


def chosen_features(region: Region, names: Collection[str]) -> dict[str, float]:
    """Return some features of a region; nothing is computed that they do not need.

    Raises
    ------
    UsageError
        USAGE for a name that is none.
    """
    if set(names) <= {MEAN, ROOT_MEAN_SQUARED, HIGH_GREY_LEVEL_RUNS}:
        first = first_order_features(region)
        known = {
            MEAN: lambda: first["Mean"],
            ROOT_MEAN_SQUARED: lambda: first["RootMeanSquared"],
            HIGH_GREY_LEVEL_RUNS: lambda: high_grey_level_run_emphasis(region),
        }
        return {name: known[name]() for name in names}
    kinds = {name.partition("_")[0] for name in names}
    found = {
        f"{kind}_{name}": value
        for kind in kinds & set(CLASSES)
        for name, value in CLASSES[kind](region).items()
    }
    unknown = [name for name in names if name not in found]
    if unknown:
        message = f"expected features that are known, got {', '.join(unknown)}"
        raise UsageError(ErrorCode.USAGE, message)
    return {name: found[name] for name in names}
