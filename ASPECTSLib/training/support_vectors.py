"""Training of support vector machines on features of regions, and their export as plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.scoring.support_vectors import Kernel, SupportVectors
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.roc import MIN_GROUP, Direction, area, marker
from ASPECTSLib.statistics.thresholds import choose_threshold
from ASPECTSLib.training.calibrate import RULE
from ASPECTSLib.training.cohort_scan import refuse
from ASPECTSLib.training.options import require
from ASPECTSLib.training.radiomics_table import FeatureTable

Chooser = Callable[[FeatureTable], tuple[str, ...]]
"""Names the features of a table that a machine is to see."""


@dataclass(frozen=True)
class MachineGrid:
    """Which machines are tried, and how they are compared; inputs have unit variance.

    Parameters
    ----------
    kernels
        `linear`, `rbf` or both.
    costs
        Of both, above 0.
    gammas
        Of `rbf`, above 0.
    folds
        Of the cross-validation, whole patients each.
    seed
        Of the folds.

    Raises
    ------
    UsageError
        RECIPE_INVALID if a value is out of its range.
    """

    kernels: tuple[Kernel, ...] = ("linear", "rbf")
    costs: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)
    gammas: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        known = bool(self.kernels) and set(self.kernels) <= {"linear", "rbf"}
        require(known, "machine.kernels", "linear, rbf or both", list(self.kernels))
        for key in ("costs", "gammas"):
            values = getattr(self, key)
            is_good = bool(values) and min(values) > 0 and np.isfinite(values).all()
            require(is_good, f"machine.{key}", "numbers above 0", list(values))
        require(self.folds >= 2, "machine.folds", "2 or more", self.folds)
        require(0 <= self.seed < 2**32, "machine.seed", "a whole number from 0", self.seed)

    def choices(self) -> Iterator[Choice]:
        """Give all machines of the grid."""
        for cost in self.costs:
            if "linear" in self.kernels:
                yield Choice("linear", cost)
            if "rbf" in self.kernels:
                yield from (Choice("rbf", cost, gamma) for gamma in self.gammas)


@dataclass(frozen=True)
class Choice:
    """A kernel with its cost, and the gamma of `rbf`."""

    kernel: Kernel
    cost: float
    gamma: float = 0.0


@dataclass(frozen=True)
class Fold:
    """A part of the patients that machines were tried on and not trained with.

    Parameters
    ----------
    patients, samples, affected
        How many.
    features
        What the machine of this fold saw.
    area
        Under its ROC curve.
    """

    patients: int
    samples: int
    affected: int
    features: tuple[str, ...]
    area: float


@dataclass(frozen=True, eq=False)
class TrainedMachine:
    """A machine, and what its cross-validation gave.

    Parameters
    ----------
    machine
        Trained on all samples.
    choice
        The best of the grid.
    tried
        Area of all held-out decisions together by each machine of the grid.
    folds
        Of the best.
    area
        Of all held-out decisions of the best, with its interval (samples taken as independent).
    """

    machine: SupportVectors
    choice: Choice
    tried: tuple[tuple[Choice, float], ...]
    folds: tuple[Fold, ...]
    area: Estimate

    @property
    def fold_areas(self) -> tuple[float, ...]:
        """Area under the ROC curve of each held-out fold."""
        return tuple(fold.area for fold in self.folds)


def train_machine(
    table: FeatureTable, grid: MachineGrid | None = None, choose: Chooser | None = None
) -> TrainedMachine:
    """Train a machine with the kernel and the cost that are best in cross-validation over patients.

    Parameters
    ----------
    table
        Affected and unaffected samples; those of a patient stay together.
    grid
        What is tried.
    choose
        Chooses among the table's features: in each fold from the patients that it is trained on, so that those held
        out have no say in it, and for the machine from all. All features are seen when it is left out.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID with fewer patients than folds, samples of one kind only, or so few of one that a fold has none.
    """
    grid = grid or MachineGrid()
    parts = [_Part.of(table, held, choose) for held in _held_out(table, grid)]
    scored = [(choice, _cross_validated(table, choice, parts)) for choice in grid.choices()]
    areas = [_area(decisions, table.affected).value for _, decisions in scored]
    choice, decisions = scored[int(np.argmax(areas))]
    curve = _platt(decisions, table.affected)
    names = table.names if choose is None else choose(table)
    return TrainedMachine(
        machine=_exported(
            table.chosen(names), choice, (*curve, _threshold(decisions, curve, table))
        ),
        choice=choice,
        tried=tuple((tried, value) for (tried, _), value in zip(scored, areas, strict=True)),
        folds=tuple(part.measured(decisions) for part in parts),
        area=_area(decisions, table.affected),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Samples that are held out, and those that are trained on, with the features that these choose."""

    trained: FeatureTable
    held: FeatureTable
    places: NDArray[np.int64]

    @classmethod
    def of(cls, table: FeatureTable, held: NDArray[np.int64], choose: Chooser | None) -> _Part:
        is_held = np.zeros(len(table.affected), bool)
        is_held[held] = True
        trained = table.where(~is_held)
        names = table.names if choose is None else choose(trained)
        return cls(
            trained.chosen(names), table.where(is_held).chosen(names), np.flatnonzero(is_held)
        )

    def measured(self, decisions: NDArray[np.float64]) -> Fold:
        affected = self.held.affected
        return Fold(
            patients=len(np.unique(self.held.patients)),
            samples=len(affected),
            affected=int(affected.sum()),
            features=self.held.names,
            area=_area(decisions[self.places], affected).value,
        )


