"""Where commands print, Ctrl-C that is never lost, warnings that nobody needs."""

from __future__ import annotations

import _thread
import logging
import sys
import threading
import warnings
from typing import Any

from rich.console import Console

CONSOLE = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


AGAIN_AFTER = 0.1  # seconds: long enough for the callback that swallowed the interrupt to be over


def keep_interrupts() -> None:
    """Ask again for an interrupt that Python swallowed.

    Python raises KeyboardInterrupt wherever the main thread is. In a destructor or a weak reference's callback, and
    training has many, it prints "Exception ignored" and goes on: the user's Ctrl-C would be lost.
    """
    shown = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            timer = threading.Timer(AGAIN_AFTER, _thread.interrupt_main)
            timer.daemon = True
            timer.start()
        else:
            shown(unraisable)

    sys.unraisablehook = hook


def quiet_lightning() -> None:
    """Silence Lightning's tips, and one deprecation that Lightning 2.6 causes in newer torch by itself."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".*treespec.*LeafSpec", category=FutureWarning)
    warnings.filterwarnings("ignore", message=r"The dirpath has changed from")  # a resumed run has its own folder
    warnings.filterwarnings("ignore", message=r"The number of training batches .* is smaller than the logging interval")
    warnings.filterwarnings("ignore", message=r"Checkpoint directory .* exists and is not empty")  # a run that goes on
