"""Rows: RECORD lists what is there, and is otherwise as it was, byte by byte."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from overflow.rows import mended

RECORD = b"""\
a/__init__.py,sha256=aaa,1
"a/b,c.h",sha256=bbb,2
a/lib.so,sha256=ccc,3\r
"a/odd,lib.so",sha256=ddd,4
a-1.0.dist-info/RECORD,,
"""


def test_nothing_changes_where_nothing_went() -> None:
    assert mended(RECORD, (), {}) == RECORD


def test_what_went_and_what_changed() -> None:
    changed = {"a/lib.so": "sha256=new,2", "a/odd,lib.so": "sha256=odd,1"}
    assert mended(RECORD, {"a/b,c.h"}, changed) == (
        b"a/__init__.py,sha256=aaa,1\n"
        b"a/lib.so,sha256=new,2\n"
        b'"a/odd,lib.so",sha256=odd,1\n'
        b"a-1.0.dist-info/RECORD,,\n"
    )


def test_a_path_that_goes_up_and_down() -> None:
    assert mended(b"a/../b.h,,\nb.h.py,,\n", {"b.h"}, {}) == b"b.h.py,,\n"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.booleans(), max_size=6))
def test_any_names(files: dict[str, bool]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([name, "sha256=x", 1] for name in files)
    gone = {name for name, goes in files.items() if goes}
    found = mended(text.getvalue().encode(), gone, {}).decode()
    kept = [row[0] for row in csv.reader(io.StringIO(found, newline=""))]
    assert kept == [name for name in files if name not in gone]


@given(st.binary(max_size=80))
def test_damaged_records_are_taken(record: bytes) -> None:
    assert mended(record, (), {}) == record
