"""The terminal of the commands: where they print, Ctrl-C that is never lost, errors in one sentence.

Nothing here imports torch or Lightning, so that `--help` and a misspelt key are answered at once.
"""

from unhans.terminal.console import CONSOLE, keep_interrupts, quiet_lightning
from unhans.terminal.error_sentence import ConfigurationError, near, no_file, sentence

__all__ = [
    "CONSOLE",
    "ConfigurationError",
    "keep_interrupts",
    "near",
    "no_file",
    "quiet_lightning",
    "sentence",
]
