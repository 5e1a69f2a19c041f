"""Scores against torchmetrics, losses against smp, tiles without seams, objects, windows that keep the mask on its object."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from course_utils import Trainer, backbone
from course_utils.errors import CourseError
from course_utils.loaders import TensorLoader
from course_utils.segmentation import (
    Crops,
    boundary_f1,
    boundary_loss,
    dice,
    dice_loss,
    iou,
    lite0_unet,
    match_instances,
    moves,
    pixel_confusion,
    pixel_cross_entropy,
    pixel_error,
    predict_tiled,
    signed_distance,
    watershed_instances,
)
from course_utils.segmentation.instances import components

RNG = np.random.default_rng(0)


def blobs(n=3, size=48, classes=3, seed=0):
    """Smooth random class maps (n, size, size)."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(n, classes, size, size))
    return gaussian_filter(noise, (0, 0, 4, 4)).argmax(1)


def some_masks(ignored=True):
    true, predicted = blobs(seed=1), np.where(RNG.random((3, 48, 48)) < 0.8, blobs(seed=1), blobs(seed=2))
    if ignored:
        true = np.where(blobs(seed=3, classes=6) == 5, 255, true)
    return torch.from_numpy(predicted), torch.from_numpy(true)


@pytest.mark.parametrize("ignored", [False, True])
def test_pixel_scores_are_those_of_torchmetrics(ignored):
    from torchmetrics.functional.classification import (
        multiclass_accuracy,
        multiclass_confusion_matrix,
        multiclass_f1_score,
        multiclass_jaccard_index,
    )

    predicted, true = some_masks(ignored)
    matrix = pixel_confusion(predicted, true, 3)
    settings = {"num_classes": 3, "ignore_index": 255}
    assert matrix.tolist() == multiclass_confusion_matrix(predicted, true, **settings).tolist()
    for own, theirs in (
        (iou(matrix), multiclass_jaccard_index(predicted, true, average=None, **settings)),
        (dice(matrix), multiclass_f1_score(predicted, true, average=None, **settings)),
        (1 - pixel_error(matrix), multiclass_accuracy(predicted, true, average="micro", **settings)),
    ):
        assert np.allclose(own, theirs.numpy(), atol=1e-6)
    parts = sum(pixel_confusion(p, t, 3) for p, t in zip(predicted, true, strict=True))
    assert np.array_equal(parts, matrix)
    assert np.allclose(dice(matrix), 2 * iou(matrix) / (1 + iou(matrix)))


