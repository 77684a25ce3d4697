"""What a network computes: its operations on a tape, their names, the axes of channels, an evaluation view.

Recording only; which rule an operation gets, and what relevance comes out of it, is decided one level up.
"""

from unhans.lrp.tracing.channel_axes import Layout, layout_along, layout_of_shape, layouts, layouts_of, layouts_or_none
from unhans.lrp.tracing.dataflow import first_readers, gates_among, non_negative
from unhans.lrp.tracing.eval_view import HALF, computing_dtype, eval_view, unwrap, working_view
from unhans.lrp.tracing.logits import LogitsOf, Output, logits_of, path_in
from unhans.lrp.tracing.tape import Node, Tape, record

__all__ = [
    "HALF",
    "Layout",
    "LogitsOf",
    "Node",
    "Output",
    "Tape",
    "computing_dtype",
    "eval_view",
    "first_readers",
    "gates_among",
    "layout_along",
    "layout_of_shape",
    "layouts",
    "layouts_of",
    "layouts_or_none",
    "logits_of",
    "non_negative",
    "path_in",
    "record",
    "unwrap",
    "working_view",
]
