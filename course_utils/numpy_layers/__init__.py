"""The layers of a CNN in NumPy, forward and backward, written to be read.

Each layer is two functions without state: ``y = layer(x, …)`` and ``layer_backward(dy, x, …)``, which takes the
gradient of the loss by y, then exactly the arguments of ``layer``, and returns the gradient of each of its arrays in
their order. Names, order and defaults of the arguments are those of ``torch.nn.functional``. Stride, padding, dilation
and kernel_size are an int or a pair (rows, columns). Arrays are NumPy's, of floats; floats of one dtype keep it. A wrong
array raises :class:`~course_utils.errors.LayerError`, which quotes it. Lessons 01 to 07 teach these layers.

>>> import numpy as np
>>> from course_utils import numpy_layers as nl
>>> x, weight = np.ones((1, 3, 8, 8), np.float32), np.ones((4, 3, 3, 3), np.float32)
>>> y = nl.conv2d(x, weight, padding=1)
>>> dx, dweight, dbias = nl.conv2d_backward(np.ones_like(y), x, weight, padding=1)
>>> y.shape, dx.shape, dweight.shape, dx.dtype
((1, 4, 8, 8), (1, 3, 8, 8), (4, 3, 3, 3), dtype('float32'))
"""

from course_utils.numpy_layers.activations import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    tanh,
    tanh_backward,
)
from course_utils.numpy_layers.conv import (
    conv2d,
    conv2d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
)
from course_utils.numpy_layers.heads import (
    linear,
    linear_backward,
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from course_utils.numpy_layers.norm import batch_norm2d, batch_norm2d_backward
from course_utils.numpy_layers.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm2d",
    "batch_norm2d_backward",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "tanh",
    "tanh_backward",
]
