"""Proof: what a bundle did when it was started before anybody deploys it, and what that means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from overflow.errors import BundleFault, Fault

ALIKE = 200
"""Characters of two messages that are compared: a recording keeps no more than 300."""

LONGEST = 300
"""Characters of the app's own words in a message."""

ENDED, TOOK_OVER = "it ended with {}", "it took over {} s"
"""What a process says that says nothing; a recording has the same words (startup.py)."""

SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV"}
"""Those that end a process which does not ask for it (signal(7) of Linux)."""

NO_NETWORK = "there is no network"
MOUNTED = "/mnt/"
"""Where functions have file systems of their own (AWS Lambda: EFS), and this start has none."""

READ_ONLY = "Read-only file system"
"""As the kernel says it of /var/task, and the recorder of the project's copy."""

IMPORTS = frozenset("ImportError ModuleNotFoundError SyntaxError IndentationError".split())
OURS = frozenset("InstallError HandlerError".split())
"""Exceptions that say that something of the bundle is missing or damaged; ours say nothing else."""

LAMBDAS_OWN = frozenset(
    "awslambdaric boto3 botocore dateutil jmespath s3transfer simplejson six"
    " snapshot_restore_py urllib3".split()
)
"""Modules that Lambda has beside the bundle (AWS Lambda: Python runtimes), and others need not."""

NOT_WANTED = "--no-verify"
DEFERRED = "what is deferred comes from the network: run `overflow verify DIR` to prove it"
WRITTEN_ALL_THE_SAME = (
    "`--no-verify` writes the bundle all the same, say where a setting of the function avoids this"
)
OTHER_MACHINE = "this machine cannot start what is for {}"
EARLIER = "as measured by an earlier build of the same bundle"
WITHOUT = "without isolation: {}"
AS_BEFORE = "it stops where it did before bundling: {}"
IN_ITS_OWN_CODE = "it stops in its own code, for want of a setting maybe: {}"
NOT_HERE = "{} may be Lambda's or a layer's, and is not on this machine"
OLD_MACHINE = "the glibc of this machine is older than the function's: {}"


class Finding(Enum):
    """What a start showed."""

    PROVEN = "proven"
    """The handler is there."""
    UNPROVEN = "unproven"
    """The bundle was not started, or stopped for a reason that need not be its own."""
    BROKEN = "broken"
    """It cannot start."""


@dataclass(frozen=True, kw_only=True)
class Cold:
    """Seconds of a cold start on one CPU."""

    total: float
    """From the start of Python to the handler."""
    install: float
    """Of it, putting into place what overflows."""

    @property
    def imports(self) -> float:
        """The rest: Python itself, and what the handler imports."""
        return max(0.0, self.total - self.install)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What there is to say of one start. Its texts are the app's: hostile."""

    finding: Finding
    cold: Cold | None = None
    """None where the handler was not reached."""
    problem: str = ""
    """Why not, or what could not be imported later."""
    distribution: str = ""
    """Whose fault that is, as far as files and names tell: `numpy 2.1.0`."""
    trace: str = ""
    """The end of the traceback."""
    note: str = ""
    """For people: how it was started otherwise than it should be, or why not at all."""
    remedy: str = ""
    """What to do about a file that is not what was built; nothing was started then."""

    def sentence(self, predicted: float | None = None) -> str:
        """The verdict in one line; predicted: seconds, where a plan said them."""
        if self.finding is Finding.BROKEN:
            return f"{self._verdict.capitalize()}: {self.problem}"
        if self._is_not_started:
            return f"Not started ({self.note})"
        if self.cold is None:
            return "Not proven to start"
        parts = [f"{self.cold.install:.2f} s filling /tmp"] if self.cold.install else []
        parts += [f"{self.cold.imports:.2f} s imports"] if parts else []
        text = ", ".join(parts)
        if predicted is not None:
            text = "; ".join(filter(None, (text, f"{predicted:.2f} s predicted")))
        return f"Started in {self.cold.total:.2f} s" + (f" ({text})" if text else "")

    @property
    def remark(self) -> str:
        """The note, where it is not in the sentence."""
        return "" if self._is_not_started else self.note

    @property
    def _is_not_started(self) -> bool:
        return self.finding is Finding.UNPROVEN and self.cold is None and not self.problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """What asks for attention although the bundle was built."""
        doubtful = (*IMPORTS, TOOK_OVER.partition("{")[0])
        may_not = self.finding is Finding.UNPROVEN and self.problem.startswith(doubtful)
        return (f"the bundle may not start: {self.problem}",) if may_not else ()

    def fault(self, way_out: str = "") -> Fault | None:
        """What stops a build, or ends a verification; way_out: what else can be done about it."""
        if self.finding is not Finding.BROKEN:
            return None
        whose = f" ({self.distribution})" if self.distribution else ""
        return BundleFault(
            "bundle-broken",
            f"the bundle {self._verdict}: {self.problem}{whose}",
            hint="; ".join(filter(None, (self._remedy, way_out))),
            details=self.trace,
        )

    @property
    def _verdict(self) -> str:
        return "is not what was built" if self.remedy else "does not start"

    @property
    def _remedy(self) -> str:
        if self.remedy:
            return self.remedy
        if self.problem.startswith("InstallError:") and "EphemeralStorage" in self.problem:
            return "raise EphemeralStorage on the function, and say so with --tmp-mb"
        if self.problem.startswith("HandlerError:"):
            return "build it with a --handler that Lambda can call: a function, or an app"
        return "what is named is missing or damaged, or needs what Lambda does not have"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """How an import ended that did not succeed."""

    problem: str
    """`ModuleNotFoundError: No module named 'x'`, or what there is to say of a process."""
    names: tuple[str, ...] = ()
    """Modules that were asked for, the first cause's first."""
    files: tuple[str, ...] = ()
    """Files that it came through, likewise."""
    missing: tuple[str, ...] = ()
    """Files that could not be opened."""
    trace: str = ""

    @property
    def kind(self) -> str:
        """The exception's name."""
        return self.problem.partition(":")[0]


