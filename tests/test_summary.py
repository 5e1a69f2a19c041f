"""The layer summary: it counts as torch counts, sees as gradients see, and leaves the model as it was."""

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.errors import CourseError
from course_utils.models import SmallCNN, backbone
from course_utils.receptive import ReceptiveFields, field_of
from course_utils.summary import forward_hooks, summary


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """One convolution called twice, a scale of its own, and a sum of two branches."""

    def __init__(self):
        super().__init__()
        self.conv, self.far = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=4, dilation=4)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return self.scale * self.conv(self.conv(x)) + self.far(x)


def test_every_number_of_lenet():
    report = summary(lenet(), (1, 28, 28), batch_size=2)
    conv, pool, last = report.rows[3], report.rows[5], report.rows[-1]
    assert (conv.kind, conv.output, conv.parameters) == ("Conv2d", (2, 16, 10, 10), 16 * (6 * 25 + 1))
    assert conv.flops == 2 * (2 * 16 * 10 * 10) * (6 * 25)
    assert conv.memory == 2 * 16 * 10 * 10 * 4
    assert [(r.receptive_field, r.jump) for r in report.rows[:6]] == [
        (5, 1),
        (5, 1),
        (6, 2),
        (14, 2),
        (14, 2),
        (16, 4),
    ]
    assert pool.flops == pool.parameters == 0
    assert report.rows[6].memory == 0 and report.rows[6].receptive_field is None, "flatten is a view"
    assert last.flops == 2 * 2 * 120 * 10
    assert report["7"].parameters == 120 * 401
    assert report.memory == sum(row.memory for row in report.rows)


def test_what_lesson_05_asks_to_predict():
    from course_utils.exercises.bank import find

    names = [
        "conv1",
        "act1",
        "pool1",
        "conv2",
        "act2",
        "pool2",
        "flatten",
        "fc1",
        "act3",
        "fc2",
        "act4",
        "fc3",
    ]
    layers = [*list(lenet())[:-1], nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    net = nn.Sequential(OrderedDict(zip(names, layers, strict=True)))
    one, batch = summary(net, (1, 28, 28)), summary(net, (1, 28, 28), batch_size=64)
    learned = ["conv1", "conv2", "fc1", "fc2", "fc3"]
    trunk = ["conv1", "pool1", "conv2", "pool2"]
    assert find("05.2").reference == [one[name].output[1:] for name in [*trunk, "flatten", "fc1"]]
    assert find("05.3").reference == [one[name].parameters for name in learned]
    assert find("05.4").reference == [one[name].flops for name in learned]
    assert find("05.5").reference == [batch[name].memory for name in names[:7]]
    assert find("05.6").reference == [one[name].receptive_field for name in trunk]


def torch_flops(model, size, batch_size=1):
    torch.backends.mha.set_fastpath_enabled(False)  # torch's counter does not see into the fused path
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(torch.zeros(batch_size, *size))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return counter.get_total_flops()


def torchvision_model(name):
    def build():
        from torchvision import models

        return getattr(models, name)(weights=None, **({"init_weights": False} if name == "googlenet" else {}))

    return build


MODELS = {  # build, input size, the largest receptive field (Araujo et al., 2019, and by hand)
    "lenet": (lenet, (1, 28, 28), 16),
    "SmallCNN": (lambda: SmallCNN(10), (1, 28, 28), 18),
    "residual": (Residual, (4, 16, 16), 9),
    "groups": (lambda: nn.Conv2d(8, 16, 3, groups=4), (8, 9, 9), 3),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 4, stride=2), (3, 5, 5), 2),
    "one dimension": (lambda: nn.Sequential(nn.Conv1d(2, 4, 5, stride=2), nn.ReLU(), nn.Conv1d(4, 4, 3)), (2, 40), 9),
    "features": (lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)), (5,), None),
    "efficientnet_lite0": (lambda: backbone("efficientnet_lite0", pretrained=False), (3, 64, 64), 851),
    "timm convnext_tiny": (lambda: backbone("convnext_tiny", pretrained=False), (3, 64, 64), 1688),
    "resnet18": (torchvision_model("resnet18"), (3, 64, 64), 435),
    "mobilenet_v2": (torchvision_model("mobilenet_v2"), (3, 64, 64), 491),
    "convnext_tiny": (torchvision_model("convnext_tiny"), (3, 64, 64), 1688),
    "densenet121": (torchvision_model("densenet121"), (3, 64, 64), 2071),
    "googlenet": (torchvision_model("googlenet"), (3, 64, 64), 379),
    "shufflenet": (torchvision_model("shufflenet_v2_x1_0"), (3, 64, 64), 527),
    "mobilenet_v3_small": (torchvision_model("mobilenet_v3_small"), (3, 64, 64), 7),  # then squeeze-and-excitation
    "vit_b_16": (torchvision_model("vit_b_16"), (3, 224, 224), 16),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_totals_agree_with_torch(name):
    build, size, widest = MODELS[name]
    if name == "vit_b_16":
        with torch.device("meta"):
            report = summary(build(), size)
    model = build()
    report = summary(model, size)
    assert report.flops == torch_flops(model, size) == sum(row.flops for row in report.rows)
    assert report.parameters == sum(p.numel() for p in model.parameters())
    assert report.parameters == sum(row.parameters for row in report.rows) + sum(report.unused.values())
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    assert max(fields, default=None) == widest
    for fold in (report.fold(1), report.fold(2)):
        for cost in ("parameters", "flops", "memory"):
            assert sum(getattr(row, cost) for row in fold.rows) == sum(
                getattr(row, cost) for row in report.rows
            )
    assert len(str(report).splitlines()) <= 40 and "<table" in report._repr_html_()


