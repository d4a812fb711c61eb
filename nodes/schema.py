"""Schemas that load on every ComfyUI the pack supports.

ComfyUI adds fields to its V3 schema classes from release to release, and a field that the running one does
not know is a TypeError that stops the whole pack. Node modules therefore build parts with newer fields so:

    known(io.Schema, node_id="HMD_X", ..., search_aliases=["vr"])
    known(io.Int.Input, "stride", default=1, advanced=True)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Part = TypeVar("Part")

NEWER_FIELDS = frozenset({"search_aliases", "essentials_category", "has_intermediate_output", "advanced"})
"""Fields that the oldest supported ComfyUI lacks and that only change how a node is shown."""


def known(part: Callable[..., Part], *arguments: Any, **fields: Any) -> Part:
    """Return `part(*arguments, **fields)` without those `NEWER_FIELDS` that it does not take.

    Raises:
        TypeError: any other unknown field, which is a mistake in the node.
    """
    taken = inspect.signature(part).parameters
    dropped = NEWER_FIELDS - taken.keys()
    return part(*arguments, **{name: value for name, value in fields.items() if name not in dropped})
