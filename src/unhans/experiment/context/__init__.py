"""`analysis=context`: how much of the relevance lies outside the objects of a class, and does that go with accuracy?"""

from unhans.experiment.context.context_command import measure_context

__all__ = [
    "measure_context",
]
