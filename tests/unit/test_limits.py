"""Limits: AWS's numbers, and sizes as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overflow.limits import (
    LIMIT_MB,
    MIB,
    TMP_DEFAULT_MB,
    TMP_MAXIMUM_MB,
    TMP_STEP_MB,
    in_megabytes,
    megabytes,
    tmp_needed_mb,
)


def test_lambda_counts_in_mib() -> None:
    assert megabytes(LIMIT_MB) == 262_144_000
    assert megabytes(0.5) == 524_288


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (104_857, "102.4 KB"),
        (104_858, "0.1 MB"),
        (MIB, "1.0 MB"),
        (262_144_000, "250.0 MB"),
        (12_345 * MIB, "12,345.0 MB"),
        (-5, "-5 B"),
        (-2048, "-2.0 KB"),
        (-MIB, "-1.0 MB"),
    ],
)
def test_in_megabytes(size: int, text: str) -> None:
    assert in_megabytes(size) == text


@pytest.mark.parametrize(
    ("overflow", "setting"), [(0, 512), (400, 512), (465, 512), (466, 576), (900, 1024)]
)
def test_tmp_needed(overflow: float, setting: int) -> None:
    assert tmp_needed_mb(megabytes(overflow)) == setting


@given(st.integers(0, 20_000 * MIB))
def test_tmp_needed_has_room_and_is_round(overflow: int) -> None:
    setting = tmp_needed_mb(overflow)
    assert setting * MIB > overflow * 1.09 or setting == TMP_MAXIMUM_MB
    assert setting <= TMP_MAXIMUM_MB
    assert setting % TMP_STEP_MB == 0
    assert setting >= TMP_DEFAULT_MB
    assert tmp_needed_mb(overflow + MIB) >= setting
