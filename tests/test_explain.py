"""Methods of explanation tested for truth: they find planted evidence, and they depend on the weights."""

import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import backbone, load
from course_utils.errors import CourseError
from course_utils.explain import (
    METHODS,
    activations,
    atlas,
    deletion,
    grad_cam,
    heat_share,
    insertion,
    integrated_gradients,
    maximal_patches,
    outputs_of,
    randomised,
    rank_likeness,
    visualise,
)

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
    optimizer.zero_grad()  # so that a test can see whether an explanation left gradients behind
    return model


def hits(maps, places) -> float:
    peaks = np.array([np.unravel_index(int(m.argmax()), m.shape) for m in maps])
    return float((np.abs(peaks - places.numpy()).max(axis=1) <= 2).mean())


def test_a_map_of_nan_is_not_a_map_of_nothing():
    broken = small_net()
    broken[3].weight.data.fill_(torch.nan)
    assert grad_cam(broken, "4", planted(1, seed=21)[0]).isnan().all()


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


# One contract for every method ------------------------------------------------------------------------------------

FAST = {
    "smooth_grad": {"samples": 12, "noise": 0.05},
    "integrated_gradients": {"steps": 24},
    "occlusion": {"window": 3, "stride": 1},
    "rise": {"samples": 300, "cells": 8},
}
each_method = pytest.mark.parametrize("name", METHODS)


def maps_of(name, model, images, targets=None, **options):
    return METHODS[name](model, images, targets, **{**FAST.get(name, {}), **options})


@each_method
def test_maps_have_the_shape_of_the_images(trained, name):
    images = planted(3, seed=8)[0]
    maps = maps_of(name, trained, images)
    assert maps.shape == (3, SIZE, SIZE) and maps.dtype == torch.float32 and maps.device.type == "cpu"
    assert torch.isfinite(maps).all() and not maps.requires_grad
    wide = maps_of(name, trained, torch.randn(2, 1, 16, 28, generator=torch.Generator().manual_seed(0)))
    assert wide.shape == (2, 16, 28)


@each_method
def test_a_map_does_not_depend_on_its_batch(trained, name):
    images, targets = planted(4, seed=9)[:2]
    together = maps_of(name, trained, images, targets)
    alone = torch.cat([maps_of(name, trained, images[[i]], targets[[i]]) for i in range(4)])
    assert torch.allclose(together, alone, rtol=1e-3, atol=1e-4 * float(together.abs().max()))


@each_method
def test_the_default_target_is_the_predicted_class(trained, name):
    images = planted(4, seed=10)[0]
    with torch.no_grad():
        predicted = trained.eval()(images).argmax(1)
    assert torch.equal(maps_of(name, trained, images), maps_of(name, trained, images, predicted.tolist()))


@each_method
def test_a_seed_decides_the_map_and_nothing_else_is_drawn(trained, name):
    images = planted(2, seed=11)[0]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = maps_of(name, trained, images)
    assert torch.equal(torch.get_rng_state(), state), "the reader's random numbers are left alone"
    assert torch.equal(first, maps_of(name, trained, images))
    if "seed" in inspect.signature(METHODS[name]).parameters:
        assert not torch.equal(first, maps_of(name, trained, images, seed=1))


@each_method
def test_model_and_images_stay_as_they_were(trained, name):
    trained.train()
    trained[1].eval()
    images = planted(2, seed=12)[0]
    weights, pixels = {k: v.clone() for k, v in trained.state_dict().items()}, images.clone()
    for parameter in trained.parameters():
        parameter.grad = None
    with torch.no_grad():
        maps_of(name, trained, images)
    with pytest.raises(CourseError):
        maps_of(name, trained, images, [0, 7])
    assert trained.training and not trained[1].training and trained[3].training
    assert all(torch.equal(weights[k], v) for k, v in trained.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in trained.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in trained.modules())
    assert torch.equal(images, pixels) and not images.requires_grad


@each_method
def test_frozen_models_and_one_logit(trained, name):
    images, targets = planted(2, seed=13)[:2]
    expected = maps_of(name, trained, images, targets)
    frozen = small_net().requires_grad_(False)
    frozen.load_state_dict(trained.state_dict())
    assert torch.allclose(expected, maps_of(name, frozen, images, targets), atol=1e-5)
    torch.manual_seed(0)
    one = nn.Sequential(*small_net()[:-1], nn.Linear(16, 1))
    assert maps_of(name, one, images, [1, 0]).shape == (2, SIZE, SIZE)


