"""Appraisal: what each group takes, vendored and packed, with its bytecode.

Compiling and compressing everything to learn that would take longer than the rest of a build. So
sizes are estimates until a choice is weighed; then what that choice asks for is made, and kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from overflow.bytecode import TASK, Compiled, Compiler, cached_name
from overflow.costs import AT_ONCE, IDLE, unpacking
from overflow.crate import Crate, Item, write_crate
from overflow.grouping import LONGEST_NAME, folder_name
from overflow.identity import installed
from overflow.measure import UNOWNED
from overflow.packing import Choice, Load
from overflow.provides import provides
from overflow.runtime.manifest import INFO_FOLDER, OVERFLOW_FOLDER, VENDOR_FOLDER
from overflow.runtime.manifest import Group as RuntimeGroup
from overflow.sample import estimates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from overflow.cache import Cache
    from overflow.grouping import Group
    from overflow.measure import Measurement
    from overflow.startup import Recording

BYTECODE, COMPRESSED = 1.12, 0.4
"""Estimates of bytecode for each byte of its source, and of how much of it is left compressed:
those of examples/flask. They say what is weighed first, and no more: the plan has exact sizes."""

MANIFEST_ENTRY = 180
"""At most so many bytes of the manifest are a group's, beside its name."""

LONGEST_KIND = 32
"""At most so many bytes of the manifest stand beside a name that a group provides."""


