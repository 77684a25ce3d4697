"""Find out whether a classifier is right for the right reasons."""

from __future__ import annotations

from typing import Any

__all__ = ["audit", "compare"]


def __getattr__(name: str) -> Any:
    """Import the public calls when they are asked for: `import unhans` alone stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from unhans import api

    return getattr(api, name)
