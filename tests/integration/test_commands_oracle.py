"""Commands beside the original: @actions/core from npm writes the same, byte for byte."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overflow.commands import command, output_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

CORE = "@actions/core@3.0.1"
CACHE = Path(__file__).parents[2] / "build" / "npm-actions-core-3.0.1"
"""Git ignores it; installed once."""

SCRIPT = """
import * as core from "@actions/core";
import * as fs from "node:fs";

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const file = process.argv[2];
process.env.GITHUB_OUTPUT = file;
const print = process.stdout.write.bind(process.stdout);
const answers = cases.map((one) => {
  let line = "";
  process.stdout.write = (text) => { line += text; return true; };
  core[one.level](one.message, one.properties);
  process.stdout.write = print;
  fs.writeFileSync(file, "");
  core.setOutput(one.name, one.message);
  return { line, output: fs.readFileSync(file, "utf8") };
});
print(JSON.stringify(answers));
"""

PIECES = (
    *"%:,=;#[]<>\r\n\t &|`'\"\\@$()",
    *("%25", "%0A", "%0d", "%3A", "%2C", "::", "::error::", "##[error]", "<<", "ghadelimiter_"),
    *("a", "é", "\u2028", "\U0001f4a3", "\x00", "\x1b[31m", "\u202e"),
)


@pytest.fixture(scope="module")
def core() -> Path:
    """A folder in which node finds @actions/core."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    if not (CACHE / "node_modules" / "@actions" / "core").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--save-exact")
        subprocess.run([npm, "install", *options, CORE], cwd=CACHE, check=True, capture_output=True)
    return CACHE


def answers(core: Path, output: Path, cases: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    script = core / "oracle.mjs"
    script.write_text(SCRIPT, encoding="utf-8")
    ran = subprocess.run(
        ["node", script, output],
        input=json.dumps(cases).encode(),
        cwd=core,
        check=True,
        capture_output=True,
    )
    found: list[dict[str, str]] = json.loads(ran.stdout)
    return found


def made_up(count: int) -> list[dict[str, Any]]:
    """Cases of pieces that mean something to the runner; the same at each run."""
    chance = random.Random(20_261_122)

    def text() -> str:
        return "".join(chance.choices(PIECES, k=chance.randrange(8)))

    return [
        {
            "level": chance.choice(("error", "warning", "notice")),
            "message": text(),
            # It calls the line startLine; a line of 0 is left out, like a text that is empty.
            "properties": {"title": f"t{text()}", "file": text(), "startLine": chance.randrange(3)},
            "name": f"n{text()}".replace("ghadelimiter_", ""),
        }
        for _ in range(count)
    ]


def test_as_the_original_writes_them(core: Path, tmp_path: Path) -> None:
    cases = made_up(500)
    for case, answer in zip(cases, answers(core, tmp_path / "output", cases), strict=True):
        given = case["properties"]
        line = command(
            case["level"],
            case["message"],
            title=given["title"],
            file=given["file"],
            line=str(given["startLine"] or ""),
        )
        assert f"{line}\n" == answer["line"]
        # Its delimiter is made anew each time: what it used this time stands in its first line.
        delimiter = "ghadelimiter_" + answer["output"].partition("<<ghadelimiter_")[2][:36]
        assert output_entry(case["name"], case["message"], delimiter) == answer["output"]


def test_without_properties(core: Path, tmp_path: Path) -> None:
    case = {"level": "notice", "message": "a", "properties": {}, "name": "n"}
    (answer,) = answers(core, tmp_path / "output", [case])
    assert f"{command('notice', 'a')}\n" == answer["line"]