def test_a_class_that_is_nowhere_has_no_score():
    matrix = pixel_confusion(np.zeros((2, 2), int), np.zeros((2, 2), int), 2)
    assert np.isnan(iou(matrix)[1]) and np.isnan(dice(matrix)[1]) and iou(matrix)[0] == 1
    assert np.isnan(boundary_f1(np.zeros((4, 4), int), np.zeros((4, 4), int), 2)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: pixel_confusion([[0, 3]], [[0, 1]], 2),
            r"a prediction holds the class numbers \[3\]. Valid: 0 to 1\.",
        ),
        (lambda: pixel_confusion([[0, 1]], [[0, 7]], 2), r"a mask holds .*\[7\].*255 for pixels to ignore"),
        (lambda: pixel_confusion(np.zeros((2, 4, 4)), np.zeros((1, 4, 4)), 2), "2 predictions for 1 masks"),
        (lambda: pixel_confusion([np.zeros((4, 4))], [np.zeros((4, 5))], 2), "take the argmax"),
        (lambda: pixel_confusion([[0.9, 0.2]], [[1, 0]], 2), r"\[0.2, 0.9\].* take the argmax"),
        (lambda: pixel_confusion([[0, np.nan]], [[1, 0]], 2), r"\[nan\].* take the argmax"),
        (lambda: pixel_confusion([[0, 1]], [[0.5, 1]], 2), r"a mask holds .*\[0.5\]"),
        (lambda: pixel_confusion([0, 1], [0, 1], 2), r"class numbers \(H, W\)"),
        (lambda: boundary_f1(np.full((4, 4), 7), np.zeros((4, 4)), 2), r"a prediction holds .*\[7\]"),
        (lambda: boundary_f1(*np.zeros((2, 1, 1, 4, 4)), 2), r"\(1, 4, 4\).*class numbers \(H, W\)"),
        (lambda: boundary_f1(*[[torch.zeros(1, 4, 4)]] * 2, 2), r"\(1, 4, 4\).*class numbers \(H, W\)"),
        (lambda: pixel_error(pixel_confusion([[0]], [[255]], 2)), "every pixel is ignored"),
        (lambda: iou(np.zeros(4)), "pixel_confusion"),
        (lambda: match_instances(np.ones((2, 2), int), np.ones((2, 2), int), threshold=0.3), "not unique"),
        (lambda: match_instances(np.ones((2, 2)), np.ones((2, 2), int)), "predicted is float64"),
        (lambda: match_instances(np.ones((2, 2), int), -np.ones((2, 2), int)), "true is int64 from -1"),
        (lambda: predict_tiled(lambda x: x, torch.zeros(1, 8, 8), tile=8, overlap=4), "Valid: 0 to 3"),
        (
            lambda: predict_tiled(lambda x: x, torch.zeros(8, 8), tile=8, overlap=2),
            r"image has shape \(8, 8\)",
        ),
        (
            lambda: predict_tiled(lambda x: x[..., ::2, ::2], torch.zeros(1, 8, 8), tile=8, overlap=2),
            r"predict gives \(4, 1, 4, 4\) for tiles \(4, 1, 8, 8\)",
        ),
        (
            lambda: Crops(torch.rand(1, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8), moves(8)),
            "pictures are float32. Valid: uint8",
        ),
        (lambda: Crops([], [], moves(8)), "0 pictures"),
    ],
)
def test_errors_say_what_is_valid(call, words):
    with pytest.raises(CourseError, match=words):
        call()


@pytest.mark.parametrize("tolerance", [0, 1, 2.5])
def test_boundary_f1_is_that_of_all_pairs_of_pixels(tolerance):
    predicted, true = blobs(2, 24, 3, seed=4), blobs(2, 24, 3, seed=5)
    scores = boundary_f1(predicted, true, 3, tolerance)

    def edge(inside):
        h, w = inside.shape
        at = lambda y, x: inside[y, x] if 0 <= y < h and 0 <= x < w else True  # noqa: E731
        return np.array(
            [
                (y, x)
                for y, x in zip(*np.nonzero(inside), strict=True)
                if not (at(y + 1, x) and at(y - 1, x) and at(y, x + 1) and at(y, x - 1))
            ]
        ).reshape(-1, 2)

    for k in range(3):
        hits, n = np.zeros(2), np.zeros(2)
        for p, t in zip(predicted == k, true == k, strict=True):
            a, b = edge(p), edge(t)
            gap = (
                np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
                if len(a) and len(b)
                else np.full((len(a), len(b)), 99)
            )
            hits += [(gap.min(1, initial=99) <= tolerance).sum(), (gap.min(0, initial=99) <= tolerance).sum()]
            n += [len(a), len(b)]
        precision, recall = hits / n
        assert scores[k] == pytest.approx(
            2 * precision * recall / (precision + recall) if precision + recall else 0
        )


def test_boundary_f1_does_not_see_what_is_ignored():
    true = np.zeros((8, 12), int)
    true[:, 4:6], true[:, 8:] = 1, 255
    right = np.where(true == 255, 0, true)
    noise = np.where(true == 255, np.indices(true.shape).sum(0) % 2, true)
    assert boundary_f1(right, true, 2, 0).tolist() == boundary_f1(noise, true, 2, 0).tolist() == [1, 1]
    assert np.isnan(boundary_f1(true * 0, np.where(true == 255, 255, 0), 2)).all()  # no outline beside it


