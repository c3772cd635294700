"""Commands: what a step says to GitHub's runner, as @actions/core writes it.

After toolkit's packages/core/src/command.ts and file-command.ts, which the tests run beside this.
"""

from __future__ import annotations


def escape_data(text: str) -> str:
    """`text` as the message of a command: `%` first, else it would escape the escapes."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """`text` as the value of a property, which ends at `,` or `::`."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def command(name: str, message: str, **properties: str) -> str:
    """One command, without a line feed; properties that are empty are left out."""
    given = [f"{key}={escape_property(value)}" for key, value in properties.items() if value]
    return f"::{name}{' ' if given else ''}{','.join(given)}::{escape_data(message)}"


def output_entry(name: str, value: str, delimiter: str) -> str:
    """A line or more for GITHUB_OUTPUT. Raises ValueError where the delimiter stands in them.

    delimiter: what nobody can have guessed, such as `ghadelimiter_` and a random UUID.
    """
    if delimiter in name or delimiter in value:
        raise ValueError(f"output {name!r}: it contains the delimiter")
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
