"""Lightning's callback, under both of its names."""

from __future__ import annotations

import sys

import pytorch_lightning as pl

# The package `lightning` holds classes of its own, of the same names. Its trainers call what is in a list of callbacks,
# but take a single one, and its command line any, by its class alone. It is not imported for nothing: that takes long.
_OTHER = getattr(sys.modules.get("lightning.pytorch"), "Callback", None)


class Callback(pl.Callback, *(() if _OTHER is None else (_OTHER,))):
    """A callback for the trainers of `pytorch_lightning`, and of `lightning.pytorch` where that is imported before."""