@dataclass(frozen=True, kw_only=True)
class Appraisal:
    """Weighs the groups of a measurement (the Scales of packing.py)."""

    measurement: Measurement
    groups: Sequence[Group]
    recording: Recording
    compiler: Compiler
    cache: Cache
    tag: str
    """`cpython-312`."""
    folder: Path
    """Crates are written here."""
    can_pack: bool
    lazy: bool
    """Whether what start-up does not import may be unpacked on first import only."""
    with_bytecode: bool
    """Whether bytecode of what start-up imports is asked for, at the cost of unpacking more."""
    _vendored: dict[int, dict[str, Compiled]] = field(default_factory=dict)
    _crates: dict[int, Crate] = field(default_factory=dict)
    _estimates: list[int] = field(default_factory=list)

    def loads(self) -> list[Load]:
        """What each group takes, by what is known."""
        if not self._estimates:
            sized = [self._sized(at) for at in range(len(self.groups))]
            measurement = self.measurement
            members = ((measurement.by_name[name] for name in sorted(one)) for one in self.groups)
            known_as = [[installed(measurement, one) for one in each] for each in members]
            self._estimates.extend(estimates(sized, known_as, self.cache))
        return [self._load(at) for at in range(len(self.groups))]

    def _sized(self, at: int) -> list[tuple[str, int]]:
        tree = self.measurement.tree
        return [(f"{tree.root}/{path}", tree.sizes[path]) for path in self._files(at)]

    def weigh(self, choice: Choice) -> bool:
        """Compile, and compress what is packed; False where that was done already."""
        staying = [at for at in range(len(self.groups)) if at not in choice | set(self._vendored)]
        leaving = [at for at in sorted(choice) if at not in self._crates]
        sources = {
            at: self._sources(at, self.modules(at), packed=at in choice)
            for at in (*staying, *leaving)
        }
        merged = {name: path for each in sources.values() for name, path in each.items()}
        compiled = self.compiler.compile(merged)
        for at in staying:
            self._vendored[at] = {n: compiled[n] for n in sources[at] if n in compiled}
        for at in leaving:
            self._crates[at] = self._pack(at, compiled)
        return bool(staying or leaving)

    def crates(self, choice: Choice) -> dict[int, Crate]:
        """The crates of a choice that was weighed."""
        return {at: self._crates[at] for at in sorted(choice)}

    def packed(self, choice: Choice) -> tuple[RuntimeGroup, ...]:
        """The same for the manifest."""
        return tuple(
            RuntimeGroup(
                name=crate.path.name,
                size=crate.unpacked,
                sha256=crate.sha256,
                provides=self.provided[at],
            )
            for at, crate in self.crates(choice).items()
        )

    def unpacking(self, choice: Choice) -> tuple[float, float]:
        """Seconds that a choice unpacks at start-up, and then for what the code asks for."""
        lazy = [at for at in choice if self.provided[at] is not None]
        later = [at for at in lazy if self.is_imported(at)]
        start, on_import = choice - set(lazy), later
        at_start = AT_ONCE * bool(start) + sum(map(self._unpacking, sorted(start)))
        return at_start, sum(map(self._unpacking, on_import))

    def compiled(self, groups: Iterable[int]) -> set[str]:
        """The modules whose bytecode goes with these groups, by the recording's names."""
        return {f"{VENDOR_FOLDER}/{path}" for at in groups for path in self.modules(at)}

    def waiting(self, choice: Choice) -> frozenset[str]:
        """Names of the distributions that are lazy."""
        lazy = (self.groups[at] for at in choice if self.provided[at] is not None)
        return frozenset[str]().union(*lazy)

    def info(self, choice: Choice) -> dict[str, bytes]:
        """dist-info of what is lazy, by path in the bundle: it is asked for before the rest."""
        lazy = [at for at in sorted(choice) if self.provided[at] is not None]
        root = self.measurement.root
        return {
            f"{INFO_FOLDER}/{self._folder_of(at)}/{path}": (root / path).read_bytes()
            for at in lazy
            for path in self._info_files(at)
        }

    def bytecode(self, choice: Choice) -> dict[str, Compiled]:
        """Bytecode of what stays vendored, by path in the bundle."""
        staying = (each for at, each in self._vendored.items() if at not in choice)
        return {self._in_bundle(name): one for each in staying for name, one in each.items()}

    def _load(self, at: int) -> Load:
        size, bytecode = self._sizes[at], self._bytecode(at)
        crate = self._crates.get(at)
        packed = crate.size if crate else self._estimates[at] + int(COMPRESSED * bytecode)
        seconds = self._unpacking(at)
        waits = self.provided[at] is not None and not self.is_imported(at)
        return Load(
            vendored=size + bytecode,
            packed=packed + self.entry(at),
            unpacked=self._unpacked(at),
            movable=self.can_pack and UNOWNED not in self.groups[at],
            seconds=seconds * IDLE if waits else seconds,
            at_once=self.provided[at] is None,
        )

    def _unpacked(self, at: int) -> int:
        crate = self._crates.get(at)
        return crate.unpacked if crate else self._sizes[at] + self._bytecode(at)

    @cached_property
    def _sizes(self) -> list[int]:
        """Bytes of each group's files."""
        sizes = self.measurement.tree.sizes
        return [sum(sizes[path] for path in self._files(at)) for at in range(len(self.groups))]

    def _bytecode(self, at: int) -> int:
        """Bytes of it, or about so many where none was made."""
        known = self._vendored.get(at)
        if known is not None:
            return sum(one.size for one in known.values())
        return int(BYTECODE * sum(self.measurement.tree.sizes[path] for path in self.modules(at)))

    def _unpacking(self, at: int) -> float:
        return unpacking(self._unpacked(at), len(self._files(at)) + len(self.modules(at)))

    def entry(self, at: int) -> int:
        """What the bundle has of a packed group beside its archive, at most."""
        provided = self.provided[at]
        if provided is None:
            return MANIFEST_ENTRY + LONGEST_NAME
        names = sum(len(json.dumps(name)) + LONGEST_KIND for name in provided)
        info = sum(self.measurement.tree.sizes[path] for path in self._info_files(at))
        return MANIFEST_ENTRY + LONGEST_NAME + names + info

    @cached_property
    def provided(self) -> list[Mapping[str, str] | None]:
        """By group: the names that it comes for where it is lazy."""
        return [self._names(at) if self.lazy else None for at in range(len(self.groups))]

    def _names(self, at: int) -> Mapping[str, str] | None:
        start = self.recording.start
        if not start or any(f"{VENDOR_FOLDER}/{path}" in start for path in self._files(at)):
            return None
        return provides(self.measurement.by_name[name] for name in sorted(self.groups[at]))

    def _info_files(self, at: int) -> list[str]:
        return [path for path in self._files(at) if ".dist-info/" in path]

    def is_imported(self, at: int) -> bool:
        """Where nothing is known of the start, everything is taken to be imported."""
        wanted = self.recording.all
        return not wanted or any(f"{VENDOR_FOLDER}/{path}" in wanted for path in self._files(at))

    def _files(self, at: int) -> list[str]:
        return [path for name in sorted(self.groups[at]) for path in self._files_of(name)]

    def _files_of(self, name: str) -> tuple[str, ...]:
        return self.measurement.by_name[name].files

    def python_files(self, at: int) -> list[str]:
        """The sources of a group."""
        return [path for path in self._files(at) if path.endswith(".py")]

    def modules(self, at: int) -> list[str]:
        """The modules whose bytecode goes with the group."""
        return self._modules[at] if self.with_bytecode else []

    @cached_property
    def _modules(self) -> list[list[str]]:
        wanted = self.recording.all
        return [
            [path for path in self.python_files(at) if f"{VENDOR_FOLDER}/{path}" in wanted]
            for at in range(len(self.groups))
        ]

    def _sources(self, at: int, paths: Iterable[str], *, packed: bool) -> dict[str, Path]:
        """Files by where they will lie."""
        place = f"{OVERFLOW_FOLDER}/{self._folder_of(at)}" if packed else f"{TASK}/{VENDOR_FOLDER}"
        return {f"{place}/{path}": self.measurement.root / path for path in paths}

    def _in_bundle(self, name: str) -> str:
        return cached_name(name.removeprefix(f"{TASK}/"), self.tag)

    def _folder_of(self, at: int) -> str:
        return folder_name(at, self.groups[at])

    def _pack(self, at: int, compiled: Mapping[str, Compiled]) -> Crate:
        self.folder.mkdir(parents=True, exist_ok=True)
        names = sorted(self.groups[at])
        parts = {name: self._items(at, self._files_of(name), compiled) for name in names}
        return write_crate(self.folder / self._folder_of(at), parts, self.cache)

    def _items(
        self, at: int, paths: Iterable[str], compiled: Mapping[str, Compiled]
    ) -> Sequence[Item]:
        """The files, then their bytecode: what Python compiles has no part in how they are cut."""
        tree = self.measurement.tree
        items: list[Item] = []
        bytecode: list[Item] = []
        for path in paths:
            source = f"{tree.root}/{path}"
            executable = path in tree.executable
            items.append(
                Item(path=path, source=source, size=tree.sizes[path], executable=executable)
            )
            name = f"{OVERFLOW_FOLDER}/{self._folder_of(at)}/{path}"
            if (one := compiled.get(name)) is not None:
                place = cached_name(path, self.tag)
                bytecode.append(
                    Item(path=place, source=one.content, size=one.size, executable=False)
                )
        return items + bytecode