def judge(
    failed: Failed,
    *,
    before: str | None,
    inside: tuple[str, ...],
    layers: bool = False,
    old_machine: bool = False,
) -> tuple[Finding, str]:
    """What a start that failed shows, and a note.

    before: how the handler's import ended before it was bundled, empty for well, None where nobody
    knows. inside: folders of what the bundle has and puts into place. layers: whether the function
    has any. old_machine: whether this one has an older glibc than the function.
    """
    if old_machine and "GLIBC_" in failed.problem:
        return Finding.UNPROVEN, OLD_MACHINE.format(failed.problem)
    if failed.kind not in OURS:
        elsewhere = _elsewhere(failed, layers=layers)
        if before != "" and elsewhere:
            return Finding.UNPROVEN, NOT_HERE.format(elsewhere)
        if _misses_a_file(failed, (MOUNTED,)):
            return Finding.UNPROVEN, IN_ITS_OWN_CODE.format(failed.problem)
        may_not_in_lambda = layers or not _would_stop_anywhere(failed, inside)
        if before and _alike(before, failed) and may_not_in_lambda:
            return Finding.UNPROVEN, AS_BEFORE.format(failed.problem)
        if before != "" and not _is_of_the_bundle(failed, inside):
            return Finding.UNPROVEN, IN_ITS_OWN_CODE.format(failed.problem)
    return Finding.BROKEN, ""


def _would_stop_anywhere(failed: Failed, inside: tuple[str, ...]) -> bool:
    """Whether hardly a setting, and no network or account, would have helped."""
    # Minus: a signal ended it, as native code that does not fit does.
    is_crash = failed.problem.startswith(ENDED.format("-"))
    is_write = READ_ONLY in failed.problem and _misses_a_file(failed, inside)
    return failed.kind in IMPORTS or is_crash or is_write


def _misses_a_file(failed: Failed, folders: tuple[str, ...]) -> bool:
    return any(file.startswith(folders) for file in failed.missing)


def _alike(before: str, failed: Failed) -> bool:
    if NO_NETWORK in before:
        return failed.kind not in IMPORTS  # here, the kernel says that in other words
    if failed.kind in IMPORTS:
        return _without_folders(before)[:ALIKE] == _without_folders(failed.problem)[:ALIKE]
    return _kind(before) == _kind(failed.problem)


def _kind(problem: str) -> str:
    """The exception's name; of two time limits the seconds do not count."""
    return re.sub(r"over \d+ s", "over", problem.partition(":")[0])


def _without_folders(text: str) -> str:
    return re.sub(r"/[^\s'\"]*/", "", text)


def _elsewhere(failed: Failed, *, layers: bool) -> str:
    """The module that is missing, where the function may find it outside of the bundle."""
    if failed.kind != "ModuleNotFoundError":
        return ""
    tops = [name.partition(".")[0] for name in failed.names]
    return next((top for top in tops if layers or top in LAMBDAS_OWN), "")


def _is_of_the_bundle(failed: Failed, inside: tuple[str, ...]) -> bool:
    """Whether it is no setting, no network and no account that is wanting."""
    if _would_stop_anywhere(failed, inside) or failed.problem.startswith(
        TOOK_OVER.partition("{")[0]
    ):
        return True
    first = next((file for file in failed.files if file.startswith(inside)), "")
    return "/_overflow/" in first or _misses_a_file(failed, inside)


def for_people(text: str) -> str:
    """A problem, or a note that has one, with signals by their names; judge() wants it without."""

    def killed(match: re.Match[str]) -> str:
        return f"it was killed by {SIGNALS.get(int(match[1]), f'signal {match[1]}')}"

    return re.sub(ENDED.format(r"-(\d{1,3})\b"), killed, text)