def test_losses_are_those_of_the_libraries():
    import segmentation_models_pytorch as smp

    _, true = some_masks()
    logits = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(0)).requires_grad_()
    pairs = [
        (dice_loss(logits, true.byte()), smp.losses.DiceLoss("multiclass", ignore_index=255)(logits, true)),
        (
            pixel_cross_entropy(logits, true.byte()),
            torch.nn.functional.cross_entropy(logits, true, ignore_index=255),
        ),
    ]
    for own, theirs in pairs:
        gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (own, theirs)]
        assert own.item() == pytest.approx(theirs.item(), abs=1e-6) and torch.allclose(*gradients, atol=1e-8)
        assert (gradients[0].movedim(1, -1)[true == 255] == 0).all(), "ignored pixels pull"


def test_a_batch_without_a_known_pixel_costs_nothing():
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    nothing = torch.full((1, 4, 4), 255)
    for loss in (pixel_cross_entropy, dice_loss):
        value = loss(logits, nothing)
        value.backward()
        assert value.item() == 0 and torch.isfinite(logits.grad).all()


def test_boundary_loss_pulls_towards_the_mask():
    mask = torch.zeros(1, 16, 16, dtype=torch.uint8)
    mask[:, 4:12, 4:12] = 1
    distances = signed_distance(mask, 2)
    assert (
        distances[0, 1, 0, 4] == 4 and distances[0, 1, 8, 8] < 0 and (distances[0, 0] <= 0).sum() == 192 + 0
    )
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    boundary_loss(logits, distances).backward()
    assert (logits.grad[0, 1][mask[0] == 0] > 0).all() and (logits.grad[0, 1][5:11, 5:11] < 0).all()
    far = distance_transform_edt(mask[0] == 0)
    assert np.allclose(distances[0, 1].numpy()[mask[0] == 0], far[mask[0] == 0])


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap"), [(50, 70, 32, 8), (32, 32, 32, 0), (7, 90, 32, 15), (5, 3, 32, 8)]
)
def test_tiles_put_a_picture_together_again(height, width, tile, overlap):
    image = torch.rand(2, height, width, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(predict_tiled(lambda x: x, image, tile, overlap, batch=3), image, atol=1e-6)


def test_overlap_takes_the_seams_away():
    """A filter that sees zeros beyond its tile: without overlap every seam shows."""
    image = torch.ones(1, 64, 64)
    blur = lambda x: torch.nn.functional.avg_pool2d(x, 9, 1, 4)  # noqa: E731
    hard, soft = (predict_tiled(blur, image, 32, overlap)[0] for overlap in (0, 12))
    assert hard.min() < 0.4 and (soft - 1).abs().max() < 0.25 * (hard - 1).abs().max()


def test_objects_are_scored_as_torchmetrics_does():
    from torchmetrics.functional.detection import panoptic_quality

    true, predicted = (
        components(blobs(1, 96, 4, seed=6)[0] == 0, 5),
        components(blobs(1, 96, 4, seed=6)[0] <= 0, 5),
    )
    predicted = np.where(np.roll(predicted, 2, 0) > 0, np.roll(predicted, 2, 0), 0)
    predicted[10:14, :] = 0
    predicted = components(predicted > 0, 5)
    matches = match_instances(predicted, true)
    as_pairs = [torch.from_numpy(np.stack([np.where(x > 0, 0, 1), x], -1))[None] for x in (predicted, true)]
    reference = panoptic_quality(*as_pairs, things={0}, stuffs={1}, return_per_class=True)
    assert matches.quality == pytest.approx(reference[0, 0].item(), abs=1e-6)
    assert 0 < len(matches.pairs) < matches.true


def test_perfect_objects_have_perfect_scores():
    true = components(blobs(1, 64, 4, seed=7)[0] == 0, 1)
    matches = match_instances(true * 3, true)
    assert (matches.f1, matches.quality, matches.precision, matches.recall) == (1, 1, 1, 1)
    empty, invented = match_instances(true * 0, true), match_instances(true, true * 0)
    assert (empty.f1, empty.quality, empty.recall) == (0, 0, 0) and np.isnan(empty.precision)
    assert (invented.f1, invented.quality, invented.precision) == (0, 0, 0) and np.isnan(invented.recall)
    nothing = match_instances(true * 0, true * 0)
    assert np.isnan([nothing.f1, nothing.quality, nothing.precision, nothing.recall]).all()
    assert match_instances(true, true, ignore=true == 1).true == true.max() - 1


def test_watershed_closes_gaps_that_components_run_through():
    wall = np.zeros((60, 60))
    wall[28:31], wall[:, 28:31] = 1, 1
    wall[28:31, 12:15] = 0
    assert components(wall < 0.5).max() == 3 and watershed_instances(wall).max() == 4
    assert (
        watershed_instances(np.zeros((20, 20))).max() == 1
        and watershed_instances(np.ones((20, 20))).max() == 0
    )


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_watershed_keeps_an_object_that_is_flatter_than_its_depth(depth):
    wall = np.ones((40, 80))
    wall[10:30, 5:25] = wall[2:7, 40:74] = wall[12:15, 40:74] = wall[20:22, 40:44] = 0
    objects = watershed_instances(wall, depth=depth)
    assert np.unique(objects).tolist() == [0, 1, 2, 3], "the last is smaller than 20 pixels"
    matches = match_instances(objects, components(wall == 0))
    assert matches.quality == 1


def painted(size, seed, ignore=False):
    """A dark picture with bright rings and bars, and the mask that is exactly where they are."""
    y, x = np.mgrid[:size, :size]
    random = np.random.default_rng(seed)
    inside = np.zeros((size, size), bool)
    for cy, cx in random.uniform(0, size, (6, 2)):
        inside |= np.abs(np.hypot(y - cy, x - cx) - 14) < 5
    return np.where(inside, 230, 20).astype(np.uint8)[None], inside.astype(np.uint8)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("bend", [0.0, 0.3])
def test_the_mask_stays_on_the_object(bend, upright):
    pictures, masks = zip(*(painted(80, seed) for seed in range(4)), strict=True)
    windows = Crops(pictures, masks, moves(48, bend=bend, light=0.1, upright=upright), per_picture=8)
    torch.manual_seed(0)
    seen, worst = set(), 0.0
    for image, mask in (windows[i] for i in range(len(windows))):
        assert image.shape == (1, 48, 48) and mask.shape == (48, 48) and set(mask.unique().tolist()) <= {0, 1}
        bright = image[0] > 0.5
        worst = max(worst, (bright != (mask == 1)).float().mean().item())
        seen.add(image.sum().item())
    assert len(seen) > 20, "the windows differ"
    assert worst < (0.06 if bend else 1e-9), "bending rounds at the outline, and nowhere else"


def test_windows_follow_from_torchs_generator():
    image, mask = painted(64, 0)
    windows = Crops([image], [mask], moves(32), per_picture=2)
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(torch.stack([windows[0][0], windows[1][0]]))
    assert torch.equal(*draws) and not torch.equal(draws[0][0], draws[0][1])


def test_a_loop_over_windows_ends():
    windows = Crops(*([a] for a in painted(64, 0)), moves(32), per_picture=3)
    assert len([window for window, _ in zip(windows, range(5), strict=False)]) == 3 and windows[-1]
    with pytest.raises(IndexError):
        windows[-4]


def test_a_small_picture_is_filled_up_with_pixels_to_ignore():
    windows = Crops(
        [np.full((3, 20, 30), 128, np.uint8)], [np.zeros((20, 30), np.uint8)], moves(40, bend=0, light=0)
    )
    image, mask = windows[0]
    assert image.shape == (3, 40, 40) and (mask == 0).sum() == 600 and (mask == 255).sum() == 1000


def test_the_trainer_takes_dense_targets_and_ignores_what_it_should():
    """A net that sees the class in the pixel learns it; ignored pixels hold the other class and change nothing."""
    torch.manual_seed(0)
    images = (torch.rand(16, 1, 16, 16) > 0.5).byte() * 255
    masks = (images[:, 0] > 0).byte()
    lied = torch.rand(masks.shape) < 0.3
    poisoned = masks.clone()
    poisoned[lied] = 255
    results = []
    for targets in (poisoned, torch.where(lied, 1 - masks, masks)):
        torch.manual_seed(0)
        model = torch.nn.Conv2d(1, 2, 1)
        error = lambda outputs, y: (outputs.argmax(1) != y)[y != 255].float().mean()  # noqa: E731
        trainer = Trainer(
            model,
            torch.optim.SGD(model.parameters(), lr=2.0),
            pixel_cross_entropy,
            metrics={"pixel_error": error},
            device="cpu",
        )
        loader = TensorLoader(images, targets, 4, shuffle=True, seed=0)
        history = trainer.fit(loader, 10, valid=loader, progress=False)
        assert {"loss", "pixel_error", "valid_loss", "valid_pixel_error"} <= set(
            history.rows[-1] if hasattr(history, "rows") else history[-1]
        )
        results.append((trainer.evaluate(loader), trainer.predict(loader)))
    (clean, outputs), (lie, _) = results
    assert clean["pixel_error"] == 0 and clean["loss"] < 0.1 and lie["loss"] > 0.4
    assert outputs.shape == (16, 2, 16, 16)


def test_the_unets_encoder_is_the_packaged_network():
    x = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    model, reference = lite0_unet(3, in_chans=1).eval(), backbone("efficientnet_lite0", in_chans=1).eval()
    with torch.no_grad():
        features = model.encoder(x)
        known = reference.bn1(reference.conv_stem(x))
        for i, stages in ((1, 1), (2, 2), (3, 3), (4, 5), (5, 7)):
            assert torch.allclose(features[i], reference.blocks[:stages](known), atol=1e-4), i
    assert model(x).shape == (2, 3, 64, 64) and model.input_stats.mean == reference.input_stats.mean


def test_instances_may_be_one_object_of_yes_and_no():
    matches = match_instances(np.array([[1, 1, 1, 0]], bool), np.array([[1, 1, 0, 0]], bool))
    assert matches.pairs.tolist() == [[1, 1]] and matches.ious.tolist() == [pytest.approx(2 / 3)]


def test_upright_windows_are_never_turned_over():
    ramp, mask = (
        np.repeat(np.arange(32, dtype=np.uint8)[:, None] * 8, 32, axis=1)[None],
        np.zeros((32, 32), np.uint8),
    )
    torch.manual_seed(0)
    upright = Crops([ramp], [mask], moves(32, bend=0, light=0, upright=True), 40)
    assert all((window[0].diff(dim=0) > 0).all() for window, _ in upright)
    free = Crops([ramp], [mask], moves(32, bend=0, light=0), 40)
    assert not all((window[0].diff(dim=0) > 0).all() for window, _ in free)


def test_windows_are_normalised_and_lit():
    grey, mask = np.full((1, 8, 8), 51, np.uint8), np.zeros((8, 8), np.uint8)
    window, _ = Crops([grey], [mask], moves(8, bend=0, light=0), mean=0.5, std=0.25)[0]
    assert torch.allclose(window, torch.full_like(window, (0.2 - 0.5) / 0.25))
    torch.manual_seed(0)
    lit = Crops([grey], [mask], moves(8, bend=0, light=0.3), 20)
    assert len({window.mean().item() for window, _ in lit}) > 5


def test_class_weights_count_and_ignored_pixels_do_not():
    g = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(2, 3, 8, 8, generator=g), torch.randint(0, 3, (2, 8, 8), generator=g)
    masks[0, :2] = 255
    weight = torch.tensor([1.0, 5.0, 0.2])
    wanted = torch.nn.functional.cross_entropy(logits, masks, weight, ignore_index=255)
    torch.testing.assert_close(pixel_cross_entropy(logits, masks, weight), wanted)


def test_half_an_overlap_matches_nothing():
    """Two objects could claim one prediction with it."""
    assert len(match_instances(np.array([[1, 1]]), np.array([[5, 6]])).pairs) == 0
