"""An interrupt that falls into a destructor is raised again outside of it."""

import subprocess
import sys

LOST = """
import signal, time
from unhans.terminal import keep_interrupts

class Swallows:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
{keep}
Swallows()
print("swallowed", flush=True)
try:
    time.sleep({wait})
except KeyboardInterrupt:
    print("interrupted")
"""


def output(keep: str, wait: float) -> str:
    text = LOST.format(keep=keep, wait=wait)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120).stdout


def test_a_swallowed_interrupt_comes_again():
    assert output("keep_interrupts()", 3) == "swallowed\ninterrupted\n"


def test_without_it_the_interrupt_is_lost():
    assert output("", 1) == "swallowed\n"
