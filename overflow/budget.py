"""Budget: the room of a bundle, and which modules get bytecode in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overflow.appraisal import BYTECODE
from overflow.bytecode import TASK, cached_name
from overflow.generated import fetching_files, fetching_size
from overflow.reading import is_own
from overflow.runtime.manifest import VENDOR_FOLDER
from overflow.startup import COMPILING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from overflow.appraisal import Appraisal
    from overflow.bytecode import Compiled, Compiler
    from overflow.packing import Choice
    from overflow.startup import Recording
    from overflow.tree import Tree

START, DEMAND, NEAR, FAR = range(4)
"""Of what use bytecode is: for each start, for what the code asks for, or for what lies near to
what is imported, or far."""

NOTHING = frozenset[int]()


@dataclass(frozen=True, kw_only=True)
class Module:
    """A source that may get bytecode."""

    path: str
    """In the bundle, which is how a recording names it."""
    source: Path
    size: int
    """Bytes of the source."""
    use: int
    """START to FAR."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What leaves the bundle is chosen by this. Sizes are bytes."""

    scales: Appraisal
    modules: Sequence[Module]
    """Those that are no distribution's."""
    own: Mapping[str, Compiled]
    """Bytecode of some of them, which has room before any distribution; by path of the module."""
    used: int
    """What the bundle has whatever leaves, without bytecode."""
    most: int
    """What it may have in all."""

    def room(self, *, fetches: bool) -> int:
        """Bytes for distributions; fetches: whether something is fetched, which takes some, too."""
        own = sum(one.size for one in self._own(fetches=fetches).values())
        return self.most - self.used - own - fetching_size() * fetches

    def compiled(self, packed: Choice, fetched: Choice = NOTHING) -> set[str]:
        """About what has bytecode once these leave: what is left of the room gets some, too.

        Nothing is compiled for it, so that of the rest sizes are estimates.
        """
        scales = self.scales
        there = set(range(len(scales.groups))) - fetched
        loads = scales.loads()
        taken = sum(loads[at].packed if at in packed else loads[at].vendored for at in there)
        left = self.room(fetches=bool(fetched)) - taken
        found = set(self._own(fetches=bool(fetched))) | scales.compiled(there)
        for module in self._offered(packed, fetched):
            expected = int(BYTECODE * module.size)
            if module.path not in found and expected <= left:
                found.add(module.path)
                left -= expected
        return found

    def compiling(self, packed: Choice, fetched: Choice = NOTHING) -> float:
        """About how many seconds what is imported compiles then, by bytes of its sources.

        Recorded seconds are others each time, and bundles must not be.
        """
        wanted = {path for path in self.scales.recording.all if path.endswith(".py")}
        missing = wanted - self.compiled(packed, fetched)
        own = sum(one.size for one in self.modules if one.path in missing)
        installed = self.scales.measurement.tree.sizes.items()
        rest = sum(size for path, size in installed if f"{VENDOR_FOLDER}/{path}" in missing)
        return COMPILING * (own + rest)

    def bytecode(self, packed: Choice, fetched: Choice) -> dict[str, Compiled]:
        """What has room before all else, of a choice that was weighed; by path in the bundle."""
        own = self._own(fetches=bool(fetched)).items()
        return {
            **{cached_name(path, self.scales.tag): one for path, one in own},
            **self.scales.bytecode(packed | fetched),
        }

    def more_bytecode(
        self, packed: Choice, fetched: Choice, known: Collection[str], room: int
    ) -> dict[str, Compiled]:
        """Bytecode for the rest of the room, beside what is known; by path in the bundle.

        Source is about as large as its bytecode, so no more is compiled than may fit.
        """
        tag = self.scales.tag
        modules: list[Module] = []
        expected = 0
        for module in self._offered(packed, fetched):
            if expected > 2 * room or room <= 0:
                break
            if cached_name(module.path, tag) not in known:
                modules.append(module)
                expected += module.size
        found: dict[str, Compiled] = {}
        for path, one in compiled(self.scales.compiler, modules).items():
            if one.size <= room:
                found[cached_name(path, tag)] = one
                room -= one.size
        return found

    def _own(self, *, fetches: bool) -> dict[str, Compiled]:
        absent = () if fetches else fetching_files()
        return {path: one for path, one in self.own.items() if path not in absent}

    def _offered(self, packed: Choice, fetched: Choice) -> list[Module]:
        """What may get bytecode beside its source, in the order in which that is of use."""
        absent = () if fetched else fetching_files()
        own = [one for one in self.modules if one.path not in absent]
        groups = set(range(len(self.scales.groups))) - packed - fetched
        found = [*own, *(one for at in sorted(groups) for one in self._vendored(at))]
        return sorted(found, key=lambda one: (one.use, not is_own(one.path), one.path))

    def _vendored(self, at: int) -> list[Module]:
        scales = self.scales
        tree, recording = scales.measurement.tree, scales.recording
        rest = NEAR if scales.is_imported(at) else FAR
        return [
            Module(
                path=(name := f"{VENDOR_FOLDER}/{path}"),
                source=tree.root / path,
                size=tree.sizes[path],
                use=_use(name, recording, rest),
            )
            for path in scales.python_files(at)
        ]


def own_modules(
    project: Tree, files: Mapping[str, bytes], recording: Recording, folder: Path, tag: str
) -> list[Module]:
    """The modules of the project and of `files`, which are overflow's and lie in `folder`.

    Without those whose bytecode the project brings.
    """
    found = [
        Module(path=path, source=project.root / path, size=size, use=_use(path, recording, NEAR))
        for path, size in project.sizes.items()
        if path.endswith(".py") and path not in files
    ]
    found += [
        Module(path=path, source=folder / path, size=len(content), use=START)
        for path, content in files.items()
        if path.endswith(".py")
    ]
    return [one for one in found if cached_name(one.path, tag) not in project.sizes]


def compiled(compiler: Compiler, modules: Iterable[Module]) -> dict[str, Compiled]:
    """Bytecode by path of the module; what does not compile is missing."""
    found = compiler.compile({f"{TASK}/{one.path}": one.source for one in modules})
    return {name.removeprefix(f"{TASK}/"): one for name, one in found.items()}


def _use(path: str, recording: Recording, rest: int) -> int:
    if path in recording.start:
        return START
    return DEMAND if path in recording.demand else rest
