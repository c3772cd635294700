"""Trim: what distributions carry that no function needs."""

from __future__ import annotations

from enum import Enum


class Trim(str, Enum):
    """How much is left out."""

    NONE = "none"
    SAFE = "safe"
    AGGRESSIVE = "aggressive"
