"""Plot: cold starts as an SVG of horizontal bars.

`python -m benchmarks.plot RESULTS.json FILE.svg`, where `python -m benchmarks start --json` wrote
the results. The SVG has no background, and its colours are for light and for dark.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from benchmarks.peer import PEER
from benchmarks.started import FLOOR, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH, LEFT, RIGHT = 760, 230, 70
"""Of the picture, of its labels, and of the room for the figures behind the bars."""

ROW, BAR, TITLE, EDGE = 24, 15, 34, 12

CAPTIONS = {
    "flask": "examples/flask, 292 MB: /api/deps-check, which imports everything",
    "large": "examples/large, 737 MB: /api/deps-check, which imports everything",
    "light": "examples/large, light.py: imports flask and pandas of the 737 MB",
}

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .note, .missing { fill: #59636e }
.ours { fill: #0969da } .other { fill: #818b98 } .floor { fill: #1a7f37 }
line { stroke: #1f2328; stroke-width: 1.5 } .ceiling { stroke: #1a7f37; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .note, .missing { fill: #9198a1 }
  .ours { fill: #4493f8 } .other { fill: #656c76 } .floor { fill: #3fb950 }
  line { stroke: #f0f6fc } .ceiling { stroke: #3fb950 }
}"""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One contender; without seconds where it is missing."""

    name: str
    seconds: tuple[float, ...]

    @property
    def kind(self) -> str:
        """The class that colours it."""
        if self.name == FLOOR:
            return "floor"
        return "other" if self.name == ORIGIN or self.name.startswith(PEER) else "ours"


def main(arguments: Sequence[str]) -> int:
    """Read the results and write the picture."""
    source, target = (Path(one) for one in arguments)
    target.write_text(svg(json.loads(source.read_text("utf-8"))), encoding="utf-8")
    return 0


def svg(results: Mapping[str, Any]) -> str:
    """The picture of the results of all apps that were started, on one scale."""
    groups = {app: _bars(found) for app, found in results["start"].items()}
    longest = max(max(bar.seconds, default=0) for bars in groups.values() for bar in bars)
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts: list[str] = []
    y = EDGE
    for app, bars in groups.items():
        parts += _group(CAPTIONS.get(app, app), bars, y, scale)
        y += TITLE + ROW * len(bars) + EDGE
    note = f"To the first answer of a cold start: median, and the span of all. {_where(results)}"
    parts.append(_text(EDGE, y + 16, note, "note"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 30}" role="img">'
    title = "<title>Cold starts, seconds to the first answer</title>"
    return "\n".join((head, title, f"<style>\n{STYLE}\n</style>", *parts, "</svg>\n"))


def _where(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    return f"One CPU ({machine['CPU']}), {machine['date'].split()[0]}."


def _bars(found: Mapping[str, Any]) -> list[Bar]:
    """The slowest first; what is missing at the end."""
    bars = [Bar(name=name, seconds=tuple(each["cold"])) for name, each in found["seconds"].items()]
    bars.sort(key=lambda bar: -median(bar.seconds))
    return bars + [Bar(name=name, seconds=()) for name in found["missing"]]


def _group(caption: str, bars: Sequence[Bar], top: int, scale: float) -> Iterator[str]:
    yield _text(EDGE, top + 20, caption, "title")
    rows = top + TITLE
    for at, bar in enumerate(bars):
        yield from _row(bar, rows + at * ROW, scale)
    drawn = [bar for bar in bars if bar.seconds]
    for bar in drawn:
        if bar.kind == "floor":
            x = LEFT + median(bar.seconds) * scale
            yield _line(x, rows - 4, x, rows + len(drawn) * ROW - 4, "ceiling")


def _row(bar: Bar, y: int, scale: float) -> Iterator[str]:
    middle = y + BAR / 2
    yield _text(LEFT - 10, middle + 4.5, bar.name, "label", anchor="end")
    if not bar.seconds:
        yield _text(LEFT, middle + 4.5, "no bundle", "missing")
        return
    width = median(bar.seconds) * scale
    yield f'<rect class="{bar.kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
    low, high = (LEFT + value * scale for value in (min(bar.seconds), max(bar.seconds)))
    yield _line(low, middle, high, middle, "span")
    end = max(high, LEFT + width) + 8
    yield _text(end, middle + 4.5, f"{median(bar.seconds):.2f} s", "figure")


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{kind}" {ends}/>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
