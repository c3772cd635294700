"""App: the projects that are started, and what each of them is asked first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"


@dataclass(frozen=True, kw_only=True)
class App:
    """One function: a project and the handler in it."""

    folder: Path
    handler: str
    """`module:attribute`, as overflow's --handler takes it."""
    interface: str = "wsgi"
    """`wsgi`, `asgi` or `function`."""
    asks: str = "/api/deps-check"
    """The path of the first request in the table of starts: it imports everything."""

    @property
    def module(self) -> str:
        """The module of the handler."""
        return self.handler.partition(":")[0]

    @property
    def attribute(self) -> str:
        """Its name there."""
        return self.handler.partition(":")[2]


TRIVIAL = "/"
"""The path that every app answers with 200 and next to no work."""

APPS = {
    "flask": App(folder=EXAMPLES / "flask", handler="app:app"),
    "large": App(folder=EXAMPLES / "large", handler="app:app"),
    "light": App(folder=EXAMPLES / "large", handler="light:app", asks=TRIVIAL),
    "fastapi": App(folder=HERE / "apps" / "fastapi", handler="app:app", interface="asgi"),
    "django": App(folder=HERE / "apps" / "django", handler="app:application"),
    "image": App(folder=HERE / "apps" / "image", handler="app:handler", interface="function"),
}
"""The first three are started with every contender; to all of them, predictions are held."""