def test_one_logit_is_as_likely_as_its_twin_of_two(trained):
    """A logit z says what the logits (0, z) say."""
    images, targets = planted(2, seed=18)[:2]
    one, two = (nn.Sequential(*trained[:-1], nn.Linear(16, k)) for k in (1, 2))
    for own, twin in zip(one[-1].parameters(), two[-1].parameters(), strict=True):
        twin.data.copy_(torch.cat([own.data * 0, own.data]))
    for name in ("occlusion", "rise"):
        assert torch.allclose(*(maps_of(name, net, images, targets) for net in (one, two)), atol=1e-6)
    curves = [deletion(net, images, images[:, 0], targets, steps=4) for net in (one, two)]
    assert torch.allclose(*curves, atol=1e-6)


@each_method
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_come_in_the_dtype_of_the_weights(trained, name, dtype):
    images, targets = planted(2, seed=19)[:2]
    other = small_net().to(dtype)
    other.load_state_dict(trained.state_dict())
    maps = maps_of(name, other, images, targets)
    assert maps.dtype == torch.float32 and torch.isfinite(maps).all()
    expected = maps_of(name, trained, images, targets)
    assert dtype == torch.bfloat16 or torch.allclose(maps, expected, atol=1e-4 * float(expected.abs().max()))


class InADict(nn.Module):
    def forward(self, x):
        return {"out": x.flatten(1)}


@each_method
def test_a_model_that_gives_no_logits_is_told(name):
    with pytest.raises(CourseError, match="the model gives dict"):
        maps_of(name, nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), InADict()), planted(1, seed=20)[0])


@each_method
@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (torch.zeros(1, 8, 8), None, "add a batch axis"),
        (torch.zeros(1, 1, 8, 8), [2], "from 0 to 1"),
        (torch.zeros(2, 1, 8, 8), [1], "2 class numbers"),
        (torch.full((1, 1, 8, 8), torch.nan), [0], "images holds NaN"),
    ],
)
def test_wrong_use_of_any_method_is_told(name, images, targets, words):
    with pytest.raises(CourseError, match=words):
        maps_of(name, small_net(), images, targets)


# Tested for truth --------------------------------------------------------------------------------------------------


@each_method
def test_every_method_finds_the_planted_evidence(trained, name):
    images, targets, places, elsewhere = planted(60, seed=2)
    maps = maps_of(name, trained, images, targets)
    assert hits(maps, places) > 0.75, "chance is 25 of 576 places"
    assert hits(maps, elsewhere) < 0.2, "the distractor is as bright, but says nothing"


@each_method
def test_every_method_asks_the_weights(trained, name):
    images, targets, places, _ = planted(30, seed=3)
    ours, likeness, found = maps_of(name, trained, images, targets), [], []
    for seed in range(3):
        erased = maps_of(name, randomised(trained, ["0", "3", "7"], seed), images, targets)
        likeness.append(float(rank_likeness(ours, erased).mean()))
        found.append(hits(erased, places))
    assert np.mean(likeness) < 0.7, likeness
    assert np.mean(found) < hits(ours, places) - 0.2, found


def test_guided_backpropagation_does_not_ask_the_last_layer():
    """Adebayo et al., 2018: where it should change most, it stays. The gradient does change."""
    net = backbone("efficientnet_lite0", num_classes=1000)
    photograph = (
        torch.from_numpy(load("photographs")["chelsea"][:288, 80:368]).permute(2, 0, 1)[None] / 127.5 - 1
    )
    photograph = F.interpolate(photograph, (96, 96), mode="area")
    erased = randomised(net, ["classifier"])
    likeness = {
        name: float(
            rank_likeness(METHODS[name](net, photograph, [285]), METHODS[name](erased, photograph, [285]))
        )
        for name in ("gradient", "guided_backprop")
    }
    assert likeness["guided_backprop"] > 0.95
    assert likeness["gradient"] < 0.75


def test_integrated_gradients_are_complete(trained):
    images, targets = planted(8, seed=14)[:2]
    with torch.no_grad():
        logits = trained.eval()(images) - trained(torch.full_like(images, 0.3))
    expected = logits.gather(1, targets[:, None])[:, 0]
    errors = [
        float(
            (integrated_gradients(trained, images, targets, steps=s, baseline=0.3).sum((1, 2)) - expected)
            .abs()
            .max()
        )
        for s in (4, 256)
    ]
    assert errors[1] < 0.02 * float(expected.abs().max()) and errors[1] < errors[0]


def test_curves_tell_a_true_map_from_its_reverse(trained):
    images, targets = planted(40, seed=15)[:2]
    maps = grad_cam(trained, "4", images, targets)
    first, last = (deletion(trained, images, m, targets, steps=8) for m in (maps, -maps))
    assert first.shape == (40, 9) and torch.allclose(first[:, -1], last[:, -1])
    assert first.mean() < last.mean() - 0.1
    assert (
        insertion(trained, images, maps, targets).mean()
        > insertion(trained, images, -maps, targets).mean() + 0.1
    )
    with pytest.raises(CourseError, match=r"Valid: \(40, 24, 24\)"):
        deletion(trained, images, maps[:, :5], targets)
    with pytest.raises(CourseError, match="steps is 0"):
        deletion(trained, images, maps, targets, steps=0)


