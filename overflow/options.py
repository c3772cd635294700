"""Options: what can be asked of a build, with its defaults and what people are told of it."""

from __future__ import annotations

from dataclasses import dataclass

from overflow.installer import InstalledBy
from overflow.limits import LIMIT_MB, THRESHOLD_MB
from overflow.plan import Strategy
from overflow.trim import Level

NO_RUNTIME_INSTALL = "OVERFLOW_NO_RUNTIME_INSTALL"
NO_START_RECORD = "OVERFLOW_NO_START_RECORD"
NO_LAZY = "OVERFLOW_NO_LAZY"
NO_NETWORK = "OVERFLOW_NO_NETWORK"
NO_VERIFY = "OVERFLOW_NO_VERIFY"
"""Variables of the options that take no value."""

SWITCHES = {
    NO_RUNTIME_INSTALL: "vendor everything, whatever its size, and judge it against the limit",
    NO_START_RECORD: "do not import the handler to see what start-up needs; its imports are read"
    " from the source instead",
    NO_LAZY: "put all that overflows into place at cold start, also what start-up does not import",
    NO_NETWORK: "have nothing fetched at cold start or later: `auto` then packs only",
    NO_VERIFY: "do not start the bundle before it is handed out",
}
"""What they are for, by variable; the option of `OVERFLOW_NO_LAZY` is `--no-lazy`."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting: an option of the command, and a variable of the environment."""

    flag: str
    help: str
    metavar: str = ""
    repeats: bool = False
    choices: tuple[str, ...] = ()
    default: str = ""

    @property
    def variable(self) -> str:
        """`OVERFLOW_THRESHOLD_MB` for `--threshold-mb`."""
        return "OVERFLOW_" + self.flag.removeprefix("--").replace("-", "_").upper()

    @property
    def key(self) -> str:
        """`threshold_mb`."""
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = (
    Option(
        flag="--strategy",
        choices=tuple(one.value for one in Strategy),
        default="auto",
        help="how what does not fit is handled: `auto` carries it compressed, chosen for the"
        " fastest start, and unpacks on first import what start-up does not import; `pack` unpacks"
        " all of it at the start; `defer`, which"
        " VERCEL_EXPERIMENTAL_PYTHON_UV_INSTALL_ON_STARTUP=1 chooses, too, installs every public"
        " distribution from the index at cold start",
    ),
    Option(
        flag="--installer",
        choices=tuple(one.value for one in InstalledBy),
        default="uv",
        help="who installs at cold start what `defer` leaves out: `uv`, which then is in the"
        " bundle, or `builtin`, which fetches the wheels by their URLs in uv.lock",
    ),
    Option(
        flag="--threshold-mb",
        metavar="MB",
        default=str(THRESHOLD_MB),
        help="size above which something overflows",
    ),
    Option(
        flag="--limit-mb",
        metavar="MB",
        default=str(LIMIT_MB),
        help="size that Lambda refuses to exceed",
    ),
    Option(
        flag="--layers-mb",
        metavar="MB",
        default="0",
        help="what the function's layers and extensions take, unzipped: counts against both",
    ),
    Option(
        flag="--tmp-mb",
        metavar="MB",
        help="the function's /tmp (EphemeralStorage), 512 to 10240: what is put there must fit"
        " (default: 512, or 10240 with MAXIMISE_TMP_SPACE=1)",
    ),
    Option(
        flag="--trim",
        choices=tuple(one.value for one in Level),
        help="what is left out of packages: `safe` leaves out type stubs, C headers and sources,"
        " static libraries, caches, and tests that nothing else imports; `aggressive` also strips"
        " shared objects (default: safe, with `--strategy defer` none)",
    ),
    Option(
        flag="--handler",
        metavar="NAME",
        help="module.function, or module:app for a WSGI or ASGI app (default: looked for in"
        " app.py, main.py, ...)",
    ),
    Option(
        flag="--python",
        metavar="X.Y",
        help="Lambda's Python to build for (default: .python-version, else the newest that"
        " requires-python admits)",
    ),
    Option(
        flag="--architecture",
        metavar="ARCH",
        default="x86_64",
        help="the function's: x86_64 or arm64",
    ),
    Option(
        flag="--group",
        metavar="NAME",
        repeats=True,
        help="dependency group to include (none is by default, dev neither)",
    ),
    Option(flag="--extra", metavar="NAME", repeats=True, help="extra of the project to include"),
    Option(
        flag="--public-index",
        metavar="URL",
        repeats=True,
        help="a package index that the function can reach without a password, like PyPI",
    ),
    Option(
        flag="--exclude",
        metavar="GLOB",
        repeats=True,
        help="gitignore pattern of project files to leave out, beside the usual ones",
    ),
    Option(
        flag="--include",
        metavar="GLOB",
        repeats=True,
        help="gitignore pattern of project files to take in all the same",
    ),
)
