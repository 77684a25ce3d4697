"""The configuration that a run left beside its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


def saved_config(ckpt: str | Path) -> dict[str, Any] | None:
    """Return the configuration of the run that wrote a checkpoint, from its folder or the one above; None without."""
    path = Path(ckpt)
    for folder in (path.parent, path.parent.parent):
        if (folder / "config.yaml").is_file():
            return OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))  # type: ignore[return-value]
    return None
