"""Where the commands print."""

import sys

from rich.console import Console

CONSOLE = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
