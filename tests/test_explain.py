"""Grad-CAM tested for truth: it finds evidence that was planted, and it depends on the weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.errors import CourseError
from course_utils.explain import grad_cam, outputs_of

CROSS = torch.tensor([[0, 1, 0], [1, 1, 1], [0, 1, 0]]).float()
RING = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 1]]).float()
DISTRACTOR = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).float()
SIZE = 24


def planted(n: int, seed: int, also=DISTRACTOR):
    """Noise with a cross (class 0) or a ring (class 1) somewhere in one half, and ``also`` in the other half.

    Returns images, targets, the places of the evidence and those of the other shape.
    """
    g = torch.Generator().manual_seed(seed)
    images = 0.15 * torch.randn(n, 1, SIZE, SIZE, generator=g)
    targets = torch.randint(2, (n,), generator=g)
    halves = torch.randint(2, (n,), generator=g)
    places = torch.randint(2, SIZE // 2 - 4, (2, n, 2), generator=g)
    places[0, :, 1] += halves * SIZE // 2
    places[1, :, 1] += (1 - halves) * SIZE // 2
    for i, image in enumerate(images[:, 0]):
        shapes = (
            (RING if targets[i] else CROSS),
            (also if also is not None else CROSS if targets[i] else RING),
        )
        for shape, (row, column) in zip(shapes, places[:, i].tolist(), strict=True):
            image[row : row + 3, column : column + 3] += shape
    return images, targets, places[0] + 1, places[1] + 1


def small_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 2),
    )


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    model = small_net()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    images, targets = planted(512, seed=1)[:2]
    for _ in range(8):
        for rows in torch.randperm(512).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(images[rows]), targets[rows]).backward()
            optimizer.step()
    return model


def hits(maps, places) -> float:
    peaks = np.array([np.unravel_index(int(m.argmax()), m.shape) for m in maps])
    return float((np.abs(peaks - places.numpy()).max(axis=1) <= 2).mean())


def test_it_finds_the_planted_evidence(trained):
    images, targets, places, elsewhere = planted(100, seed=2)
    assert (trained.eval()(images).argmax(1) == targets).float().mean() > 0.95
    maps = grad_cam(trained, "4", images, targets)
    assert maps.shape == (100, SIZE, SIZE)
    assert maps.min() >= 0 and maps.max() == 1
    assert hits(maps, places) > 0.9, "chance is 25 of 576 places"
    assert hits(maps, elsewhere) < 0.1, "the distractor is as bright, but says nothing"


def test_each_class_has_its_own_map(trained):
    images, targets, places, others = planted(100, seed=4, also=None)
    assert hits(grad_cam(trained, "4", images, targets), places) > 0.8
    assert hits(grad_cam(trained, "4", images, 1 - targets), others) > 0.8


def test_random_weights_change_the_map(trained):
    images, targets, places, _ = planted(50, seed=3)
    ours, found = grad_cam(trained, "4", images, targets), []
    for seed in range(5):
        torch.manual_seed(seed)
        random = grad_cam(small_net(), "4", images, targets)
        likeness = [
            np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours, random, strict=True) if b.std() > 0
        ]
        assert np.mean(likeness) < 0.6
        found.append(hits(random, places))
    assert np.mean(found) < 0.6, found


def test_the_model_stays_as_it_was(trained):
    trained.train()
    trained[1].eval()
    before = {k: v.clone() for k, v in trained.state_dict().items()}
    for parameter in trained.parameters():
        parameter.grad = None
    with torch.no_grad():
        grad_cam(trained, trained[3], planted(4, seed=5)[0])
    assert trained.training and not trained[1].training
    assert all(torch.equal(before[k], v) for k, v in trained.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in trained.parameters())
    assert not any(m._forward_hooks for m in trained.modules())


def test_hooks_are_removed_after_an_error(trained):
    with pytest.raises(RuntimeError), outputs_of(trained[0]):
        trained(torch.zeros(1, 7, 8, 8))
    assert not any(m._forward_hooks for m in trained.modules())


def test_an_in_place_relu_does_not_matter(trained):
    images, targets = planted(8, seed=6)[:2]
    copy = small_net()
    copy.load_state_dict(trained.state_dict())
    copy[2], copy[4] = nn.ReLU(), nn.ReLU()
    assert torch.allclose(
        grad_cam(trained, "3", images, targets), grad_cam(copy, "3", images, targets), atol=1e-5
    )


def test_frozen_models_channels_last_and_one_logit(trained):
    images = planted(8, seed=7)[0]
    frozen = small_net().requires_grad_(False)
    frozen.load_state_dict(trained.state_dict())
    expected = grad_cam(trained, "4", images)
    got = grad_cam(
        frozen.to(memory_format=torch.channels_last), "4", images.to(memory_format=torch.channels_last)
    )
    assert torch.allclose(expected, got, atol=1e-4)
    one = nn.Sequential(*small_net()[:-1], nn.Linear(16, 1))
    plus, minus = (grad_cam(one, "3", images, [t] * 8) for t in (1, 0))
    assert not torch.allclose(plus, minus)


@pytest.mark.parametrize(
    ("layer", "images", "targets", "words"),
    [
        ("99", torch.zeros(1, 1, 8, 8), None, "unknown layer '99'. Valid: 0, 3"),
        (nn.Identity(), torch.zeros(1, 1, 8, 8), None, "not part of the model"),
        ("6", torch.zeros(1, 1, 8, 8), None, "choose an earlier layer"),
        ("0", torch.zeros(1, 8, 8), None, "add a batch axis"),
        ("0", torch.zeros(1, 1, 8, 8), [2], "from 0 to 1"),
        ("0", torch.zeros(2, 1, 8, 8), [1], "2 class numbers"),
    ],
)
def test_wrong_use_is_told(layer, images, targets, words):
    with pytest.raises(CourseError, match=words):
        grad_cam(small_net(), layer, images, targets)