def _held_out(table: FeatureTable, grid: MachineGrid) -> list[NDArray[np.int64]]:
    """Return the samples of each fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    patients = len(np.unique(table.patients))
    _require(patients >= grid.folds, f"at least {grid.folds} patients", f"{patients}")
    affected = int(table.affected.sum())
    enough = min(affected, len(table.affected) - affected) >= grid.folds * MIN_GROUP
    expected = f"affected and other regions, {grid.folds * MIN_GROUP} of each at least,"
    _require(enough, expected, f"{affected} affected of {len(table.affected)}")
    folds = StratifiedGroupKFold(grid.folds, shuffle=True, random_state=grid.seed)
    held = [part for _, part in folds.split(table.inputs, table.affected, table.patients)]
    least = min(_fewer(table.affected[part]) for part in held)
    expected = f"affected and other regions, {MIN_GROUP} of each at least, in each fold of patients"
    _require(least >= MIN_GROUP, expected, f"{least} in one")
    return held


def _fewer(affected: NDArray[np.bool_]) -> int:
    return int(min(affected.sum(), (~affected).sum()))


def _cross_validated(
    table: FeatureTable, choice: Choice, parts: list[_Part]
) -> NDArray[np.float64]:
    """Return the decision on each sample by a machine that was trained without its patient."""
    decisions = np.empty(len(table.affected))
    for part in parts:
        mean, scale = _scaling(part.trained.inputs)
        svm = _svm(choice).fit((part.trained.inputs - mean) / scale, part.trained.affected)
        decisions[part.places] = svm.decision_function((part.held.inputs - mean) / scale)
    return decisions


def _scaling(inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    spread = inputs.std(axis=0)
    return inputs.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _svm(choice: Choice):
    from sklearn.svm import SVC

    gamma = choice.gamma if choice.kernel == "rbf" else "scale"
    return SVC(kernel=choice.kernel, C=choice.cost, gamma=gamma, class_weight="balanced")


def _platt(decisions: NDArray[np.float64], affected: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the logistic curve from decision to probability."""
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=1e6).fit(decisions[:, None], affected)
    return -float(curve.coef_[0, 0]), -float(curve.intercept_[0])


def _threshold(
    decisions: NDArray[np.float64], curve: tuple[float, float], table: FeatureTable
) -> float:
    slope, offset = curve
    probability = 1.0 / (1.0 + np.exp(slope * decisions + offset))
    said = marker(probability, table.affected, Direction.HIGHER)
    return float(choose_threshold(said, RULE).cutoff)


def _area(decisions: NDArray[np.float64], affected: NDArray[np.bool_]) -> Estimate:
    return area(marker(decisions, affected, Direction.HIGHER))


def _exported(
    table: FeatureTable, choice: Choice, curve: tuple[float, float, float]
) -> SupportVectors:
    mean, scale = _scaling(table.inputs)
    svm = _svm(choice).fit((table.inputs - mean) / scale, table.affected)
    slope, offset, threshold = curve
    linear = choice.kernel == "linear"
    # A linear machine is one vector: its weights.
    vectors = svm.coef_ if linear else svm.support_vectors_
    weights = np.ones(1) if linear else svm.dual_coef_[0]
    return SupportVectors(
        features=table.names,
        kernel=choice.kernel,
        gamma=choice.gamma,
        mean=tuple(map(float, mean)),
        scale=tuple(map(float, scale)),
        vectors=tuple(tuple(map(float, vector)) for vector in vectors),
        weights=tuple(map(float, weights)),
        intercept=float(svm.intercept_[0]),
        slope=slope,
        offset=offset,
        threshold=threshold,
    )


def _require(met: bool, expected: str, got: str) -> None:
    if not met:
        refuse(f"expected {expected} to train a machine, got {got}")
