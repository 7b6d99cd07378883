"""The tables of an evaluation, in the forms of the papers: regions, scores, volumes and clinical variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGION_GROUPS, REGIONS
from ASPECTSLib.evaluation.readings import Reader
from ASPECTSLib.evaluation.tables import Cell, PValue, Table, attempt
from ASPECTSLib.statistics.agreement import LOW_SCORE, SCORE_BINS, agreement_within, binned
from ASPECTSLib.statistics.bland_altman import limits_of_agreement
from ASPECTSLib.statistics.bootstrap import Bootstrap
from ASPECTSLib.statistics.clustered import clustered_area, clustered_share
from ASPECTSLib.statistics.comparisons import kolmogorov_smirnov_p, paired_t, signed_rank_p
from ASPECTSLib.statistics.correlation import spearman
from ASPECTSLib.statistics.diagnostic import diagnose, mcnemar
from ASPECTSLib.statistics.groups import summarize
from ASPECTSLib.statistics.icc import icc_agreement, icc_consistency
from ASPECTSLib.statistics.kappa import Weighting, kappa
from ASPECTSLib.statistics.pairs import complete
from ASPECTSLib.statistics.pearson import pearson

CLOSE, NEAR = 1, 2
"""Points by which scores may differ to count as nearly the same; 2 is that of Upadhyay 2022."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Readers of the same cases.

    Parameters
    ----------
    programs
        What is evaluated, at least one.
    readers
        People, or the truth.
    reference
        One of the readers, or their consensus: what calls of regions are held against.
    cases
        All cases that any of them has read, in order.
    cut
        A score of at most this is low.
    bootstrap
        Of the intervals that have no closed form.
    """

    programs: Sequence[Reader]
    readers: Sequence[Reader]
    reference: Reader
    cases: Sequence[str]
    cut: int = LOW_SCORE
    bootstrap: Bootstrap = Bootstrap()  # noqa: RUF009 - it is frozen

    @property
    def pairs(self) -> list[tuple[Reader, Reader]]:
        """Each program with each reader, programs with each other, and, as the ceiling, readers with each other."""
        against = [r for r in (self.reference, *self.readers) if not r.is_program]
        unique = list({reader.name: reader for reader in against}.values())
        beside = [(program, reader) for program in self.programs for reader in unique]
        return [*beside, *combinations(self.programs, 2), *combinations(self.readers, 2)]


def region_table(compared: Compared) -> Table:
    """Return how calls of regions agree with the reference: table 1 of Cao 2022, with intervals over patients."""
    others = [r for r in compared.readers if r.name != compared.reference.name]
    rows: list[list[Cell]] = []
    for reader in (*compared.programs, *others):
        truth, calls, strength = _calls_of(compared, reader)
        if not len(truth):
            continue
        for group, codes in REGION_GROUPS.items():
            chosen = [region.code in codes for region in REGIONS]
            parts = (part[:, chosen] for part in (truth, calls, strength))
            rows.append([reader.name, group, *_region_measures(*parts, compared.bootstrap)])
        rows.append(
            [reader.name, f"score at most {compared.cut}", *_low_measures(compared, reader)]
        )
    return Table(
        "regions",
        f"Calls of regions against {compared.reference.name}",
        "Affected regions are positive, and so is a low score. Intervals of regions come of drawing patients with "
        "replacement. The area under the ROC curve is that of the program's probabilities. Form: Cao 2022, table 1.",
        ("reader", "regions", "sensitivity", "specificity", "accuracy", "AUC"),
        rows,
    )


def score_table(compared: Compared) -> Table:
    """Return how scores agree, each pair of readers in a row."""
    rows = [[f"{a.name} – {b.name}", *_score_measures(compared, a, b)] for a, b in compared.pairs]
    columns = (
        "readers",
        "ICC(2,1)",
        "ICC(3,1)",
        "kappa, quadratic weights",
        f"kappa, at most {compared.cut}",
        "Pearson r",
        "Spearman rho",
        "same score",
        f"within {CLOSE}",
        f"within {NEAR}",
        "bias",
        "lower limit",
        "upper limit",
        "paired t, p",
        "signed ranks, p",
    )
    note = (
        "Bias is the first reader's score less the second one's, the limits are those of Bland and Altman. Rows of two "
        "people show what agreement there can be."
    )
    return Table("scores", "Agreement of scores", note, columns, rows)


def each_score_table(compared: Compared) -> Table:
    """Return sensitivity and specificity for each score: tables 3 and 4 of Upadhyay 2022."""
    columns, rows = ["score"], [[str(score)] for score in range(11)]
    names = [f"{'ABC'[n]} ({low}-{high})" for n, (low, high) in enumerate(SCORE_BINS)]
    classes = [[name] for name in names]
    for first, second in compared.pairs:
        label = f"{first.name} – {second.name}"
        columns += [f"{label}: sensitivity", f"{label}: specificity"]
        said, true = complete(first.scores(compared.cases), second.scores(compared.cases))
        for score, row in enumerate(rows):
            row.extend(_one_class(true == score, said == score))
        for number, row in enumerate(classes):
            row.extend(_one_class(binned(true) == number, binned(said) == number))
    note = (
        "Of the cases to which the second reader gives a score, or one of a class of scores, the share to which the "
        "first one does too (sensitivity), and the same of all others (specificity). Form: Upadhyay 2022, tables 3 and "
        "4, where the two words stand for each other."
    )
    return Table("each-score", "Each score", note, columns, [*rows, *classes])


def volume_table(compared: Compared) -> Table | None:
    """Return how infarct volumes agree; None where no pair has any."""
    rows = []
    for first, second in compared.pairs:
        said, true = _both(compared, first.volumes_ml, second.volumes_ml)
        if len(said) < 2:
            continue
        limits = limits_of_agreement(true, said)
        rows.append(
            [
                f"{first.name} – {second.name}",
                len(said),
                limits.bias,
                limits.lower,
                limits.upper,
                float(np.median(np.abs(said - true))),
                attempt(partial(_icc, said, true)),
                attempt(partial(_pearson, said, true)),
                attempt(partial(_spearman, said, true, compared.bootstrap)),
            ]
        )
    columns = (
        "readers",
        "cases",
        "bias, mL",
        "lower limit, mL",
        "upper limit, mL",
        "median error, mL",
        "ICC(2,1)",
        "Pearson r",
        "Spearman rho",
    )
    note = "Bias is the first reader's volume less the second one's."
    return Table("volumes", "Infarct volumes", note, columns, rows) if rows else None


def program_table(compared: Compared) -> Table | None:
    """Return whether two programs are right about different patients; None where there is only one."""
    rows = []
    for first, second in combinations(compared.programs, 2):
        scores = [r.scores(compared.cases) for r in (compared.reference, first, second)]
        true, said_1, said_2 = (scores_ <= compared.cut for scores_ in complete(*scores))
        test = attempt(partial(_mcnemar, true, said_1, said_2))
        rows.append([f"{first.name} – {second.name}", len(true), test])
    columns = ("programs", "cases", f"McNemar, at most {compared.cut}, p")
    note = f"Whether one is right more often than the other, against {compared.reference.name}."
    return Table("programs", "Programs beside each other", note, columns, rows) if rows else None


def clinical_table(
    compared: Compared, variables: Mapping[str, Mapping[str, float]]
) -> Table | None:
    """Return how scores go with clinical variables: tables 2 and 3 of Cao 2022; None where there are none.

    Parameters
    ----------
    compared
        The readers.
    variables
        Values by case, by the name of the variable.
    """
    everyone = {r.name: r for r in (*compared.programs, *compared.readers)}
    rows: list[list[Cell]] = []
    for name, values in variables.items():
        column = np.array([values.get(case, np.nan) for case in compared.cases], float)
        summary = summarize(column[np.isfinite(column)])
        for reader in everyone.values():
            value, score = complete(column, reader.scores(compared.cases))
            low = score <= compared.cut
            rows.append(
                [
                    name,
                    None
                    if summary is None
                    else f"{summary.median:g} ({summary.lower_quartile:g} to {summary.upper_quartile:g})",
                    reader.name,
                    attempt(partial(_spearman, score, value, compared.bootstrap)),
                    attempt(partial(_spearman_p, score, value, compared.bootstrap)),
                    attempt(partial(_ks, value[low], value[~low])),
                ]
            )
    columns = (
        "variable",
        "median (quartiles)",
        "score of",
        "Spearman rho",
        "p",
        f"Kolmogorov–Smirnov, at most {compared.cut} or more, p",
    )
    note = (
        "Correlation of scores with what is known of the patients. Form: Cao 2022, tables 2 and 3."
    )
    return Table("clinical", "Clinical variables", note, columns, rows) if rows else None


def _calls_of(
    compared: Compared, reader: Reader
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return truth, calls and probabilities of the cases with calls of both, shape (cases, 20)."""
    truth, calls = compared.reference.calls(compared.cases), reader.calls(compared.cases)
    strength = reader.probabilities(compared.cases)
    both = np.isfinite(truth).any(axis=1) & np.isfinite(calls).any(axis=1)
    return truth[both], calls[both], strength[both]


