"""Requirements: the text that uv installs from at cold start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from overflow.classify import Verdict
    from overflow.measure import Distribution

# The core metadata specification's forms of a name and a (normalised) version: nothing that a
# requirements file would take for an option, a URL, a comment or a second line gets through.
_SAFE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SAFE_VERSION = re.compile(r"[0-9]+[0-9a-z.!+]*")
_SAFE_HASH = re.compile(r"[0-9a-f]{64}")


def requirements_text(
    distributions: Iterable[Distribution], verdicts: Mapping[str, Verdict]
) -> str:
    """`name==version` and one `--hash` per wheel that the target accepts, sorted by name.

    Raises ValueError for what is not plainly a name, a version or a hash.
    """
    return "".join(
        _line(distribution.name, distribution.version, verdicts[distribution.name].hashes)
        for distribution in sorted(distributions, key=lambda one: one.name)
    )


def _line(name: str, version: str, hashes: tuple[str, ...]) -> str:
    for pattern, text in ((_SAFE_NAME, name), (_SAFE_VERSION, version)):
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} has no place in a requirements file")
    if not hashes or not all(_SAFE_HASH.fullmatch(digest) for digest in hashes):
        raise ValueError(f"{name}: expected sha256 hashes")
    options = "".join(f" \\\n    --hash=sha256:{digest}" for digest in hashes)
    return f"{name}=={version}{options}\n"
