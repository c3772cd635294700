"""How GitHub's runner reads a line of a step's output as a command.

After actions/runner, Runner.Common/ActionCommand.cs, TryParseV2: leading blanks are skipped, the
command ends at the first `::` after its start, properties are split at `,` and at their first `=`.
"""

from __future__ import annotations

DATA = {"%0D": "\r", "%0A": "\n"}
PROPERTY = {**DATA, "%3A": ":", "%2C": ","}


def parse_command(line: str) -> tuple[str, dict[str, str], str] | None:
    """Name, properties and message of a command; None for what the runner takes for text."""
    text = line.lstrip()
    end = text.find("::", 2)
    if not text.startswith("::") or end < 0:
        return None
    name, _, rest = text[2:end].partition(" ")
    pairs = (pair.partition("=") for pair in rest.strip().split(",") if pair)
    properties = {key: _unescaped(value, PROPERTY) for key, _, value in pairs if value}
    return name, properties, _unescaped(text[end + 2 :], DATA)


def _unescaped(text: str, escapes: dict[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    # The percent sign last: else `%250A` would become a line feed.
    return text.replace("%25", "%")
