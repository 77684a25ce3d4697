"""A callback that hands Lightning's hooks on to the callbacks of a remedy."""

from __future__ import annotations

from typing import Any

from unhans.callbacks.base import Callback
from unhans.callbacks.remedy import Nothing, Remedy


class Driving(Callback):
    """Hands the hooks of training batches, and those after training, on to whatever a remedy has begun.

    Attributes: remedy, one that does nothing until another takes its place.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remedy: Remedy = Nothing()

    def on_train_batch_start(self, *arguments: Any) -> None:
        """Let what acts change the batch, or the features."""
        self._hand_on("on_train_batch_start", *arguments)

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Let what acts leave everything plain again."""
        self._hand_on("on_train_batch_end", *arguments)

    def on_train_end(self, *arguments: Any) -> None:
        """Take everything out."""
        self._hand_on("on_train_end", *arguments)

    def on_exception(self, *arguments: Any) -> None:
        """Take everything out."""
        self._hand_on("on_exception", *arguments)
        super().on_exception(*arguments)

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Take everything out."""
        self._hand_on("teardown", *arguments, **options)
        super().teardown(*arguments, **options)

    def _hand_on(self, hook: str, *arguments: Any, **options: Any) -> None:
        for each in self.remedy.callbacks:
            getattr(each, hook)(*arguments, **options)
