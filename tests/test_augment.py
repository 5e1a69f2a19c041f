"""One contract for every transform, then what each of them does."""

import pytest
import torch
import torch.nn.functional as F

from course_utils import augment

TRANSFORMS = {
    "flip": augment.flip(),
    "vertical flip": augment.flip(vertical=True),
    "rot90": augment.rot90(),
    "translate": augment.translate(2),
    "shift_reflect": augment.shift_reflect(2),
    "affine": augment.affine(),
    "brightness_contrast": augment.brightness_contrast(),
    "erase": augment.erase(3, p=1.0),
    "chain": augment.chain(augment.flip(), augment.translate(1), augment.erase(2)),
}


def g(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n=64, channels=3, size=8):
    return torch.rand(n, channels, size, size, generator=g(7))


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_contract(name, channels):
    transform, images = TRANSFORMS[name], batch(channels=channels)
    before, state = images.clone(), torch.get_rng_state()
    out = transform(images, g())
    assert out.shape == images.shape and out.dtype == torch.float32
    assert out.min() >= -1e-6 and out.max() <= 1 + 1e-6
    assert torch.equal(images, before)  # a new batch
    assert torch.equal(out, transform(images, g()))  # the generator decides
    assert not torch.equal(out, transform(images, g(1)))
    assert torch.equal(state, torch.get_rng_state())  # and no other
    changed = (out != images).flatten(1).any(1)
    assert changed.float().mean() > 0.3
    same = transform(images[:1].expand(64, -1, -1, -1), g())
    assert len({tuple(image.flatten().tolist()) for image in same}) > 1  # each image in its own way


@pytest.mark.parametrize("name", TRANSFORMS)
def test_channels_last_gives_the_same(name):
    images = batch()
    a = TRANSFORMS[name](images, g())
    b = TRANSFORMS[name](images.contiguous(memory_format=torch.channels_last), g())
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("p", [0.25, 0.5])
@pytest.mark.parametrize("vertical", [False, True])
def test_flip_comes_as_often_as_it_says(p, vertical):
    flipped = (augment.flip(p, vertical)(batch(1000), g()) != batch(1000)).flatten(1).any(1)
    assert flipped.float().mean().item() == pytest.approx(p, abs=0.05)


def test_flip_and_rot90_only_move_pixels():
    images = batch()
    for name in ("flip", "vertical flip", "rot90"):
        out = TRANSFORMS[name](images, g())
        torch.testing.assert_close(out.flatten(2).sort().values, images.flatten(2).sort().values)
    turned = augment.rot90()(images, g())
    for image, out in zip(images, turned, strict=True):
        assert any(torch.equal(out, image.rot90(k, (1, 2))) for k in range(4))
    with pytest.raises(ValueError, match="square images, got \\(4, 8\\)"):
        augment.rot90()(torch.zeros(1, 1, 4, 8), g())