def test_the_share_of_heat_asks_where_a_mask_is_not_0():
    assert heat_share(torch.ones(1, 2, 2), torch.tensor([[255, 0], [0, 0]])).tolist() == [0.25]


class Largest(torch.overrides.TorchFunctionMode):
    """How many numbers the largest tensor had."""

    numbers = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.numbers = max(self.numbers, result.numel() if isinstance(result, torch.Tensor) else 0)
        return result


def test_occlusion_holds_a_batch_of_squares_at_a_time():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 2))
    with Largest() as seen:
        METHODS["occlusion"](linear, planted(1, seed=22)[0], window=2, stride=1, batch_size=4)
    assert seen.numbers == 4 * SIZE * SIZE


def test_erasing_leaves_the_model_alone(trained):
    before = {k: v.clone() for k, v in trained.state_dict().items()}
    erased = randomised(trained, ["3"], seed=2)
    assert all(torch.equal(before[k], v) for k, v in trained.state_dict().items())
    assert torch.equal(erased[0].weight, trained[0].weight)
    assert not torch.equal(erased[3].weight, trained[3].weight)
    assert torch.equal(erased[3].weight.flatten().sort().values, trained[3].weight.flatten().sort().values)
    assert torch.equal(erased[3].weight, randomised(trained, "3", seed=2)[3].weight)
    for layers in (["77"], "77", "37"):
        with pytest.raises(CourseError, match=r"unknown layer '.7'"):
            randomised(trained, layers)


# What a channel looks for ------------------------------------------------------------------------------------------


def test_maximal_patches_are_where_the_channel_answers():
    layer = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    layer.weight.data.copy_(torch.stack([RING, -RING])[:, None])
    images = torch.zeros(3, 1, 20, 20)
    images[0, 0, 4:7, 5:8], images[2, 0, 0:3, 17:20] = RING, 0.5 * RING
    cuts, values, places = maximal_patches(nn.Sequential(layer), "0", images, [0], patches=2, size=5)
    assert values.tolist() == [[8.0, 4.0]] and places.tolist() == [[[0, 5, 6], [2, 1, 18]]]
    assert cuts.shape == (1, 2, 1, 5, 5)
    assert torch.equal(cuts[0, 0, 0, 1:4, 1:4], RING) and torch.equal(cuts[0, 1, 0, :3, 2:], 0.5 * RING)
    with pytest.raises(CourseError, match="channels is"):
        maximal_patches(nn.Sequential(layer), "0", images, [2], patches=2, size=5)
    with pytest.raises(CourseError, match="1 to 3 patches of 1 to 20 pixels"):
        maximal_patches(nn.Sequential(layer), "0", images, [0], patches=4)


def test_the_atlas_lays_like_by_like():
    noise = 0.02 * torch.randn(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    images = noise + torch.tensor([0.1, 0.1, 0.1, 0.9, 0.9, 0.9]).view(6, 1, 1, 1)  # three dark, three bright
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    model[0].weight.data.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    model[0].bias.data.copy_(torch.tensor([0.0, 1.0]))
    patches, vectors, places = atlas(model, "1", images, rows=2, columns=4, size=6)
    assert patches.shape == (2, 4, 1, 6, 6) and vectors.shape == (2, 4, 2) and places.shape == (2, 4, 3)
    kind = places[..., 0] >= 3
    assert kind.any() and not kind.all()
    assert (kind[:, :2] == kind[0, 0]).all() and (kind[:, 2:] == kind[0, 3]).all(), "each kind has its half"
    image, row, column = places[1, 2].tolist()
    top, left = (min(max(place - 3, 0), 10) for place in (row, column))
    assert torch.equal(patches[1, 2], images[image][:, top : top + 6, left : left + 6])
    with pytest.raises(CourseError, match="256 places for 30 × 10 cells"):
        atlas(model, "1", images[:1], rows=30, size=6)
    with pytest.raises(CourseError, match=r"size is 32\. Valid: 1 to 16"):
        atlas(model, "1", images)
    for head in (nn.Flatten(), nn.Conv2d(2, 1, 1)):
        with pytest.raises(CourseError, match="K at least 2"):
            atlas(nn.Sequential(model, head), "1", images, size=6)


def test_a_made_picture_excites_its_channel_more_than_any_noise(trained):
    made = visualise(trained, "3", [2, 5], size=24, steps=40, in_channels=1, mean=0.0, std=1.0)
    assert made.shape == (2, 1, 24, 24) and 0 <= made.min() and made.max() <= 1
    with torch.no_grad():
        again = visualise(trained, "3", [2, 5], size=24, steps=40, in_channels=1, mean=0.0, std=1.0)
    assert torch.equal(made, again)
    noise = torch.rand(32, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        means = [activations(trained, "3", x)[:, [2, 5]].mean((2, 3)) for x in (made, noise)]
    assert (means[0].diag() > means[1].amax(0)).all()
    assert all(p.grad is None for p in trained.parameters())


def test_activations_stop_at_the_layer(trained):
    images = planted(2, seed=16)[0]
    with outputs_of(trained[7]) as later:
        assert activations(trained, "3", images).shape == (2, 16, SIZE, SIZE)
    assert later == [] and not any(m._forward_hooks for m in trained.modules())


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("smooth_grad", {"samples": 0}, "samples is 0"),
        ("integrated_gradients", {"steps": 0}, "steps is 0"),
        ("occlusion", {"window": 25}, "window is 25. Valid: up to 24"),
        ("occlusion", {"window": 2, "stride": 6}, "stride is 6. Valid: up to 2"),
        ("rise", {"keep": 1.0}, "keep is 1.0"),
        ("rise", {"cells": 1}, "cells is 1"),
    ],
)
def test_a_wrong_option_is_told(method, options, words):
    with pytest.raises(CourseError, match=words):
        METHODS[method](small_net(), planted(1, seed=17)[0], None, **options)


