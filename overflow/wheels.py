"""Wheels: what the runtime package fetches at cold start, by the lock's URLs and without uv."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from overflow.grouping import folder_name
from overflow.runtime.manifest import Group as RuntimeGroup
from overflow.runtime.manifest import Wheel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from overflow.classify import Verdict
    from overflow.grouping import Group

NO_URL = "uv.lock has no URL for its wheel"


def by_url(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts, where public distributions must have a URL in order to leave."""
    return {
        name: one if one.wheel or not one.is_public else replace(one, obstacle=NO_URL)
        for name, one in verdicts.items()
    }


def fetched(
    groups: Sequence[Group],
    leaving: Collection[str],
    sizes: Mapping[str, int],
    verdicts: Mapping[str, Verdict],
) -> tuple[RuntimeGroup, ...]:
    """Those of the groups that leave, as the manifest has them; sizes: bytes by distribution."""
    return tuple(
        fetched_group(folder_name(at, group), sorted(group), sizes, verdicts)
        for at, group in enumerate(groups)
        if group <= set(leaving)
    )


def fetched_group(
    name: str,
    members: Sequence[str],
    sizes: Mapping[str, int],
    verdicts: Mapping[str, Verdict],
    provides: Mapping[str, str] | None = None,
) -> RuntimeGroup:
    """One group; its members must be public, and have the URL of their wheel."""
    wheels = tuple(_wheel(verdicts[member]) for member in members)
    content = "\n".join(wheel.sha256 for wheel in wheels)
    return RuntimeGroup(
        name=name,
        size=sum(sizes[member] for member in members),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        wheels=wheels,
        provides=provides,
    )


def _wheel(verdict: Verdict) -> Wheel:
    found = verdict.wheel
    if found is None or found.url is None or found.sha256 is None:
        raise ValueError("not one that can be fetched by its URL")
    return Wheel(url=found.url, sha256=found.sha256, size=found.size)
