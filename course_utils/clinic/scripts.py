"""The training scripts of the clinic: a healthy one, and thirteen ill ones.

An ill script differs from the healthy one by its fault; A, D and K also by a net without normalisation, and D and K by a
rate that suits it. L has a low rate and weight decay, and its fault is what it lacks: on balanced classes it is well, two
rare classes it does not learn.

A script is text, because the reader is to read and repair it; ``function`` makes it callable. The cases bear letters,
so that a lesson can show a script without naming its disease.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable

from course_utils.errors import CourseError, choice

IMPORTS = """\
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.clinic import Chart, batches, plain_net, relit, small_net, split
"""

HEALTHY = """\
def healthy(data):
    x, y, x_valid, y_valid = split(data.images, data.targets)
    mean, std = x.float().mean(), x.float().std()
    model = small_net(len(data.classes))
    chart = Chart(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(12):
        model.train()
        for xb, yb in batches(x, y):
            loss = F.cross_entropy(model((xb - mean) / std), yb)
            optimizer.zero_grad()
            loss.backward()
            chart.step(loss, yb)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            chart.epoch(model((x_valid - mean) / std), y_valid)
    return chart.close(lambda images: model((images - mean) / std))
"""


def edit(text: str, *changes: tuple[str, str]) -> str:
    """Replace, one after the other, each ``old`` that stands in a script by ``new``, everywhere.

    Raises :class:`CourseError` when an ``old`` is not there.

    >>> edit("lr=0.1", ("0.1", "0.2"))
    'lr=0.2'
    """
    for old, new in changes:
        if old not in text:
            raise CourseError(f"{old!r} does not stand in the script:\n{text}")
        text = text.replace(old, new)
    return text


_SHALLOW, _PLAIN = "small_net(", "plain_net("
_GENTLE = "lr=0.1", "lr=0.02"
_SPLIT = "    x, y, x_valid, y_valid = split(data.images, data.targets)\n"
_MODEL = "    model = small_net(len(data.classes))\n"
_LOSS = "            loss = F.cross_entropy(model((xb - mean) / std), yb)\n"
_OPTIMIZER = "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
_ZERO = "            optimizer.zero_grad()\n"

# each picture by itself: upside down, mirrored, rows for columns
TURNS = tuple(
    f"            xb = torch.where(torch.rand(len(xb), 1, 1, 1) < 0.5, xb.{turn}, xb)\n"
    for turn in ("flip(2)", "flip(3)", "transpose(2, 3)")
)

FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "0": (("lr=0.1", "lr=0.0001"),),
    "A": ((_SHALLOW, _PLAIN), ("lr=0.1", "lr=2.0")),
    "B": (
        (_SPLIT, "    order = torch.randperm(len(data))\n" + _SPLIT),
        ("data.images, data", "data.images[order], data"),
    ),
    "C": ((_MODEL, "    model = nn.Sequential(small_net(len(data.classes)), nn.Softmax(dim=1))\n"),),
    "D": (
        (_SHALLOW, _PLAIN),
        _GENTLE,
        (
            "    chart = Chart(model)\n",
            "    for layer in model:\n"
            "        if isinstance(layer, (nn.Conv2d, nn.Linear)):\n"
            "            nn.init.constant_(layer.bias, -3.0)\n"
            "    chart = Chart(model)\n",
        ),
    ),
    "E": (
        (
            _SPLIT,
            "    images = torch.cat([data.images] + [relit(data.images) for _ in range(3)])\n"
            "    x, y, x_valid, y_valid = split(images, data.targets.repeat(4))\n",
        ),
    ),
    "F": (("(x_valid - mean) / std", "x_valid / 255"), ("(images - mean) / std", "images / 255")),
    "G": ((_ZERO, ""), ("        model.train()\n", "        model.train()\n        optimizer.zero_grad()\n")),
    "H": ((_LOSS, "".join(TURNS) + _LOSS),),
    "I": (
        (
            _OPTIMIZER,
            "    model[:-1].requires_grad_(False)\n"
            "    trained = [p for p in model.parameters() if p.requires_grad]\n"
            "    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9)\n",
        ),
        ("        model.train()\n", "        model.train()\n        model[:-1].requires_grad_(epoch >= 2)\n"),
        ("optimizer.zero_grad()", "model.zero_grad()"),
    ),
    "J": (("        model.eval()\n", ""),),
    "K": (
        (_SHALLOW, _PLAIN),
        _GENTLE,
        (
            "    chart = Chart(model)\n",
            "    for layer in model:\n"
            "        if isinstance(layer, nn.Conv2d):\n"
            "            nn.init.normal_(layer.weight, std=0.5)\n"
            "    chart = Chart(model)\n",
        ),
    ),
    "L": (("lr=0.1, momentum=0.9", "lr=0.01, momentum=0.9, weight_decay=0.03"),),
}

_LEAKY = FAULTS["E"][0][1]

TREATMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "0": (("lr=0.0001", "lr=0.1"),),
    "A": (("lr=2.0", "lr=0.03"),),
    "B": (("data.images[order], data.targets", "data.images[order], data.targets[order]"),),
    "C": (
        ("nn.Sequential(small_net(len(data.classes)), nn.Softmax(dim=1))", "small_net(len(data.classes))"),
    ),
    "D": (("isinstance(layer, (nn.Conv2d, nn.Linear))", "isinstance(layer, nn.Linear)"),),
    "E": ((_LEAKY, _SPLIT + "    x, y = torch.cat([x] + [relit(x) for _ in range(3)]), y.repeat(4)\n"),),
    "F": (("x_valid / 255", "(x_valid - mean) / std"), ("images / 255", "(images - mean) / std")),
    "G": (
        ("        optimizer.zero_grad()\n        for", "        for"),
        ("            loss.backward()\n", _ZERO + "            loss.backward()\n"),
    ),
    "H": tuple((turn, "") for turn in TURNS),
    "I": (("SGD(trained", "SGD(model.parameters()"),),
    "J": (("        with torch.no_grad():", "        model.eval()\n        with torch.no_grad():"),),
    "K": (
        (
            "nn.init.normal_(layer.weight, std=0.5)",
            'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")',
        ),
    ),
    "L": (
        ("    chart = Chart(model)\n", "    chart = Chart(model)\n    weight = 1 / torch.bincount(y)\n"),
        (
            "F.cross_entropy(model((xb - mean) / std), yb",
            "F.cross_entropy(model((xb - mean) / std), yb, weight",
        ),
    ),
}


def sick(case: str) -> str:
    """The script of a case, ``"A"`` to ``"L"``, or ``"0"`` for the one that the lesson treats.

    >>> print(sick("J").splitlines()[0])
    def case_j(data):
    """
    choice(case, tuple(FAULTS), "case")
    return edit(HEALTHY, ("def healthy(", f"def case_{case.lower()}("), *FAULTS[case])


def cured(case: str) -> str:
    """The script of a case with one repair that works.

    >>> "[order], data.targets[order]" in cured("B")
    True
    """
    return edit(sick(case), *TREATMENTS[case])


def function(text: str) -> Callable:
    """The function that a script defines, with :data:`IMPORTS` done."""
    file = f"<clinic {hash(text):x}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    space: dict = {"__name__": "case"}
    exec(compile(IMPORTS, "<imports>", "exec"), space)  # noqa: S102 - our own text
    exec(compile(text, file, "exec"), space)  # noqa: S102
    return space[text.split("(")[0].removeprefix("def ")]
