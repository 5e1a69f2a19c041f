"""Every layer of numpy_layers against PyTorch, in values and in every gradient, and against central differences."""

import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import numpy_layers as nl
from course_utils.errors import CourseError, LayerError

RNG = np.random.default_rng(0)
ACTIVATIONS = ["relu", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu"]
SIZES = [(1, 1), (3, 3), (5, 7), (8, 6), (9, 4)]


def normal(*shape):
    return RNG.standard_normal(shape)


def relative_error(ours, theirs):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert np.shape(ours) == np.shape(theirs)
    return np.abs(ours - theirs).max(initial=0) / max(np.abs(theirs).max(initial=0), 1e-300)


def assert_agrees(layer, torch_layer, arrays, limit=1e-10, differences=True, **settings):
    """Compare values, the gradient of each array (an argument by name), and both with central differences."""
    ours, backward = getattr(nl, layer), getattr(nl, f"{layer}_backward")
    y = ours(**arrays, **settings)
    y = y[0] if layer == "batch_norm2d" else y
    leaves = {
        k: torch.tensor(a.copy(), requires_grad=a.dtype.kind == "f")
        for k, a in arrays.items()
        if a is not None
    }
    reference = torch_layer(*(leaves.get(k) for k in arrays), **settings)
    assert relative_error(y, reference) < limit

    dy = normal(*y.shape) if np.ndim(y) else np.float64(1.7)
    before = {k: None if a is None else a.copy() for k, a in arrays.items()}
    gradients = backward(dy, **arrays, **settings)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    names = [k for k in arrays if not k.startswith("running") and k != "targets"]
    assert len(gradients) == len(names)
    reference.backward(torch.as_tensor(dy))
    for name, gradient in zip(names, gradients, strict=True):
        if arrays[name] is None:
            assert gradient is None
            continue
        theirs = leaves[name].grad
        assert relative_error(gradient, torch.zeros_like(leaves[name]) if theirs is None else theirs) < limit
        if differences and y.size:
            assert_slope(ours, arrays, settings, name, gradient, dy)
    for k, a in before.items():
        assert a is None or np.array_equal(a, arrays[k]), f"{layer} changes {k}"


def assert_slope(function, arrays, settings, name, gradient, dy, step=1e-6):
    """Along one random direction the loss changes as the gradient says."""
    direction = normal(*arrays[name].shape)

    def loss(sign):
        y = function(**arrays | {name: arrays[name] + sign * step * direction}, **settings)
        return ((y[0] if isinstance(y, tuple) else y) * dy).sum()

    slope = (loss(1) - loss(-1)) / (2 * step)
    assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-6)


def reflected(**arrays):
    """The same numbers, not contiguous in memory."""
    return {k: a if a is None else np.flip(np.asarray(np.flip(a), order="F")) for k, a in arrays.items()}


CONVOLUTIONS = [
    {"size": (1, 1), "kernel": (1, 1)},
    {"size": (5, 7), "kernel": (3, 3)},
    {"size": (8, 6), "kernel": (3, 3), "stride": 2, "padding": 1},
    {"size": (9, 4), "kernel": (2, 3), "stride": (3, 1), "padding": (0, 2)},
    {"size": (9, 9), "kernel": (2, 2), "stride": 4},
    {"size": (11, 9), "kernel": (3, 2), "dilation": (2, 3), "padding": (1, 0), "stride": (1, 2)},
    {"size": (7, 7), "kernel": (3, 3), "groups": 2, "padding": 1},
    {"size": (6, 5), "kernel": (3, 3), "groups": 4, "stride": 2},
    {"size": (6, 5), "kernel": (1, 1), "n": 0},
    {"size": (1, 1), "kernel": (3, 3), "padding": 1},
    {"size": (7, 9), "kernel": (3, 1), "bias": False, "stride": 2},
    {"size": (2, 2), "kernel": (5, 5), "padding": (4, 3), "dilation": 1},
]


