"""`python -m overflow`: the same as the `overflow` command."""

from __future__ import annotations

import sys

from overflow.cli import main

sys.exit(main())
