"""What a finished run left behind: the result in one sentence, and the regions' file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULT_EXIT_CODES = (0, 4)  # scored, abstained: both leave a result.json


@dataclass(frozen=True)
class Outcome:
    """The sentence to show, and the region map if one was written."""

    text: str
    regionsFile: Path | None


def readOutcome(folder: Path) -> Outcome:
    """Read the result that `aspects score` wrote into a folder."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    regions = result.get("outputs", {}).get("regions")
    return Outcome(describeResult(result), folder / regions if regions else None)


def describeResult(result: dict[str, Any]) -> str:
    """Say score, side and warnings of a result, one to a line."""
    lines = [_describeScore(result)]
    lines += [warning["message"] for warning in result["quality"]["warnings"]]
    return "\n".join(lines)


def _describeScore(result: dict[str, Any]) -> str:
    if result["quality"]["abstained"]:
        return "No score"
    aspects = result["aspects"]
    side = "" if aspects["side"] == "none" else f", {aspects['side']}"
    return f"ASPECTS {aspects['score']} / 10{side}"
