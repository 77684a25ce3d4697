"""Find out whether a classifier is right for the right reasons."""

from __future__ import annotations

from typing import Any

__all__ = ["audit"]


def __getattr__(name: str) -> Any:
    """Import `audit` when it is asked for: `import unhans` alone stays quick."""
    if name != "audit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from unhans.api import audit

    return audit
