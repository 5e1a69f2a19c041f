"""Batches are the tensors' own rows, in an order that follows from the seed and the epoch."""

import pytest
import torch
from torch.utils.data import TensorDataset

from course_utils.augment import brightness_contrast
from course_utils.errors import TrainingError
from course_utils.loaders import TensorLoader, stream


def loader(n=10, **options):
    images = torch.arange(n * 12, dtype=torch.uint8).view(n, 3, 2, 2)
    return TensorLoader(images, torch.arange(n), **{"batch_size": 4, "seed": 0, **options})


def rows(batches):
    return [y.tolist() for _, y in batches]


def flat(lists):
    return [i for row in lists for i in row]


def test_sizes_and_drop_last():
    assert [len(y) for _, y in loader()] == [4, 4, 2] and len(loader()) == 3
    assert [len(y) for _, y in loader(drop_last=True)] == [4, 4] and len(loader(drop_last=True)) == 2


def test_images_and_targets_stay_together_and_each_comes_once():
    for X, y in loader(shuffle=True):
        assert torch.equal((X[:, 0, 0, 0] * 255).round().long(), y * 12)
    assert sorted(flat(rows(loader(shuffle=True)))) == list(range(10))


def test_order_follows_from_seed_and_epoch():
    a, b = loader(shuffle=True), loader(shuffle=True)
    first, second = rows(a), rows(a)
    assert first != second
    assert rows(b.batches(1)) == second and rows(b.batches(0)) == first
    assert rows(loader(shuffle=True, seed=1)) != first
    torch.manual_seed(123)
    assert rows(loader(shuffle=True)) == first  # the global generator has no say


def test_resumes_inside_an_epoch_with_the_same_augmentation():
    def make():
        return loader(20, shuffle=True, augment=brightness_contrast())

    whole = list(make().batches(3))
    rest = list(make().batches(3, start=2))
    assert len(rest) == len(whole) - 2
    for (X, y), (X2, y2) in zip(whole[2:], rest, strict=True):
        assert torch.equal(X, X2) and torch.equal(y, y2)


def test_each_batch_of_each_epoch_is_augmented_in_its_own_way():
    same = torch.full((4, 1, 2, 2), 0.5)
    batches = [
        X
        for seed in range(2)
        for epoch in range(2)
        for X in TensorLoader(same, batch_size=2, augment=brightness_contrast(), seed=seed).batches(epoch)
    ]
    assert len({tuple(X.flatten().tolist()) for X in batches}) == 8


def test_normalisation_per_channel():
    images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    X = next(iter(TensorLoader(images, mean=(0.5, 0.0, 1.0), std=(0.5, 2.0, 1.0))))
    assert X[0, :, 0, 0].tolist() == [1.0, 0.5, 0.0]


def test_float_images_are_not_changed_in_place():
    images = torch.ones(4, 1, 2, 2)
    list(TensorLoader(images, mean=0.5, std=0.5))
    assert bool((images == 1).all())


def test_a_layer_that_works_in_place_leaves_the_data_alone():
    images, targets = -torch.ones(4, 1, 2, 2), torch.ones(4)
    for one in (TensorLoader(images, targets), TensorLoader(images, targets).ordered()):
        for x, y in one:
            x.relu_(), y.zero_()
    assert bool((images == -1).all()) and bool((targets == 1).all())


def test_ordered_is_whole_plain_and_in_order():
    batches = list(loader(shuffle=True, drop_last=True, augment=brightness_contrast()).ordered())
    assert flat(rows(batches)) == list(range(10))
    assert torch.equal(batches[0][0] * 255, loader().images[:4].float())


def test_takes_a_dataset():
    class Set:
        images, targets = torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 0, 1])

    assert rows(TensorLoader(Set(), batch_size=2)) == [[1, 0], [1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": torch.empty(0, 1, 2, 2)}, "no image"),
        ({"data": torch.zeros(3, 1, 2, 2), "targets": torch.zeros(2)}, "3 images and 2 targets"),
        ({"data": torch.zeros(3, 1, 2, 2), "batch_size": 0}, "batch_size is 0"),
        ({"data": torch.zeros(3, 1, 2, 2), "batch_size": 4, "drop_last": True}, "no full batch of 4"),
        ({"data": torch.zeros(3, 1, 2, 2, dtype=torch.int16), "mean": 0.5}, "images are torch.int16"),
        (
            {"data": torch.zeros(3, 1, 2, 2), "mean": (0.5, 0.4, 0.3)},
            "mean has 3 numbers for images of 1 channels",
        ),
        ({"data": TensorDataset(torch.zeros(3, 1, 2, 2))}, "got a TensorDataset"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(TrainingError, match=message):
        next(iter(TensorLoader(**arguments)))


def test_streams_are_independent():
    draws = [torch.rand(3, generator=stream(*key)) for key in ((0,), (1,), (0, 1), (1, 0), (0, 1, 0))]
    assert len({tuple(d.tolist()) for d in draws}) == 5
