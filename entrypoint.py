"""The action's way in: `overflow build` with every setting from the environment.

The same as the command: OVERFLOW_PROJECT and OVERFLOW_OUTPUT name the folders, and each option
has its variable (`overflow build --help` lists them).
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from overflow.cli import main_from_environment

    sys.exit(main_from_environment())
