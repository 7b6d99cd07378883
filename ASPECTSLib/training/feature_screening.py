"""Which features tell affected regions from others: a t-test, then Lasso, as in the paper on radiomics of CTA."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ASPECTSLib.scoring.radiomics.features import feature_names
from ASPECTSLib.training.radiomics_table import FeatureTable

LEVEL = 0.05
"""Of the t-test, without correction for their number: it only thins them out."""

_FOLDS = 5
_ALPHAS = 50
_STRENGTH_ERRORS = 1.0  # the sparsest model within one standard error of the best


@dataclass(frozen=True)
class Screening:
    """What came of a screening.

    Parameters
    ----------
    p_values
        Of the t-test, in the order of the table's features.
    differing
        Features whose means differ, by the t-test.
    selected
        Those of them that Lasso keeps, the heaviest first.
    weights
        Of each of these, for features of unit variance.
    """

    p_values: tuple[float, ...]
    differing: tuple[str, ...]
    selected: tuple[str, ...]
    weights: tuple[float, ...]


def candidates() -> tuple[str, ...]:
    """Return the features to screen: all but those of shape, which the borders of the regions make and no disease."""
    return tuple(name for name in feature_names() if not name.startswith("shape_"))


def screen_features(table: FeatureTable, seed: int = 0) -> Screening:
    """Screen the features of a table with affected and unaffected samples.

    Nothing is selected where no feature differs, or Lasso does no better with any of them than with none.

    Parameters
    ----------
    table
        Its patients are kept together when Lasso is cross-validated.
    seed
        Of the folds.
    """
    p_values = tuple(map(float, _p_values(table)))
    differing = tuple(name for name, p in zip(table.names, p_values, strict=True) if p < LEVEL)
    weights = _lasso(table.chosen(differing), seed) if differing else np.empty(0)
    order = [i for i in np.argsort(-np.abs(weights), kind="stable") if weights[i] != 0.0]
    return Screening(
        p_values,
        differing,
        tuple(differing[i] for i in order),
        tuple(float(weights[i]) for i in order),
    )


def _p_values(table: FeatureTable) -> NDArray[np.float64]:
    """Return the two-sided p-values of Welch's test; features that do not vary get 1."""
    varies = table.inputs.std(axis=0) > 0
    p_values = np.ones(len(table.names))
    inputs = table.inputs[:, varies]
    with warnings.catch_warnings():
        # Of features that hardly vary within a group, such as the lowest bin: what they are worth, Lasso says.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(inputs[table.affected], inputs[~table.affected], equal_var=False)
    p_values[varies] = np.nan_to_num(test.pvalue, nan=1.0)
    return p_values


def _lasso(table: FeatureTable, seed: int) -> NDArray[np.float64]:
    from sklearn.linear_model import Lasso, LassoCV
    from sklearn.model_selection import GroupKFold
    from sklearn.preprocessing import StandardScaler

    inputs = StandardScaler().fit_transform(table.inputs)
    truth = table.affected.astype(np.float64)
    count = min(_FOLDS, len(np.unique(table.patients)))
    folds = GroupKFold(count, shuffle=True, random_state=seed)
    splits = list(folds.split(inputs, truth, table.patients))
    path = LassoCV(alphas=_ALPHAS, cv=splits, max_iter=20_000).fit(inputs, truth)
    errors = path.mse_path_.mean(axis=1)
    noise = path.mse_path_.std(axis=1, ddof=1) / np.sqrt(count)
    best = int(np.argmin(errors))
    sparse = errors <= errors[best] + _STRENGTH_ERRORS * noise[best]
    alpha = float(path.alphas_[sparse].max())
    return Lasso(alpha=alpha, max_iter=20_000).fit(inputs, truth).coef_
