"""A git dependency."""

STANDARD = 1.19