def test_a_module_called_twice_and_branches():
    report = summary(Residual(), (4, 16, 16))
    calls = [row for row in report.rows if row.name == "conv"]
    assert [(row.call, row.parameters, row.receptive_field) for row in calls] == [(1, 148, 3), (2, 0, 5)]
    own = report.rows[-1]
    assert (own.name, own.kind, own.parameters, own.receptive_field) == ("", "Residual", 4, 9)
    assert own.memory == 4 * 16 * 16 * 4, "the sum is a new tensor"
    assert "conv (call 2)" in str(report)


def test_shared_weights_count_once():
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight
    report = summary(nn.Sequential(first, second), (6,))
    assert report.parameters == 36 + 6 + 6 == sum(row.parameters for row in report.rows)


def test_views_and_in_place_results_take_no_memory():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Identity(), nn.Flatten())
    assert [row.memory for row in summary(net, (1, 6, 6), 3).rows] == [3 * 2 * 16 * 4, 0, 0, 0, 0]


def test_grows_with_the_batch():
    one, many = summary(lenet(), (1, 28, 28)), summary(lenet(), (1, 28, 28), batch_size=32)
    assert (many.flops, many.memory, many.parameters) == (32 * one.flops, 32 * one.memory, one.parameters)


def test_leaves_the_model_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 2))
    net[2].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    summary(net, (1, 8, 8), batch_size=4)
    with pytest.raises(CourseError):
        summary(net, (1, 9, 9))
    assert [m.training for m in net] == [True, True, False, True, True] and net.training
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in net.modules())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert all(p.grad is None for p in net.parameters())


def test_on_the_meta_device_nothing_is_computed():
    with torch.device("meta"):
        report = summary(nn.Sequential(nn.Linear(10**6, 10**6), nn.ReLU()), (10**6,))
    assert report.flops == 2 * 10**12 and report.rows[1].memory == 4 * 10**6


def test_half_precision():
    net = nn.Sequential(nn.Conv2d(1, 4, 3)).to(torch.bfloat16)
    assert summary(net, (1, 8, 8)).rows[0].memory == 4 * 36 * 2


def test_what_is_not_called_is_named():
    net = lenet()
    net.spare = nn.Linear(3, 3)
    net.forward = lambda x: net[0](x)
    report = summary(net, (1, 28, 28))
    assert report.unused["spare"] == 12 and "not called" in str(report)


def test_a_long_net_is_folded_for_the_eye_only():
    block = lambda: nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.ReLU())  # noqa: E731
    report = summary(nn.Sequential(*(block() for _ in range(15))), (2, 8, 8))
    assert len(report.rows) == 45 and "45 rows folded to 15" in str(report)
    folded = report.fold(1)
    assert (folded.rows[0].name, folded.rows[0].kind) == ("0", "Sequential")
    assert folded.rows[-1].receptive_field == 31


@pytest.mark.parametrize(
    ("model", "size", "batch", "words"),
    [
        (nn.Conv2d, (1, 8, 8), 1, "model is a type"),
        ("resnet18", (1, 8, 8), 1, "model is a str"),
        (nn.Conv2d(1, 1, 3), 28, 1, "input_size is 28"),
        (nn.Conv2d(1, 1, 3), (), 1, r"input_size is \(\)"),
        (nn.Conv2d(1, 1, 3), (1, 0, 8), 1, r"Valid: the shape of one input without the batch"),
        (nn.Conv2d(1, 1, 3), (1, 8, 8), 0, "batch_size 0"),
        (nn.Conv2d(3, 1, 3), (1, 8, 8), 1, r"cannot take an input of shape \(1, 1, 8, 8\): RuntimeError"),
        (nn.Conv2d(1, 1, 3), (2, 1, 8, 8), 1, "without the batch, such as"),
        (nn.LazyLinear(3), (4,), 1, "lazy layers"),
    ],
)
def test_errors_in_words(model, size, batch, words):
    with pytest.raises(CourseError, match=words):
        summary(model, size, batch)


