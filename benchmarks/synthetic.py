"""Synthetic: a uv.lock of any length with what real ones hold, and its installation.

The same number gives the same lock, and a longer one begins with the packages of a shorter one.
Half of the packages are pure Python, half compiled with wheels for five Pythons on many
platforms, which comes to about eight wheels each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import Random

from overflow.measure import Distribution

FIRST = (
    "async awesome base cloud core data django fast flask google graph http json lite micro"
    " multi net open pandas prom py query rapid simple smart sparse tiny typed web zero"
).split()
SECOND = (
    "adapter auth bridge cache client codec config engine events filter forms geo hooks index"
    " kit lexer locks metrics models parser pipes plot queue router schema stats store tools"
    " utils views"
).split()

PYTHONS = ("310", "311", "312", "313", "314")
PLATFORMS = (
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "musllinux_1_2_x86_64",
    "musllinux_1_2_aarch64",
    "macosx_10_13_x86_64",
    "macosx_11_0_arm64",
    "win32",
    "win_amd64",
    "win_arm64",
    "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
)
LEAST = 3
"""The platforms that every compiled package has wheels for are the first ones."""

PYPI = '{ registry = "https://pypi.org/simple" }'
ELSEWHERE = {
    11: '{ registry = "https://pypi.example.com/team/simple" }',
    29: '{ registry = "https://download.pytorch.org/whl/cpu" }',
    37: '{ git = "https://github.com/example/one?tag=1#0123456789abcdef0123456789abcdef01234567" }',
    53: '{ editable = "packages/member" }',
    71: '{ path = "wheels/one.whl" }',
    89: '{ url = "https://example.com/wheels/one.whl" }',
}
"""Sources of these packages in every hundred; the others come from PyPI."""

FILES = 24
"""Files of a distribution; RECORDs of PyPI's popular ones have a median near it."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package, from which its lock entry and its installation are made."""

    number: int
    name: str
    version: str
    compiled: bool
    source: str

    @property
    def module(self) -> str:
        """Its import package."""
        return self.name.replace("-", "_")


def packages(count: int) -> list[Package]:
    """The first `count` of an endless row."""
    return [_package(number) for number in range(count)]


def _package(number: int) -> Package:
    random = Random(number)
    round_, place = divmod(number, len(FIRST) * len(SECOND))
    first, second = divmod(place, len(SECOND))
    name = f"{FIRST[first]}-{SECOND[second]}" + (f"-{round_ + 1}" if round_ else "")
    version = f"{random.randrange(4)}.{random.randrange(30)}.{random.randrange(12)}"
    ending = random.choices(("", ".post1", "rc1", ".dev3"), (96, 2, 1, 1))[0]
    source = ELSEWHERE.get(number % 100, PYPI)
    return Package(
        number=number,
        name=name,
        version=version + ending,
        compiled=random.random() < 0.5,
        source=source,
    )


def lock_text(chosen: list[Package]) -> str:
    """The uv.lock of these packages and a project that wants them all."""
    head = 'version = 1\nrevision = 3\nrequires-python = ">=3.10"\n'
    wanted = [f'    {{ name = "{one.name}" }},\n' for one in chosen]
    project = (
        '[[package]]\nname = "project"\nversion = "0.1.0"\nsource = { virtual = "." }\n'
        f"dependencies = [\n{''.join(wanted)}]\n"
    )
    return "\n".join((head, project, *(_entry(one, chosen) for one in chosen)))


def _entry(package: Package, chosen: list[Package]) -> str:
    lines = ["[[package]]", f'name = "{package.name}"', f'version = "{package.version}"']
    lines += [f"source = {package.source}", *_dependencies(package, chosen)]
    if "editable" not in package.source and "git" not in package.source:
        lines.append(f"sdist = {_file(package, f'{package.module}-{package.version}.tar.gz')}")
        wheels = (f"    {_file(package, wheel)}," for wheel in _wheels(package))
        lines += ["wheels = [", *wheels, "]"]
    return "\n".join(lines) + "\n"


def _dependencies(package: Package, chosen: list[Package]) -> list[str]:
    random = Random(f"needs {package.number}")
    earlier = chosen[: package.number]
    wanted = random.sample(earlier, min(len(earlier), random.randrange(6)))
    if not wanted:
        return []
    marker = ", marker = \"python_full_version < '3.11'\""
    names = (f'    {{ name = "{one.name}"{random.choice(("", "", marker))} }},' for one in wanted)
    return ["dependencies = [", *names, "]"]


def _file(package: Package, filename: str) -> str:
    digest = hashlib.sha256(f"{package.name} {filename}".encode()).hexdigest()
    folder = f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"
    size = int(digest[:5], 16)
    return (
        f'{{ url = "https://files.pythonhosted.org/packages/{folder}/{filename}",'
        f' hash = "sha256:{digest}", size = {size}, upload-time = "2025-07-26T12:01:22.448Z" }}'
    )


def _wheels(package: Package) -> list[str]:
    stem = f"{package.module}-{package.version}"
    if not package.compiled:
        return [f"{stem}-py3-none-any.whl"]
    random = Random(f"wheels {package.number}")
    if random.random() < 0.2:
        pythons = ["310-abi3"]
        platforms = PLATFORMS[: random.randrange(LEAST, len(PLATFORMS))]
    else:
        pythons = [f"{python}-cp{python}" for python in PYTHONS[random.randrange(3) :]]
        platforms = PLATFORMS[: random.randrange(LEAST, 6)]
    return [f"{stem}-cp{python}-{place}.whl" for python in pythons for place in platforms]


def distributions(chosen: list[Package]) -> list[Distribution]:
    """What uv would install of them, sorted by name as a measurement is."""
    return sorted((_distribution(one) for one in chosen), key=lambda one: one.name)


def _distribution(package: Package) -> Distribution:
    info, module = f"{package.module}-{package.version}.dist-info", package.module
    shared = "google" if package.number % 50 == 0 else None  # old-style namespace package
    home = f"{shared}/{module}" if shared else module
    files = [f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
    files += [f"{home}/part_{number}.py" for number in range(FILES)]
    if package.compiled:
        files.append(f"{home}/_native.cpython-312-x86_64-linux-gnu.so")
        files.append(f"{module}.libs/libnative-{package.number:08x}.so.1")
    platform = "manylinux_2_17_x86_64" if package.compiled else "any"
    return Distribution(
        name=package.name,
        version=package.version,
        files=tuple(sorted(files)),
        size=len(files) * 8_000,
        import_packages=frozenset({home, shared} if shared else {home}),
        tags=(f"cp312-cp312-{platform}" if package.compiled else "py3-none-any",),
        recorded=True,
    )


def search_folders(distribution: Distribution) -> frozenset[str]:
    """Folders in which its shared objects look for others, by relative RPATH."""
    return frozenset(path.rpartition("/")[0] for path in distribution.files if ".libs/" in path)
