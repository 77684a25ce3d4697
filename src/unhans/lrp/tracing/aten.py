"""Which of PyTorch's operations there is a rule for, by what they do to relevance (METHODS §1, "Layers").

The names are those of `torch.ops.aten`, to which every module, function and method comes down.
"""

from __future__ import annotations


class UnsupportedModelError(ValueError):
    """The model cannot be followed, or has an operation without a rule."""


CONVOLUTIONS = {"convolution"}
PRODUCTS = {"addmm", "mm", "bmm", "baddbmm", "mv", "addmv"}
BATCH_NORMS = {"native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm", "_native_batch_norm_legit",
               "_native_batch_norm_legit_no_training"}  # fmt: skip

# Relevance passes on: R_x = R_f(x).
NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hardsigmoid", "softplus", "abs", "square"}
ATTENTION = {"_softmax", "_safe_softmax"}
GATES = ATTENTION | {"sigmoid", "hardsigmoid", "rsqrt", "reciprocal", "linalg_vector_norm"}
ACTIVATIONS = NON_NEGATIVE | {
    "leaky_relu", "rrelu_with_noise", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "hardtanh", "hardswish",
    "clamp", "clamp_min", "clamp_max", "_prelu_kernel", "prelu", "threshold", "softshrink", "hardshrink", "log_sigmoid",
    "log_sigmoid_forward", "log1p", "sqrt",
}  # fmt: skip

# Relevance goes where the value came from.
KEEPING = {
    "view", "_unsafe_view", "_reshape_alias", "reshape", "alias", "clone", "detach", "contiguous", "lift_fresh",
    "permute", "transpose", "t", "expand", "unsqueeze", "squeeze", "select", "slice", "narrow", "split",
    "split_with_sizes", "unbind", "chunk", "diagonal", "as_strided", "unfold", "repeat", "cat", "stack", "flip", "roll",
    "rot90", "index", "index_select", "gather", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d", "replication_pad2d",
    "replication_pad3d", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "im2col", "view_copy",
}  # fmt: skip
REROUTING = KEEPING | {"constant_pad_nd", "masked_fill", "where", "slice_scatter", "select_scatter", "amax", "amin",
                       "maximum", "minimum", "topk", "sort", "tril", "triu"}  # fmt: skip
EXTREMES = {"max", "min"}
COPIES = {"copy"}
CASTS = {"_to_copy"}

SUMS = {"add", "sub", "rsub", "neg"}
MULTIPLICATIONS = {"mul"}
DIVISIONS = {"div"}
POWERS = {"pow"}

AVERAGES = {
    "mean", "sum", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d",
}  # fmt: skip
HOMOGENEOUS = {"linalg_vector_norm"}  # Σ x_i ∂‖x‖/∂x_i = ‖x‖: in proportion
OVERLAYING = {"col2im"}
RESAMPLING = {"upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
              "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"}  # fmt: skip  # in proportion: weights are unequal
MAX_POOLS = {"max_pool2d_with_indices": 2, "max_pool3d_with_indices": 3}
ADAPTIVE_MAX_POOLS = {"adaptive_max_pool2d": 2, "adaptive_max_pool3d": 3}

PROBABILITIES = {"sigmoid", "hardsigmoid", "_softmax", "_safe_softmax", "_log_softmax", "log_sigmoid_forward"}
