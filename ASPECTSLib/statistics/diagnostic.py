"""How often calls are right: sensitivity, specificity, accuracy, and whether two readers' differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ASPECTSLib.statistics.estimates import require
from ASPECTSLib.statistics.pairs import checked_truth
from ASPECTSLib.statistics.proportions import Proportion, proportion


@dataclass(frozen=True)
class Diagnosis:
    """Calls against the truth; each share with Wilson's interval, and None where there is nobody it speaks of.

    Parameters
    ----------
    sensitivity
        Share of the truly positive that are called; None where nobody is.
    specificity
        Share of the truly negative that are not called; None where nobody is.
    accuracy
        Share of right calls.
    positive_predictive_value
        Share of the called that are truly positive; None where nobody is called.
    negative_predictive_value
        Share of those not called that are truly negative; None where all are called.
    """

    sensitivity: Proportion | None
    specificity: Proportion | None
    accuracy: Proportion
    positive_predictive_value: Proportion | None
    negative_predictive_value: Proportion | None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of sensitivity and specificity; None where one of them is."""
        if self.sensitivity is None or self.specificity is None:
            return None
        return (self.sensitivity.value + self.specificity.value) / 2


@dataclass(frozen=True)
class PairedCalls:
    """How often only the first of two readers is right, only the second, and the p value of no difference."""

    only_first: int
    only_second: int
    n: int
    p_value: float


def diagnose(truth: ArrayLike, called: ArrayLike) -> Diagnosis:
    """Compare calls with the truth.

    Parameters
    ----------
    truth, called
        bool or 0 and 1, of one shape, not empty: patients, or regions of patients. Intervals take all entries as
        independent, which regions of one patient are not: use `ASPECTSLib.statistics.bootstrap` over patients there.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID for shapes that differ, nothing to compare, or values that are no calls.
    """
    true, call = _calls(truth, called)
    hits, rejected = int((true & call).sum()), int((~true & ~call).sum())
    positives, calls, n = int(true.sum()), int(call.sum()), true.size
    return Diagnosis(
        sensitivity=_share(hits, positives),
        specificity=_share(rejected, n - positives),
        accuracy=proportion(hits + rejected, n),
        positive_predictive_value=_share(hits, calls),
        negative_predictive_value=_share(rejected, n - calls),
    )


def mcnemar(truth: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedCalls:
    """Compare how often two readers of the same patients are right, by the exact test of McNemar.

    McNemar 1947, doi:10.1007/BF02295996, with binomial instead of chi-squared probabilities, two-sided. Readers who
    are right and wrong in the same patients have a p of 1.

    Parameters
    ----------
    truth, first, second
        bool or 0 and 1, of one shape, not empty.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID as `diagnose`.
    """
    true, call_1 = _calls(truth, first)
    _, call_2 = _calls(truth, second)
    right_1, right_2 = call_1 == true, call_2 == true
    only_1, only_2 = int((right_1 & ~right_2).sum()), int((right_2 & ~right_1).sum())
    different = only_1 + only_2
    p_value = float(stats.binomtest(only_1, different).pvalue) if different else 1.0
    return PairedCalls(only_1, only_2, true.size, p_value)


def _calls(truth: ArrayLike, called: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    true, call = checked_truth(truth), checked_truth(called)
    alike = true.shape == call.shape and true.size > 0
    require(alike, "a call for each truth", f"shapes {true.shape} and {call.shape}")
    return true.ravel(), call.ravel()


def _share(count: int, n: int) -> Proportion | None:
    return proportion(count, n) if n else None
