"""Text: what a terminal shows."""

from __future__ import annotations

import pytest

from overflow.text import to_text
from tests.unit.reports import SAMPLES, assert_golden


@pytest.mark.parametrize("outcome", SAMPLES)
def test_golden(outcome: str) -> None:
    assert_golden(f"{outcome}.plan.txt", to_text(SAMPLES[outcome]()))
