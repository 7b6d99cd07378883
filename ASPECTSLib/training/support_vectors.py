"""Training of support vector machines on features of regions, and their export as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.scoring.support_vectors import SupportVectors
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.roc import Direction, area, marker
from ASPECTSLib.statistics.thresholds import choose_threshold
from ASPECTSLib.training.calibrate import RULE
from ASPECTSLib.training.radiomics_table import FeatureTable

FOLDS = 5
COSTS = (0.01, 0.1, 1.0, 10.0, 100.0)
GAMMAS = (0.03, 0.1, 0.3, 1.0)
"""The grid; inputs have unit variance."""


@dataclass(frozen=True, eq=False)
class TrainedMachine:
    """A machine, and what its cross-validation gave.

    Parameters
    ----------
    machine
        Trained on all samples.
    fold_areas
        Area under the ROC curve of each held-out fold.
    area
        Of all held-out decisions together, with its interval (samples taken as independent).
    choice
        Kernel, cost and gamma that were best.
    """

    machine: SupportVectors
    fold_areas: tuple[float, ...]
    area: Estimate
    choice: dict[str, float | str]


def train_machine(table: FeatureTable, seed: int = 0) -> TrainedMachine:
    """Train a machine with the kernel and the cost that are best in five-fold cross-validation over patients.

    Parameters
    ----------
    table
        Affected and unaffected samples of at least `FOLDS` patients; those of a patient stay together.
    seed
        Of the folds.

    Raises
    ------
    UsageError
        USAGE with too few patients, or samples of one kind only.
    """
    patients = len(np.unique(table.patients))
    if patients < FOLDS or table.affected.all() or not table.affected.any():
        message = f"expected affected and other regions of at least {FOLDS} patients, got {patients} patients"
        raise UsageError(ErrorCode.USAGE, message)
    splits = _splits(table, seed)
    scored = [(_cross_validated(table, options, splits), options) for options in _grid()]
    areas = [_area(decisions, table.affected).value for decisions, _ in scored]
    decisions, options = scored[int(np.argmax(areas))]
    slope, offset = _platt(decisions, table.affected)
    probability = 1.0 / (1.0 + np.exp(slope * decisions + offset))
    said = marker(probability, table.affected, Direction.HIGHER)
    threshold = float(choose_threshold(said, RULE).cutoff)
    machine = _exported(table, options, (slope, offset, threshold))
    fold_areas = tuple(_area(decisions[held], table.affected[held]).value for _, held in splits)
    return TrainedMachine(machine, fold_areas, _area(decisions, table.affected), options)


def _grid() -> Iterator[dict[str, float | str]]:
    for cost in COSTS:
        yield {"kernel": "linear", "C": cost, "gamma": 0.0}
        for gamma in GAMMAS:
            yield {"kernel": "rbf", "C": cost, "gamma": gamma}


def _splits(table: FeatureTable, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(table.inputs, table.affected, table.patients))


def _cross_validated(
    table: FeatureTable,
    options: dict[str, float | str],
    splits: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.float64]:
    """Return the decision on each sample by a machine that was trained without its patient."""
    decisions = np.empty(len(table.affected))
    for trained, held in splits:
        mean, scale = _scaling(table.inputs[trained])
        svm = _svm(options).fit((table.inputs[trained] - mean) / scale, table.affected[trained])
        decisions[held] = svm.decision_function((table.inputs[held] - mean) / scale)
    return decisions


def _scaling(inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    spread = inputs.std(axis=0)
    return inputs.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _svm(options: dict[str, float | str]):
    from sklearn.svm import SVC

    gamma = options["gamma"] if options["kernel"] == "rbf" else "scale"
    return SVC(kernel=options["kernel"], C=options["C"], gamma=gamma, class_weight="balanced")


def _platt(decisions: NDArray[np.float64], affected: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the logistic curve from decision to probability."""
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=1e6).fit(decisions[:, None], affected)
    return -float(curve.coef_[0, 0]), -float(curve.intercept_[0])


def _area(decisions: NDArray[np.float64], affected: NDArray[np.bool_]) -> Estimate:
    return area(marker(decisions, affected, Direction.HIGHER))


def _exported(
    table: FeatureTable, options: dict[str, float | str], curve: tuple[float, float, float]
) -> SupportVectors:
    mean, scale = _scaling(table.inputs)
    svm = _svm(options).fit((table.inputs - mean) / scale, table.affected)
    slope, offset, threshold = curve
    linear = options["kernel"] == "linear"
    # A linear machine is one vector: its weights.
    vectors = svm.coef_ if linear else svm.support_vectors_
    weights = np.ones(1) if linear else svm.dual_coef_[0]
    return SupportVectors(
        features=table.names,
        kernel="linear" if linear else "rbf",
        gamma=float(options["gamma"]),
        mean=tuple(map(float, mean)),
        scale=tuple(map(float, scale)),
        vectors=tuple(tuple(map(float, vector)) for vector in vectors),
        weights=tuple(map(float, weights)),
        intercept=float(svm.intercept_[0]),
        slope=slope,
        offset=offset,
        threshold=threshold,
    )