def _region_measures(
    truth: NDArray[np.float64],
    calls: NDArray[np.float64],
    strength: NDArray[np.float64],
    bootstrap: Bootstrap,
) -> list[Cell]:
    known = np.isfinite(truth) & np.isfinite(calls)
    positive, called = known & (truth > 0), known & (calls > 0)
    return [
        clustered_share(positive, called, bootstrap),
        clustered_share(known & ~positive, known & ~called, bootstrap),
        clustered_share(known, positive == called, bootstrap),
        clustered_area(truth > 0, strength, known & np.isfinite(strength), bootstrap),
    ]


def _low_measures(compared: Compared, reader: Reader) -> list[Cell]:
    said, true = _both(compared, reader.scores, compared.reference.scores)
    if not len(said):
        return [None] * 4
    found = diagnose(true <= compared.cut, said <= compared.cut)
    area = clustered_area((true <= compared.cut)[:, None], -said[:, None], None, compared.bootstrap)
    return [found.sensitivity, found.specificity, found.accuracy, area]


def _score_measures(compared: Compared, first: Reader, second: Reader) -> list[Cell]:
    said, true = _both(compared, first.scores, second.scores)
    cut, bootstrap = compared.cut, compared.bootstrap
    measures = (
        partial(_icc, said, true),
        lambda: icc_consistency(np.stack([said, true], axis=1)),
        lambda: kappa(said, true, Weighting.QUADRATIC),
        lambda: kappa(said <= cut, true <= cut),
        partial(_pearson, said, true),
        partial(_spearman, said, true, bootstrap),
        lambda: agreement_within(said, true),
        lambda: agreement_within(said, true, CLOSE),
        lambda: agreement_within(said, true, NEAR),
        lambda: limits_of_agreement(true, said).bias,
        lambda: limits_of_agreement(true, said).lower,
        lambda: limits_of_agreement(true, said).upper,
        lambda: PValue(paired_t(true, said).p_value),
        lambda: PValue(signed_rank_p(true, said)),
    )
    return [attempt(measure) for measure in measures]


def _both(compared, first, second) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two variables of the cases that have both."""
    return complete(first(compared.cases), second(compared.cases))


def _one_class(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> list[Cell]:
    if not len(true):
        return [None, None]
    found = diagnose(true, said)
    return [found.sensitivity, found.specificity]


def _icc(said: NDArray[np.float64], true: NDArray[np.float64]) -> Cell:
    return icc_agreement(np.stack([said, true], axis=1))


def _pearson(said: NDArray[np.float64], true: NDArray[np.float64]) -> Cell:
    return pearson(said, true).rho


def _spearman(
    first: NDArray[np.float64], second: NDArray[np.float64], bootstrap: Bootstrap
) -> Cell:
    return spearman(first, second, bootstrap).rho


def _spearman_p(
    first: NDArray[np.float64], second: NDArray[np.float64], bootstrap: Bootstrap
) -> Cell:
    return PValue(spearman(first, second, bootstrap).p_value)


def _ks(first: NDArray[np.float64], second: NDArray[np.float64]) -> Cell:
    return PValue(kolmogorov_smirnov_p(first, second))


def _mcnemar(true: NDArray[np.bool_], first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Cell:
    return PValue(mcnemar(true, first, second).p_value)
