"""`python -m overflow`, and the `overflow` command."""

from __future__ import annotations

import sys


def run() -> int:
    """The command; Ctrl-C is heeded from the first moment on, imports included."""
    try:
        from overflow.cli import main  # noqa: PLC0415

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
