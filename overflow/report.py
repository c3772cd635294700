"""Report: everything there is to say of one build or plan, as a value.

report.json holds it (wire.py); summary, comment, annotations and the terminal's text are made from
it. Only plain values: who reads a report needs none of what made it, and no other library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from overflow.errors import ExitCode, Fault
from overflow.limits import MEMORY_OF_ONE_CPU_MB, ZIP_DIRECT_MB, Limits, in_megabytes, megabytes
from overflow.plan import Outcome, Strategy
from overflow.trim import NOTHING, Trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overflow.proof import Proof

BUNDLE = "bundle"
ZIP = "function.zip"
"""What a build writes: the folder that becomes /var/task, and the archive of it."""

REPORT = "report.json"
FAULT = "fault.json"
"""What programs read of a build: the report, or where it failed, why (a Failure)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A line of a file that people write or commit."""

    file: str
    """Relative to the project's folder, with `/`: `pyproject.toml`, `../uv.lock`."""
    line: int
    """Counted from 1."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One distribution. Its texts are the project's: hostile."""

    name: str
    version: str
    size: int
    visibility: str
    reason: str
    placement: str
    note: str
    compressed: int
    """Bytes it takes in the bundle where it is packed; else 0."""
    declared: Place | None
    """Where the project asks for it, or where the lock has it."""

    @property
    def is_public(self) -> bool:
        """Whether it could be deferred."""
        return self.visibility == "public"

    @property
    def is_deferred(self) -> bool:
        """Whether it is installed at cold start."""
        return self.placement == "deferred"

    @property
    def is_packed(self) -> bool:
        """Whether it is carried compressed."""
        return self.placement == "packed"


@dataclass(frozen=True, kw_only=True)
class Function:
    """What to set on the function, and what is called in the end."""

    runtime: str
    architecture: str
    glibc: str
    handler: str
    calls: str
    interface: str
    ephemeral_storage_mb: int
    memory_mb: int
    installer: str = ""
    """Who fetches and installs what is deferred: `uv` or `builtin`; empty where nothing is."""

    @property
    def has_whole_cpu(self) -> bool:
        """Whether its memory buys the one CPU that all seconds are for."""
        return self.memory_mb >= MEMORY_OF_ONE_CPU_MB


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sums of bytes. The bundle is project, vendored, support, bytecode and packed together."""

    installed: int
    project: int
    vendored: int
    support: int
    bytecode: int
    """Compiled modules that lie in the bundle beside their sources."""
    packed: int
    """What is carried compressed, as it is carried."""
    bundle: int
    deferred: int
    unpacked: int
    """What is carried compressed, as it is in /tmp."""
    on_import: int
    """What of deferred and unpacked is put into /tmp on first import only."""

    @property
    def overflow(self) -> int:
        """What is in /tmp once all of it has been put there."""
        return self.deferred + self.unpacked

    @property
    def at_start(self) -> int:
        """What of it a cold start puts there."""
        return max(0, self.overflow - self.on_import)

    @property
    def content(self) -> int:
        """What the project brings, wherever it goes and whatever is added to it."""
        return self.project + self.installed

    @property
    def total(self) -> int:
        """All there is once all is imported: the bundle, and what it puts into /tmp."""
        return self.bundle + self.overflow


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a build left behind."""

    bundle_bytes: int
    """Sum of the bundle's files as they are on disk."""
    zip_bytes: int
    zip_sha256: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a cold start will take, in seconds on one CPU (costs.py)."""

    client: float
    """Python and Lambda's client come up."""
    install: float
    """What overflows is put into /tmp."""
    execute: float
    """Imports, as with bytecode."""
    compile: float
    """More, for what has none."""
    later: float
    """What the code asks for beyond start-up takes once more, at first use."""
    strategies: Mapping[str, float] = field(default_factory=dict)
    """By strategy, what start and first use would take together."""

    @property
    def seconds(self) -> float:
        """Of the start, which Lambda calls init."""
        return self.client + self.install + self.execute + self.compile

    @property
    def total(self) -> float:
        """With first use: until all that the code asks for is imported."""
        return self.seconds + self.later


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything there is to say of one build or plan."""

    version: str
    """Of overflow."""
    project: str
    outcome: Outcome
    strategy: str
    bound_by: str
    """The rule that made the outcome what it is, for people."""
    remedies: tuple[str, ...]
    plan_warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What was made or left out on the way, for people."""
    function: Function
    limits: Limits
    sizes: Sizes
    rows: tuple[Row, ...]
    """The distributions, largest first."""
    written: Written | None
    """None for a plan, and where the outcome is TOO_LARGE."""
    seconds: Mapping[str, float]
    """Of the build, by step."""
    prediction: Prediction | None = None
    """None where nothing is known of the start; with strategy `defer`, without imports."""
    proof: Proof | None = None
    """None for a plan, and where there is no bundle."""
    trimmed: Trimmed = NOTHING
    """What went before anything was counted."""

    @property
    def records_imports(self) -> bool:
        """Whether the prediction has what imports take: with `defer`, nothing is recorded."""
        return self.strategy != Strategy.DEFER.value

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return ExitCode.TOO_LARGE if self.outcome is Outcome.TOO_LARGE else ExitCode.OK

    @property
    def warnings(self) -> tuple[str, ...]:
        """The plan's, and what concerns the upload."""
        written = self.written
        if written is None or written.zip_bytes <= megabytes(ZIP_DIRECT_MB):
            return self.plan_warnings
        through_s3 = (
            f"{ZIP} has {in_megabytes(written.zip_bytes)}: over {ZIP_DIRECT_MB} MB it must"
            " be uploaded through S3"
        )
        return (*self.plan_warnings, through_s3)

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        bundle, limit = in_megabytes(self.sizes.bundle), in_megabytes(self.limits.limit)
        if self.outcome is Outcome.OVERFLOWS:
            return f"Overflows: {bundle} in the bundle, {self._overflow}"
        verdict = "Fits" if self.outcome is Outcome.FITS else "Too large"
        return f"{verdict}: {bundle} of {limit}"

    @property
    def _overflow(self) -> str:
        """What goes to /tmp, and when: what is never imported never does."""
        at_start, on_import = in_megabytes(self.sizes.at_start), in_megabytes(self.sizes.on_import)
        how = "installed" if self.strategy == Strategy.DEFER.value else "put into /tmp"
        if not self.sizes.on_import:
            return f"{at_start} {how} at cold start"
        if not self.sizes.at_start:
            return f"{on_import} {how} on first import"
        return f"{at_start} {how} at cold start, {on_import} on first import"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why there is no report: a fault, as the one who reads it later needs it."""

    code: str
    message: str
    hint: str
    details: str
    exit_code: int

    @classmethod
    def of(cls, fault: Fault) -> Failure:
        """What is told later of a fault."""
        return cls(
            code=fault.code,
            message=fault.message,
            hint=fault.hint,
            details=fault.details,
            exit_code=int(fault.exit_code),
        )
