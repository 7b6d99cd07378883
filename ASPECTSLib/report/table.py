"""The region table as CSV."""

from __future__ import annotations

from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.report.result import RegionInfo, StudyResult

COLUMNS = (
    "region",
    "side",
    "affected",
    "probability",
    "unsure",
    "volume_ml",
    "infarct_fraction",
    "median",
    "contralateral_median",
    "evidence",
    "override_affected",
    "override_by",
    "override_when",
    "override_reason",
)


def regions_csv(result: StudyResult) -> str:
    """Return the table of all 20 regions; empty cells where there is no value. Same result, same bytes."""
    return csv_text(COLUMNS, map(region_row, result.regions))


def region_row(region: RegionInfo) -> list[str]:
    """Return the cells of a region, one for each of `COLUMNS`."""
    override = region.override
    return [
        region.region,
        region.side,
        _flag(region.affected),
        number_cell(region.probability, 2),
        _flag(region.unsure),
        number_cell(region.volume_ml, 1),
        number_cell(region.infarct_fraction, 2),
        number_cell(region.median, 1),
        number_cell(region.contralateral_median, 1),
        region.evidence,
        _flag(override.affected if override else None),
        override.by if override else "",
        override.when if override else "",
        override.reason if override else "",
    ]


def _flag(value: bool | None) -> str:
    return "" if value is None else ("yes" if value else "no")


def number_cell(value: float | None, decimals: int) -> str:
    """Return a number as a cell; empty for None."""
    # Adding zero turns -0.0 into 0.0, which would differ between mirrored scans.
    return "" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"