def test_an_unknown_layer_lists_the_names():
    with pytest.raises(CourseError, match=r"no layer 'fc9'\. It has: 0, 1, 2"):
        summary(lenet(), (1, 28, 28))["fc9"]


def test_hooks_are_removed_after_an_error():
    net = lenet()
    with pytest.raises(ZeroDivisionError), forward_hooks(net, after=lambda *_: 1 / 0):
        net(torch.zeros(1, 1, 28, 28))
    assert all(not m._forward_hooks for m in net.modules())


FUNCTIONS = {
    "stride, dilation": lambda x: F.conv2d(F.conv2d(x, torch.ones(1, 1, 3, 3), stride=2), torch.ones(1, 1, 3, 3), dilation=3),
    "not square": lambda x: F.avg_pool2d(F.conv2d(x, torch.ones(1, 1, 1, 5)), (2, 1)),
    "branches": lambda x: torch.cat([F.conv2d(x, torch.ones(1, 1, 5, 5), padding=2), x], 1).sum(1, keepdim=True),
    "transposed": lambda x: F.conv_transpose2d(F.avg_pool2d(x, 2), torch.ones(1, 1, 4, 4), stride=2),
    "channels last and back": lambda x: F.linear(
        F.conv2d(x, torch.ones(1, 1, 3, 3)).permute(0, 2, 3, 1), torch.ones(2, 1)
    ).permute(0, 3, 1, 2).sum(1, keepdim=True),
    "channel shuffle": lambda x: F.conv2d(
        x.expand(1, 4, -1, -1).contiguous().view(1, 2, 2, *x.shape[2:]).transpose(1, 2).reshape(1, 4, *x.shape[2:]),
        torch.ones(1, 4, 3, 3)),
    "every second": lambda x: F.conv2d(F.conv2d(x, torch.ones(1, 1, 3, 3))[:, :, ::2, ::2], torch.ones(1, 1, 3, 3)),
    "nearest": lambda x: F.interpolate(F.avg_pool2d(x, 4), scale_factor=2),
    "adaptive": lambda x: F.adaptive_avg_pool2d(F.conv2d(x, torch.ones(1, 1, 2, 2)), 7),
    "padded": lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1)), torch.ones(1, 1, 3, 3)) + x,
    "area": lambda x: F.interpolate(x, 7, mode="area"),
    "antialias": lambda x: F.interpolate(x, 7, mode="bilinear", antialias=True),
    "cropped": lambda x: F.conv2d(x, torch.ones(1, 1, 3, 3))[..., 1:-1, 1:-1],
    "pixel shuffle": lambda x: F.pixel_shuffle(F.conv2d(x, torch.ones(4, 1, 3, 3)), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_receptive_field_is_what_the_gradient_reaches(name):
    """All weights are 1, so every pixel that can matter has a gradient."""
    x = torch.rand(1, 1, 29, 29, requires_grad=True)
    with ReceptiveFields(x):
        y = FUNCTIONS[name](x)
    size, _ = field_of(y)
    middle = [n // 2 for n in y.shape[2:]]
    reached = []
    for i in range(-1, 2):  # a transposed convolution reaches further for some places than for others
        for j in range(-1, 2):
            (grad,) = torch.autograd.grad(y[0, 0, middle[0] + i, middle[1] + j], x, retain_graph=True)
            seen = grad[0, 0].nonzero()
            reached.append((seen.max(0).values - seen.min(0).values + 1).tolist())
    widest = tuple(map(max, zip(*reached, strict=True)))
    assert widest == (size if isinstance(size, tuple) else (size, size))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean((2, 3)),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: x.flatten(1),
        lambda x: x * F.adaptive_avg_pool2d(x, 1).sigmoid(),
        lambda x: x @ x.transpose(2, 3),
    ],
    ids=["mean", "global pooling", "flatten", "gate", "product"],
)
def test_the_whole_input_has_no_size(function):
    x = torch.zeros(1, 2, 8, 8)
    with ReceptiveFields(x):
        y = function(x)
    assert field_of(y) == (None, None)


def test_frozen_weights_are_not_trainable():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    report = summary(net, (3,))
    assert (report.parameters, report.trainable) == (26, 10)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: F.max_pool2d(x, 3, 1, dilation=3), 7),
        (lambda x: F.lp_pool2d(x, 2.0, 3, 1), 3),
        (lambda x: F.conv_transpose2d(F.avg_pool2d(x, 2), torch.ones(1, 1, 3, 3), stride=1, dilation=2), 10),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), 4),
    ],
)
def test_receptive_field_of_rarer_functions(function, wanted):
    x = torch.rand(1, 1, 29, 29)
    with ReceptiveFields(x):
        y = function(x)
    assert field_of(y)[0] == wanted
