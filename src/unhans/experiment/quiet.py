"""What Lightning says and nobody needs."""

from __future__ import annotations

import logging
import warnings


def quiet_lightning() -> None:
    """Silence Lightning's tips, and one deprecation that Lightning 2.6 causes in newer torch by itself."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".*treespec.*LeafSpec", category=FutureWarning)
    warnings.filterwarnings("ignore", message=r"The dirpath has changed from")  # a resumed run has its own folder
    warnings.filterwarnings("ignore", message=r"The number of training batches .* is smaller than the logging interval")
    warnings.filterwarnings("ignore", message=r"Checkpoint directory .* exists and is not empty")  # a run that goes on