def test_a_whole_number_may_be_numpys(trained):
    images = planted(1, seed=23)[0]
    assert torch.equal(*(METHODS["smooth_grad"](trained, images, samples=n) for n in (2, np.int64(2))))


def test_grad_cam_passes_over_a_layer_that_gives_no_tensor():
    class Last(nn.Module):
        def forward(self, output):
            return output[0][:, -1]

    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(2), nn.LSTM(36, 3), Last())
    assert METHODS["grad_cam"](net, torch.rand(1, 1, 8, 8)).shape == (1, 8, 8)


def test_guided_backpropagation_needs_modules_and_grad_cam_maps():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(CourseError, match=r"no nn.ReLU"):
        METHODS["guided_backprop"](flat, torch.zeros(1, 1, 8, 8))
    with pytest.raises(CourseError, match="no layer of the model gives feature maps"):
        METHODS["grad_cam"](flat, torch.zeros(1, 1, 8, 8))


def linear(*weights):
    """The logit of class 1 is the weighted sum of the pixels, that of class 0 is 0."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(len(weights), 2, bias=False))
    net[1].weight.data.copy_(torch.stack([torch.zeros(len(weights)), torch.tensor(weights)]))
    return net


def test_integrated_gradients_start_at_the_baseline():
    net, x = linear(3.0, -4.0), torch.tensor([[[[1.0, 2.0]]]])
    assert integrated_gradients(net, x, [1], baseline=0.5)[0, 0].tolist() == pytest.approx([1.5, -6.0])


def test_what_covers_a_pixel_is_the_fill():
    net, x = linear(1.0, 2.0), torch.tensor([[[[1.0, 2.0]]]])
    p = lambda a, b: torch.tensor(float(a + 2 * b)).sigmoid().item()  # noqa: E731
    covered = METHODS["occlusion"](net, x, [1], window=1, stride=1, fill=-1.0)[0, 0]
    assert covered.tolist() == pytest.approx([p(1, 2) - p(-1, 2), p(1, 2) - p(1, -1)], abs=1e-6)
    maps, options = torch.tensor([[[0.0, 1.0]]]), {"steps": 2, "fill": -1.0}
    gone, come = deletion(net, x, maps, [1], **options)[0], insertion(net, x, maps, [1], **options)[0]
    assert gone.tolist() == pytest.approx([p(1, 2), p(1, -1), p(-1, -1)], abs=1e-6)
    assert come.tolist() == pytest.approx([p(-1, -1), p(-1, 2), p(1, 2)], abs=1e-6)


def test_rise_shows_as_much_as_it_keeps():
    net, x = linear(*[1.0] * 64), torch.full((1, 1, 8, 8), 0.05)
    low, high = (METHODS["rise"](net, x, [1], samples=64, cells=2, keep=k).mean().item() for k in (0.1, 0.9))
    assert low < high - 0.1


def test_noise_is_a_share_of_the_range():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 2))
    flat = torch.full((1, 1, 8, 8), 0.3)  # a picture without range gets none
    noisy, plain = METHODS["smooth_grad"](net, flat, [1], noise=0.5), METHODS["gradient"](net, flat, [1])
    assert torch.allclose(noisy, plain, atol=1e-6)
