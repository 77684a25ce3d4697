"""The first artifact that the images of a cluster share."""

from __future__ import annotations

from unhans.isolation import isolate


def isolate_first(*arguments, **options):
    """The first that is isolated, with the arguments of `unhans.isolation.isolate`."""
    return next(isolate(*arguments, **options))