def _id(case):
    return "-".join(f"{k}{v}".replace(" ", "") for k, v in case.items())


@pytest.mark.parametrize("arrange", [dict, reflected], ids=["plain", "strided"])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=_id)
def test_conv2d(case, arrange):
    case = dict(case)
    size, kernel, n, groups = case.pop("size"), case.pop("kernel"), case.pop("n", 2), case.get("groups", 1)
    bias = normal(8) if case.pop("bias", True) else None
    arrays = arrange(x=normal(n, 4, *size), weight=normal(8, 4 // groups, *kernel), bias=bias)
    assert_agrees("conv2d", F.conv2d, arrays, **case)


TRANSPOSED = [
    {"size": (1, 1), "kernel": (1, 1)},
    {"size": (3, 5), "kernel": (3, 3)},
    {"size": (4, 3), "kernel": (4, 4), "stride": 2, "padding": 1},
    {"size": (4, 3), "kernel": (2, 2), "stride": 3},
    {"size": (3, 4), "kernel": (3, 3), "stride": 2, "padding": 1, "output_padding": 1},
    {"size": (5, 2), "kernel": (3, 2), "stride": (2, 3), "padding": (1, 0), "output_padding": (0, 2)},
    {"size": (3, 3), "kernel": (2, 3), "dilation": (3, 2), "output_padding": (2, 1), "stride": (1, 2)},
    {"size": (3, 4), "kernel": (3, 3), "groups": 2, "stride": 2},
    {"size": (3, 4), "kernel": (3, 3), "groups": 4, "bias": False},
    {"size": (3, 4), "kernel": (3, 3), "n": 0},
    {"size": (4, 4), "kernel": (1, 1), "stride": 2, "output_padding": 1},
]


@pytest.mark.parametrize("arrange", [dict, reflected], ids=["plain", "strided"])
@pytest.mark.parametrize("case", TRANSPOSED, ids=_id)
def test_conv_transpose2d(case, arrange):
    case = dict(case)
    size, kernel, n, groups = case.pop("size"), case.pop("kernel"), case.pop("n", 2), case.get("groups", 1)
    bias = normal(2 * groups) if case.pop("bias", True) else None
    arrays = arrange(x=normal(n, 4, *size), weight=normal(4, 2, *kernel), bias=bias)
    assert_agrees("conv_transpose2d", F.conv_transpose2d, arrays, **case)


def test_conv_transpose2d_is_the_transpose_of_conv2d():
    x, weight, y = normal(2, 4, 9, 8), normal(6, 2, 3, 3), normal(2, 6, 5, 4)
    settings = {"stride": 2, "padding": 1, "groups": 2}
    forward = (nl.conv2d(x, weight, **settings) * y).sum()
    assert forward == pytest.approx(
        (x * nl.conv_transpose2d(y, weight, output_padding=(0, 1), **settings)).sum()
    )


POOLINGS = [
    {"size": (4, 4), "kernel_size": 2},
    {"size": (5, 7), "kernel_size": 2},
    {"size": (5, 7), "kernel_size": 3, "stride": 1},
    {"size": (8, 6), "kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    {"size": (9, 9), "kernel_size": 2, "stride": 4},
    {"size": (1, 1), "kernel_size": 1},
    {"size": (1, 1), "kernel_size": 3, "padding": 1, "stride": 1},
    {"size": (6, 6), "kernel_size": 3, "stride": 2, "padding": 1, "n": 0},
]


@pytest.mark.parametrize("arrange", [dict, reflected], ids=["plain", "strided"])
@pytest.mark.parametrize("case", POOLINGS, ids=_id)
class TestPooling:
    def arrays(self, case, arrange):
        case = dict(case)
        return arrange(x=normal(case.pop("n", 2), 3, *case.pop("size"))), case

    def test_max(self, case, arrange):
        arrays, case = self.arrays(case, arrange)
        assert_agrees("max_pool2d", F.max_pool2d, arrays, **case)

    def test_average(self, case, arrange):
        arrays, case = self.arrays(case, arrange)
        assert_agrees("avg_pool2d", F.avg_pool2d, arrays, **case)
        assert_agrees("avg_pool2d", F.avg_pool2d, arrays, **case, count_include_pad=False)


@pytest.mark.parametrize("arrange", [dict, reflected], ids=["plain", "strided"])
@pytest.mark.parametrize("case", [case for case in POOLINGS if "padding" not in case], ids=_id)
@pytest.mark.parametrize("norm_type", [1, 2, 4, 2.5, 3])
def test_lp_pool2d(case, arrange, norm_type):
    case = dict(case)
    x = normal(2, 3, *case.pop("size"))
    x = np.abs(x) if norm_type % 2 else x  # PyTorch takes no magnitudes
    x = arrange(x=x)["x"]
    leaf = torch.tensor(x.copy(), requires_grad=True)
    reference = F.lp_pool2d(leaf, norm_type, **case)
    assert relative_error(nl.lp_pool2d(x, norm_type, **case), reference) < 1e-10
    dy = normal(*reference.shape)
    reference.backward(torch.tensor(dy))
    dx = nl.lp_pool2d_backward(dy, x, norm_type, **case)
    assert relative_error(dx, leaf.grad) < 1e-10
    assert_slope(nl.lp_pool2d, {"x": x}, case | {"norm_type": norm_type}, "x", dx, dy)


@pytest.mark.parametrize(
    ("size", "p", "dtype"), [(10, 400, float), (10, 60, "float32"), (1e-3, 200, float), (0, 400, float)]
)
def test_lp_pool2d_of_a_large_p_nears_the_maximum(size, p, dtype):
    x, dy = np.full((1, 1, 2, 2), size, dtype), np.ones((1, 1, 1, 1), dtype)
    assert nl.lp_pool2d(x, p, 2) == pytest.approx(size * 4 ** (1 / p), rel=1e-6)
    slope = 4 ** (1 / p - 1) if size else 0
    assert nl.lp_pool2d_backward(dy, x, p, 2) == pytest.approx(np.full(x.shape, slope), rel=1e-5)


def test_lp_pool2d_of_infinity():
    x = np.array([[[[np.inf, 1.0], [0.0, -2.0]]]])
    assert nl.lp_pool2d(x, 2, 2) == np.inf and np.isnan(nl.lp_pool2d(x * np.nan, 2, 2))


def test_lp_pool2d_of_an_empty_batch():
    nothing = normal(0, 3, 4, 4)
    y = nl.lp_pool2d(nothing, 2, 2)
    assert y.shape == (0, 3, 2, 2) and nl.lp_pool2d_backward(y, nothing, 2, 2).shape == nothing.shape


def test_max_pool2d_dilation_and_ties():
    assert_agrees(
        "max_pool2d", F.max_pool2d, {"x": normal(2, 3, 9, 8)}, kernel_size=3, dilation=2, stride=(1, 2)
    )
    flat = {"x": np.round(normal(2, 3, 6, 6))}
    assert_agrees("max_pool2d", F.max_pool2d, flat, kernel_size=3, stride=2, padding=1, differences=False)


def test_lp_pool2d_takes_magnitudes_and_its_slope_at_zero_is_zero():
    x = np.array([[[[-3.0, 4.0], [0.0, 0.0]]]])
    assert nl.lp_pool2d(x, 1, 2) == 7
    assert nl.lp_pool2d(x, 3, 2) == pytest.approx(91 ** (1 / 3))
    for p in (0.5, 1, 2, 3):
        assert np.array_equal(nl.lp_pool2d_backward(np.ones((1, 1, 1, 1)), 0 * x, p, 2), 0 * x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_global_avg_pool2d(n, size):
    def theirs(x):
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    assert_agrees("global_avg_pool2d", theirs, {"x": normal(n, 4, *size)})
    assert_agrees("global_avg_pool2d", theirs, reflected(x=normal(n, 4, *size)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 5, 7), (2, 1, 1, 1), (1, 5, 3, 3), (0, 3, 4, 4)])
def test_batch_norm2d(shape, affine, training):
    c = shape[1]
    arrays = reflected(
        x=2 * normal(*shape) + 1,
        running_mean=normal(c),
        running_var=normal(c) ** 2 + 0.5,
        weight=normal(c) if affine else None,
        bias=normal(c) if affine else None,
    )
    settings = {"training": training, "momentum": 0.3, "eps": 1e-3}

    def theirs(x, mean, var, weight, bias, **settings):
        return F.batch_norm(x, mean.detach().clone(), var.detach().clone(), weight, bias, **settings)

    assert_agrees("batch_norm2d", theirs, arrays, **settings)
    mean, var = (torch.tensor(arrays[k].copy()) for k in ("running_mean", "running_var"))
    F.batch_norm(torch.tensor(arrays["x"].copy()), mean, var, **settings)
    for ours, reference in zip(nl.batch_norm2d(**arrays, **settings)[1:], (mean, var), strict=True):
        assert relative_error(ours, reference) < 1e-10


@pytest.mark.parametrize("shape", [(3, 4), (1,), (0, 2), (2, 3, 5, 1), ()])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, shape):
    assert_agrees(name, getattr(F, name), {"x": np.asarray(3 * normal(*shape))})


@pytest.mark.parametrize(
    ("name", "settings"),
    [("leaky_relu", {"negative_slope": 0.3}), ("elu", {"alpha": 0.4}), ("gelu", {"approximate": "tanh"})],
)
def test_settings_of_activations(name, settings):
    assert_agrees(name, getattr(F, name), reflected(x=3 * normal(5, 7)), **settings)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_at_extremes(name):
    x = np.array([-1e4, -50.0, -0.0, 0.0, 50.0, 1e4])
    with np.errstate(over="raise", invalid="raise"):
        assert_agrees(name, getattr(F, name), {"x": x}, differences=False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "features", "outputs"), [(3, 5, 4), (1, 1, 1), (0, 5, 4)])
def test_linear(n, features, outputs, bias):
    b = normal(outputs) if bias else None
    assert_agrees(
        "linear", F.linear, reflected(x=normal(n, features), weight=normal(outputs, features), bias=b)
    )


def test_softmax():
    assert_agrees("softmax", lambda z: F.softmax(z, 1), {"logits": 10 * normal(4, 7)})
    assert_agrees("softmax", lambda z: F.softmax(z, 1), {"logits": normal(0, 7)})


@pytest.mark.parametrize("scale", [1, 1000])
def test_softmax_cross_entropy(scale):
    logits, targets = scale * normal(6, 4), RNG.integers(0, 4, 6)
    arrays = reflected(logits=logits) | {"targets": targets}
    assert_agrees("softmax_cross_entropy", F.cross_entropy, arrays, differences=scale == 1)


def test_softmax_cross_entropy_of_nothing():
    nothing = np.zeros((0, 3), np.float32), np.zeros(0, int)
    assert np.isnan(nl.softmax_cross_entropy(*nothing))
    assert nl.softmax_cross_entropy_backward(1.0, *nothing).shape == (0, 3)


FLOATS = {
    "conv2d": ({"weight": (4, 3, 3, 3), "bias": (4,)}, {"padding": 1}),
    "conv_transpose2d": ({"weight": (3, 4, 3, 3), "bias": (4,)}, {}),
    "batch_norm2d": (
        dict.fromkeys(("running_mean", "running_var", "weight", "bias"), (3,)),
        {"training": True},
    ),
    "max_pool2d": ({}, {"kernel_size": 2}),
    "avg_pool2d": ({}, {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
    "lp_pool2d": ({}, {"norm_type": 3, "kernel_size": 2}),
    "global_avg_pool2d": ({}, {}),
    **{name: ({}, {}) for name in ACTIVATIONS},
}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", FLOATS)
def test_floats_of_one_dtype_keep_it(name, dtype):
    shapes, settings = FLOATS[name]
    arrays = {k: np.abs(normal(*s)).astype(dtype) for k, s in ({"x": (2, 3, 6, 6)} | shapes).items()}
    y = getattr(nl, name)(**arrays, **settings)
    for out in y if isinstance(y, tuple) else (y,):
        assert out.dtype == dtype
    y = y[0] if isinstance(y, tuple) else y
    gradients = getattr(nl, f"{name}_backward")(np.ones_like(y), **arrays, **settings)
    for gradient in gradients if isinstance(gradients, tuple) else (gradients,):
        assert gradient.dtype == dtype


def test_the_head_keeps_float32():
    x, weight, targets = normal(5, 3).astype("float32"), normal(4, 3).astype("float32"), RNG.integers(0, 4, 5)
    logits = nl.linear(x, weight)
    dlogits = nl.softmax_cross_entropy_backward(1.0, logits, targets)
    arrays = [
        logits,
        nl.softmax_cross_entropy(logits, targets),
        dlogits,
        *nl.linear_backward(dlogits, x, weight)[:2],
    ]
    assert {a.dtype for a in arrays} == {np.dtype("float32")}


def test_each_layer_has_a_backward_with_the_same_arguments():
    layers = [name for name in nl.__all__ if not name.endswith("_backward")]
    assert [f"{name}_backward" for name in layers] == [n for n in nl.__all__ if n.endswith("_backward")]
    for name in layers:
        forward, backward = (inspect.signature(getattr(nl, n)) for n in (name, f"{name}_backward"))
        assert list(backward.parameters.values())[1:] == list(forward.parameters.values())
        flag = forward.parameters.get("count_include_pad")  # not torch's fifth, so never given by its place
        assert flag is None or flag.kind is flag.KEYWORD_ONLY
        assert "Lesson" in inspect.getdoc(getattr(nl, name)) or name in ACTIVATIONS


A, W = np.zeros((2, 3, 5, 5)), np.zeros((4, 3, 3, 3))


@pytest.mark.parametrize(
    ("call", "quoted"),
    [
        (lambda: nl.conv2d(A[0], W), "(3, 5, 5)"),
        (lambda: nl.conv2d(A, W[0]), "(3, 3, 3)"),
        (lambda: nl.conv2d(A.transpose(0, 2, 3, 1), W), "(2, 5, 5, 3)"),
        (lambda: nl.conv2d(A, W, np.zeros(3)), "(3,)"),
        (lambda: nl.conv2d(A, W, groups=3), "groups is 3"),
        (lambda: nl.conv2d(A, np.zeros((4, 3, 7, 3))), "(7, 3)"),
        (lambda: nl.conv2d(A, W, dilation=3), "(7, 7)"),
        (lambda: nl.conv2d(A, W, stride=0), "stride is 0"),
        (lambda: nl.conv2d(A, W, padding="same"), "padding is 'same'"),
        (lambda: nl.conv2d(A, W, stride=(1, 2, 3)), "(1, 2, 3)"),
        (lambda: nl.conv2d(A.astype("uint8"), W), "uint8"),
        (lambda: nl.conv2d(torch.zeros(2, 3, 5, 5), W), "Tensor"),
        (lambda: nl.conv2d_backward(np.zeros((2, 4, 5, 5)), A, W), "(2, 4, 5, 5)"),
        (lambda: nl.conv_transpose2d(A, W), "(4, 3, 3, 3)"),
        (lambda: nl.conv_transpose2d(A, W[:3], np.zeros(4)), "(4,)"),
        (lambda: nl.conv_transpose2d(A, W[:3], output_padding=1), "output_padding is (1, 1)"),
        (lambda: nl.conv_transpose2d(A[:, :, :1, :1], W[:3], padding=2), "(-1, -1)"),
        (lambda: nl.conv_transpose2d_backward(A, A, W[:3]), "(2, 3, 5, 5)"),
        (lambda: nl.max_pool2d(A[0, 0], 2), "(5, 5)"),
        (lambda: nl.max_pool2d(A, 6), "(6, 6)"),
        (lambda: nl.max_pool2d(A, 2, padding=2), "(2, 2)"),
        (lambda: nl.max_pool2d_backward(A, A, 2), "(2, 3, 5, 5)"),
        (lambda: nl.avg_pool2d(A, 7), "(7, 7)"),
        (lambda: nl.avg_pool2d_backward(A, A, 2), "(2, 3, 5, 5)"),
        (lambda: nl.global_avg_pool2d(A[..., :0]), "(2, 3, 5, 0)"),
        (lambda: nl.global_avg_pool2d_backward(A, A), "(2, 3, 5, 5)"),
        (lambda: nl.lp_pool2d(A, 0, 2), "norm_type is 0"),
        (lambda: nl.lp_pool2d(A, np.inf, 2), "norm_type is inf"),
        (lambda: nl.lp_pool2d_backward(A, A, 2, 2), "(2, 3, 5, 5)"),
        (lambda: nl.batch_norm2d(A, np.zeros(2), np.ones(3)), "(2,)"),
        (lambda: nl.batch_norm2d(A, np.zeros(3), np.ones(3), np.ones(5)), "(5,)"),
        (lambda: nl.batch_norm2d(A[:1, :, :1, :1], *[np.ones(3)] * 2, training=True), "(1, 3, 1, 1)"),
        (lambda: nl.batch_norm2d_backward(A[0], A, np.zeros(3), np.ones(3)), "(3, 5, 5)"),
        (lambda: nl.relu([1.0]), "list"),
        (lambda: nl.relu_backward(np.zeros(3), np.zeros(4)), "(3,)"),
        (lambda: nl.relu_backward([1.0], np.zeros(1)), "dy has type list"),
        (lambda: nl.sigmoid_backward(np.ones(1, int), np.zeros(1)), "dy has dtype int64"),
        (lambda: nl.global_avg_pool2d_backward(np.ones((2, 3), int), A), "dy has dtype int64"),
        (lambda: nl.conv2d_backward(np.ones((2, 4, 3, 3), int), A, W), "dy has dtype int64"),
        (lambda: nl.conv2d(A, W, [0.0] * 4), "bias has type list"),
        (lambda: nl.linear(np.zeros((2, 3)), [[0.0] * 3]), "weight has type list"),
        (lambda: nl.linear(np.zeros((2, 3)), np.zeros((1, 3)), [0.0]), "bias has type list"),
        (lambda: nl.batch_norm2d(A, [0.0] * 3, np.ones(3)), "running_mean has type list"),
        (lambda: nl.gelu(A, approximate="erf"), "'erf'"),
        (lambda: nl.linear(A, W[:, 0, 0]), "(2, 3, 5, 5)"),
        (lambda: nl.linear(np.zeros((2, 3)), np.zeros((3, 4))), "(3, 4)"),
        (lambda: nl.linear_backward(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((4, 3))), "(2, 3)"),
        (lambda: nl.softmax_cross_entropy(np.zeros(3), np.zeros(3, int)), "(3,)"),
        (lambda: nl.softmax_cross_entropy(np.zeros((3, 2)), np.zeros((3, 2), int)), "(3, 2)"),
        (lambda: nl.softmax_cross_entropy(np.zeros((3, 2)), np.array([0, 1, 2])), "2"),
        (lambda: nl.softmax_cross_entropy(np.zeros((3, 2)), np.zeros(3)), "float64"),
        (lambda: nl.softmax_cross_entropy_backward(np.ones(3), np.zeros((3, 2)), np.zeros(3, int)), "(3,)"),
        (lambda: nl.softmax_backward(np.ones(3), np.zeros((3, 2))), "(3,)"),
    ],
)
def test_a_wrong_shape_is_quoted(call, quoted):
    with pytest.raises(LayerError) as caught:
        call()
    message = str(caught.value)
    assert quoted in message and ("Valid" in message or "Use" in message)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, CourseError)
