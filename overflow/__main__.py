"""`python -m overflow`, and the `overflow` command."""

from __future__ import annotations

import gc
import sys


def run() -> int:
    """The command; Ctrl-C is heeded from the first moment on, imports included."""
    try:
        from overflow.cli import main  # noqa: PLC0415

        return main()
    except KeyboardInterrupt:
        return 130
    finally:
        gc.freeze()  # the process ends: a last look for garbage would take 50 ms


if __name__ == "__main__":
    sys.exit(run())
