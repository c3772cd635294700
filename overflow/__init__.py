"""Deploy Python projects that are larger than AWS Lambda's 250 MB."""

from __future__ import annotations

__version__ = "0.1.0"
