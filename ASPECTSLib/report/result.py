"""The result of a study as a value, and its JSON form, which is the truth all else is made from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from ASPECTSLib.errors import ErrorCode, FileRefusedError

SCHEMA_VERSION = 1
DECIMALS = 4
"""Of every number in the file: finer digits are noise of the arithmetic."""


@dataclass(frozen=True)
class InputInfo:
    """What was scored; size and spacing along i, j, k of the scan as it was given."""

    modality: str
    files: tuple[str, ...]
    spacing_mm: tuple[float, ...]
    shape: tuple[int, ...]
    age_years: float | None = None


@dataclass(frozen=True)
class ModelInfo:
    """A network or atlas that took part, and the SHA-256 of its file."""

    name: str
    sha256: str


@dataclass(frozen=True)
class MethodInfo:
    """How it was scored.

    `heatmap` says what its heat map holds, see `ASPECTSLib.report.looks.HeatKind`; `reason` why `auto` took this
    method, None where a person named it.
    """

    name: str
    version: str
    options: dict[str, Any] = field(default_factory=dict)
    models: tuple[ModelInfo, ...] = ()
    heatmap: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class AspectsInfo:
    """The score: points of the worse side and of both; all None when the program abstained."""

    score: int | None
    side: str | None
    left: int | None
    right: int | None


@dataclass(frozen=True)
class OverrideInfo:
    """A call changed by a person."""

    affected: bool
    by: str
    when: str
    reason: str


@dataclass(frozen=True)
class RegionInfo:
    """One region: its call, the numbers behind it, and the override, which wins where there is one.

    `affected` and `probability` are the program's own, and None where it
    abstained or could not compare the sides. Densities in HU.
    """

    region: str
    side: str
    affected: bool | None
    probability: float | None
    unsure: bool
    volume_ml: float
    infarct_fraction: float | None
    median: float | None
    contralateral_median: float | None
    evidence: str
    override: OverrideInfo | None = None

    @property
    def final_call(self) -> bool | None:
        """The call that counts: the override where there is one, else the program's; None where there is neither."""
        return self.override.affected if self.override else self.affected


@dataclass(frozen=True)
class CoreInfo:
    """Infarct core; None where there is no infarct mask.

    `severity` goes by the volume and `severity_by_aspects` by the score, with the cut-offs of one study;
    `core_group` and `aspects_group` are the groups that trials of thrombectomy made. See `ASPECTSLib.scoring.severity`.
    `hypoperfused_ml` is the tissue that blood reaches late (Tmax above 6 s), `relative_cbv` the core's blood volume as
    a share of the other side's; None without these maps.
    """

    volume_ml: float | None = None
    volume_adc620_ml: float | None = None
    severity: str | None = None
    severity_by_aspects: str | None = None
    core_group: str | None = None
    aspects_group: str | None = None
    hypoperfused_ml: float | None = None
    relative_cbv: float | None = None


@dataclass(frozen=True)
class ContrastInfo:
    """Filling of the vessels on CT angiography, HU; `phase` is None where it is not sure."""

    phase: str | None
    artery_hu: float | None
    vein_hu: float | None


@dataclass(frozen=True)
class WarningInfo:
    """Something that the reader should know, in words, with a code for programs."""

    code: str
    message: str


@dataclass(frozen=True)
class QualityInfo:
    """Warnings, whether the program abstained, and how well the atlas fits."""

    warnings: tuple[WarningInfo, ...] = ()
    abstained: bool = False
    registration: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EditInfo:
    """Borders changed by a person: `what` is "regions" or "infarct", `when` of the latest change."""

    what: str
    by: str
    when: str


@dataclass(frozen=True)
class KeySlicesInfo:
    """Indices of the two key slices, along the slice axis and in the order of the scan as it was given."""

    axis: int
    ganglionic: int
    supraganglionic: int


@dataclass(frozen=True)
class StudyResult:
    """Everything that is known of a scored study; see the result format in the README.

    `automatic` holds the program's own totals from the first edit of borders on,
    after which the calls are no longer those that it made alone.
    """

    input: InputInfo
    method: MethodInfo
    aspects: AspectsInfo
    regions: tuple[RegionInfo, ...]
    core: CoreInfo
    quality: QualityInfo
    key_slices: KeySlicesInfo | None = None
    contrast: ContrastInfo | None = None
    edits: tuple[EditInfo, ...] = ()
    automatic: AspectsInfo | None = None
    outputs: dict[str, str | None] = field(default_factory=dict)
    timings_s: dict[str, float] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def is_edited(self) -> bool:
        """Whether a person changed a call or a border."""
        return bool(self.edits) or any(info.override for info in self.regions)

    def to_json(self) -> str:
        """Return the result as JSON text, numbers rounded, NaN not allowed."""
        return json.dumps(_rounded(asdict(self)), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StudyResult:
        """Read a result back.

        Raises
        ------
        FileRefusedError
            FILE_UNREADABLE if the text is not a result of this schema version.
        """
        try:
            return _from_dict(json.loads(text, parse_constant=_refuse_constant))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"expected an ASPECTS result of schema version {SCHEMA_VERSION}"
            raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message) from error


def _refuse_constant(name: str) -> NoReturn:
    message = f"expected numbers, got {name}"
    raise ValueError(message)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0  # no -0.0, which differs between mirrored scans
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def _from_dict(data: dict[str, Any]) -> StudyResult:
    if data["schema_version"] != SCHEMA_VERSION:
        message = f"expected schema version {SCHEMA_VERSION}, got {data['schema_version']}"
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, message)
    method, quality = data["method"], data["quality"]
    key_slices, contrast = data.get("key_slices"), data.get("contrast")
    return StudyResult(
        input=InputInfo(**{key: _frozen(value) for key, value in data["input"].items()}),
        method=MethodInfo(**(method | {"models": tuple(ModelInfo(**m) for m in method["models"])})),
        aspects=AspectsInfo(**data["aspects"]),
        regions=tuple(_region_from_dict(region) for region in data["regions"]),
        core=CoreInfo(**data["core"]),
        quality=QualityInfo(
            **(quality | {"warnings": tuple(WarningInfo(**w) for w in quality["warnings"])})
        ),
        key_slices=KeySlicesInfo(**key_slices) if key_slices else None,
        contrast=ContrastInfo(**contrast) if contrast else None,
        automatic=AspectsInfo(**data["automatic"]) if data.get("automatic") else None,
        edits=tuple(EditInfo(**edit) for edit in data.get("edits", ())),
        outputs=data["outputs"],
        timings_s=data["timings_s"],
    )


def _region_from_dict(data: dict[str, Any]) -> RegionInfo:
    override = data.get("override")
    return RegionInfo(**(data | {"override": OverrideInfo(**override) if override else None}))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
