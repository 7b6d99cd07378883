"""The report of an evaluation: one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from ASPECTSLib import __version__
from ASPECTSLib.evaluation.tables import Table
from ASPECTSLib.report.wording import RESEARCH_ONLY

_TITLE = "ASPECTS: results beside readers"
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
section { overflow-x: auto; } p { max-width: 60rem; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #555; position: sticky; top: 0; background: #fff; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { color: #666; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.pictures figure { margin: 0; } .pictures img { width: 26rem; max-width: 100%; }
.note { border-left: 4px solid #d55e00; padding-left: .8rem; }
"""


def report_html(tables: Sequence[Table], pictures: Mapping[str, bytes], flow: Sequence[str]) -> str:
    """Return the page; same numbers, same bytes."""
    lines = "".join(f"<li>{html.escape(line)}</li>\n" for line in flow)
    shown = "".join(_picture(name, png) for name, png in pictures.items())
    body = "".join(table.to_html() for table in tables)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_TITLE}</title>\n<style>{_STYLE}</style></head>\n<body>\n<h1>{_TITLE}</h1>\n"
        f'<p class="note">{html.escape(RESEARCH_ONLY)}</p>\n<ul>\n{lines}</ul>\n'
        f"<p>Brackets hold 95 % intervals. Made by ASPECTS for 3D Slicer {__version__}.</p>\n"
        f'<div class="pictures">\n{shown}</div>\n{body}</body></html>\n'
    )


def _picture(name: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    label = html.escape(name)
    return f'<figure><img alt="{label}" src="data:image/png;base64,{data}"></figure>\n'