def test_translate_is_a_crop_of_the_padded_image():
    images = batch(16)
    out = augment.translate(2)(images, g())
    padded = F.pad(images, (2, 2, 2, 2))
    for i in range(16):
        windows = [padded[i, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
        assert any(torch.equal(out[i], window) for window in windows)
    assert torch.equal(augment.translate(0)(images, g()), images)


def test_random_crop():
    out = augment.random_crop(5)(batch(), g())
    assert out.shape == (64, 3, 5, 5)
    out = augment.random_crop(5)(batch(256), g())
    windows = batch(256).unfold(2, 5, 1).unfold(3, 5, 1).permute(0, 2, 3, 1, 4, 5)
    found = (windows == out[:, None, None]).flatten(3).all(3).nonzero()[:, 1:]
    assert len(found) == 256 and len(found.unique(dim=0)) == 16  # every place comes
    with pytest.raises(ValueError, match="at least that size, got 8×8"):
        augment.random_crop(9)(batch(), g())


def test_affine_without_movement_is_the_identity_and_keeps_shapes_when_oblong():
    images = torch.rand(4, 1, 6, 10, generator=g())
    torch.testing.assert_close(augment.affine(0, 0, 0)(images, g()), images, atol=1e-5, rtol=0)
    square = torch.zeros(1, 1, 21, 41)
    square[..., 8:13, 18:23] = 1
    turned = augment.affine(degrees=45, scale=0, shift=0, padding="zeros")(square, g())
    assert turned.sum().item() == pytest.approx(25, rel=0.1)  # area is kept: no shear from the oblong shape


def spot(**limits):
    """Where 200 transformed copies of a spot are, down and across from the middle of 41 pixels; it was at (0, 12)."""
    y, x = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    picture = torch.exp(-(y**2 + (x - 12) ** 2) / 4)
    transform = augment.affine(**{"degrees": 0, "scale": 0, "shift": 0, "padding": "zeros", **limits})
    out = transform(picture.expand(200, 1, 41, 41), g())
    return torch.stack([(out[:, 0] * axis).sum((1, 2)) / out.sum((1, 2, 3)) for axis in (y, x)], dim=1)


def test_affine_turns_zooms_and_shifts_up_to_its_limits():
    turns = torch.atan2(*spot(degrees=10).T).rad2deg()
    sizes = spot(scale=0.1)[:, 1] / 12
    moves = spot(shift=0.05) - torch.tensor([0.0, 12])
    for found, middle, limit in ((turns, 0, 10), (sizes, 1, 0.1), *((m, 0, 0.05 * 41) for m in moves.T)):
        low, high = (found - middle).aminmax()
        assert -1.02 * limit < low < -0.95 * limit and 0.95 * limit < high < 1.02 * limit


def test_brightness_and_contrast_change_by_up_to_their_limits():
    images = torch.tensor([0.4, 0.6]).repeat(200, 1, 1, 1)
    shift = augment.brightness_contrast(0.2, 0)(images, g()).mean((1, 2, 3)) - 0.5
    spread = augment.brightness_contrast(0, 0.2)(images, g()).diff()[:, 0, 0, 0] / 0.2 - 1
    for found in (shift, spread):
        assert -0.201 < found.min() < -0.19 and 0.19 < found.max() < 0.201


def test_erase_covers_a_square_of_its_size_at_most():
    out = augment.erase(3, p=1.0)(torch.ones(64, 1, 8, 8), g())
    covered = (out == 0).flatten(1).sum(1)
    assert covered.max() == 9 and covered.min() >= 2
    assert (out == 0).any(0).all()  # every pixel has its turn


@pytest.mark.parametrize("hook", [augment.Mixup(3, alpha=1.0), augment.CutMix(3, alpha=1.0)])
def test_mixing_keeps_the_share_of_each_target(hook):
    classes = torch.tensor([0, 1, 2, 1])
    images = F.one_hot(classes, 3).float().view(4, 3, 1, 1).expand(4, 3, 8, 8)
    for _ in range(20):
        mixed, targets = hook(images, classes)
        torch.testing.assert_close(mixed.mean(dim=(2, 3)), targets)  # the picture's colour is its class
        again, targets = hook(targets.view(4, 3, 1, 1).expand(4, 3, 8, 8), targets)
        torch.testing.assert_close(again.mean(dim=(2, 3)), targets)
    assert torch.equal(images[0, 0], torch.ones(8, 8))


def test_cutmix_pastes_the_share_that_it_draws(monkeypatch):
    monkeypatch.setattr(augment.random, "betavariate", lambda a, b: 0.75)
    _, targets = augment.CutMix(8)(torch.zeros(8, 1, 16, 16), torch.arange(8))
    assert {*targets.flatten().tolist()} <= {0, 0.25, 0.75, 1} and (targets == 0.25).any()


def test_a_share_of_the_pictures_is_erased():
    erased = (augment.erase(3, p=0.25)(torch.ones(1000, 1, 8, 8), g()) == 0).flatten(1).any(1)
    assert erased.float().mean().item() == pytest.approx(0.25, abs=0.05)


def test_alpha_is_that_of_the_distribution(monkeypatch):
    asked = []
    monkeypatch.setattr(augment.random, "betavariate", lambda a, b: asked.append((a, b)) or 0.75)
    for hook in (augment.Mixup(4, alpha=0.3), augment.CutMix(4, alpha=0.3)):
        hook(torch.zeros(4, 1, 8, 8), torch.arange(4))
    assert asked == [(0.3, 0.3)] * 2


def test_what_comes_in_from_outside():
    ones = torch.ones(50, 1, 8, 8)
    assert torch.allclose(augment.affine(30, 0, 0.3)(ones, g()), ones)
    assert augment.affine(30, 0, 0.3, padding="zeros")(ones, g()).min() < 0.5
    assert augment.translate(2, value=0.5)(ones, g()).min() == 0.5
    ramp = torch.arange(8.0).div(8).expand(64, 1, 8, 8)
    assert (augment.shift_reflect(2)(ramp, g()).diff(dim=-1) != 0).all()


def test_contrast_turns_about_the_mean():
    images = torch.tensor([0.6, 0.8]).repeat(100, 1, 1, 1)
    changed = augment.brightness_contrast(0, 0.2)(images, g())
    assert torch.allclose(changed.mean((1, 2, 3)), torch.full((100,), 0.7), atol=1e-6)
