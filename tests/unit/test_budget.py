"""Budget: which modules get bytecode, the project's and overflow's own among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from overflow.appraisal import Appraisal
from overflow.budget import Budget, compiled, own_modules
from overflow.bytecode import Compiled, Compiler
from overflow.generated import fetching_files, fetching_size
from overflow.measure import measure
from overflow.startup import COMPILING, Recording, Seconds
from overflow.tree import read_tree
from tests.unit.builders import NO_CACHE, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from overflow.packing import Choice

AMPLE = 1 << 40
TAG = "cpython-312"
NOTHING, LIB = frozenset[int](), frozenset({0})
SECONDS = Seconds(execute=1.0, compile=1000.0)
RECORDING = Recording(
    start=dict.fromkeys(["app.py", "_vendor/lib/start.py"], SECONDS),
    demand=dict.fromkeys(["views.py", "_vendor/lib/asked.py"], SECONDS),
)
PROJECT = {"app.py": 10, "views.py": 20, "zzz.py": 30, "brought.py": 5, "brought.txt": 9}
LIBRARY = {"start.py": 100, "asked.py": 200, "near.py": 300}
TRAMPOLINE = "overflow_trampoline.py"
FILES = {TRAMPOLINE: b"#" * 7, "_overflow/manifest.json": b"{}", **fetching_files()}


class Python:
    """Bytecode is as large as its source."""

    def compile(self, sources: Mapping[str, Path]) -> dict[str, Compiled]:
        return {name: Compiled(content=path.read_bytes()) for name, path in sources.items()}


@pytest.fixture
def budget(tmp_path: Path) -> Budget:
    """One library, a project, and what is overflow's own."""
    site, project = tmp_path / "site", tmp_path / "project"
    write(site / "lib", {name: "#" * size for name, size in LIBRARY.items()})
    record = "".join(f"lib/{name},,\n" for name in LIBRARY)
    info = {"METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1\n", "RECORD": record}
    write(site / "lib-1.dist-info", info)
    write(project, {name: "#" * size for name, size in PROJECT.items()})
    write(project / "__pycache__", {f"brought.{TAG}.pyc": "theirs"})
    scales = Appraisal(
        measurement=measure(site),
        groups=[frozenset({"lib"})],
        recording=RECORDING,
        compiler=cast("Compiler", Python()),
        cache=NO_CACHE,
        tag=TAG,
        folder=tmp_path / "packed",
        can_pack=True,
        lazy=False,
        with_bytecode=False,
    )
    tree = read_tree(project, lambda _path, _is_folder: False)
    for path, content in FILES.items():
        write(tmp_path / "generated", {path: content.decode()})
    modules = own_modules(tree, FILES, RECORDING, tmp_path / "generated", TAG)
    return Budget(scales=scales, modules=modules, own={}, used=1000, most=AMPLE)


def sources(bytecode: Iterable[str]) -> list[str]:
    return [path.replace("__pycache__/", "").replace(f"{TAG}.pyc", "py") for path in bytecode]


def with_own(budget: Budget, most: int = AMPLE) -> Budget:
    """Where what each start imports has its room first."""
    needed = [one for one in budget.modules if one.path == "app.py" or one.path in FILES]
    own = compiled(budget.scales.compiler, needed)
    return replace(budget, own=own, most=most)


def test_the_projects_modules_get_bytecode_in_order_of_use(budget: Budget) -> None:
    """Beside those of distributions: for the start, for what is asked for, then the rest."""
    order = [
        "app.py",
        TRAMPOLINE,
        "_vendor/lib/start.py",
        "views.py",
        "_vendor/lib/asked.py",
        "zzz.py",
        "_vendor/lib/near.py",
    ]
    assert sources(budget.more_bytecode(NOTHING, NOTHING, (), AMPLE)) == order
    known = budget.more_bytecode(NOTHING, NOTHING, (), 10 + 7)
    assert sources(known) == order[:2]
    assert sources(budget.more_bytecode(NOTHING, NOTHING, known, 100 + 20)) == order[2:4]
    assert not budget.more_bytecode(NOTHING, NOTHING, known, 0)


def test_what_leaves_gets_none_beside_the_bundles_files(budget: Budget) -> None:
    assert sources(budget.more_bytecode(LIB, NOTHING, (), AMPLE)) == [
        "app.py",
        TRAMPOLINE,
        "views.py",
        "zzz.py",
    ]


def test_what_fetches_has_bytecode_where_it_is_carried(budget: Budget) -> None:
    """With room of its own, or of what is left."""
    rest = sources(budget.more_bytecode(NOTHING, LIB, (), AMPLE))
    assert [path for path in rest if path in FILES] == [*fetching_files(), TRAMPOLINE]
    own = with_own(budget)
    carried = {"app.py", TRAMPOLINE}
    assert set(sources(own.bytecode(NOTHING, LIB))) == {*carried, *fetching_files()}
    assert set(sources(own.bytecode(LIB, NOTHING))) == carried


def test_bytecode_that_has_its_room_takes_it(budget: Budget) -> None:
    """What fetches twice: its sources are carried only then, either."""
    assert budget.room(fetches=False) == AMPLE - 1000
    assert budget.room(fetches=True) == AMPLE - 1000 - fetching_size()
    own = with_own(budget)
    assert own.room(fetches=False) == AMPLE - 1000 - 10 - 7
    assert own.room(fetches=True) == AMPLE - 1000 - 10 - 7 - 2 * fetching_size()


@pytest.mark.parametrize(
    ("left", "packed", "missing"),
    [
        (0, NOTHING, 100 + 20 + 200),
        (20, NOTHING, 100 + 20 + 200),
        (30, NOTHING, 100 + 200),
        (150, NOTHING, 200),
        (400, NOTHING, 0),
        (400, LIB, 100 + 200),
    ],
)
def test_what_is_compiled_at_a_start_goes_by_bytes(
    budget: Budget, left: int, packed: Choice, missing: int
) -> None:
    """Recorded seconds have no part in it; what lies in an archive is compiled, too."""
    (load,) = budget.scales.loads()
    taken = load.packed if packed else load.vendored
    found = with_own(budget, most=1000 + 10 + 7 + taken + left)
    assert found.compiling(packed) == pytest.approx(COMPILING * missing)
