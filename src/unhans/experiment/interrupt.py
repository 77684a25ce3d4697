"""Ctrl-C that is never lost."""

from __future__ import annotations

import _thread
import sys
import threading
from typing import Any

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
