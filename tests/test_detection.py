"""Boxes against torchvision, average precision against the COCO evaluator, and a detector that learns."""

import contextlib
import io

import numpy as np
import pytest
import torch
from torchvision import ops

from course_utils.data.detection import DetectionSet
from course_utils.detection import (
    Detections,
    Detector,
    area,
    convert,
    decode,
    detect,
    detection_loss,
    focal_loss,
    giou,
    locations,
    match,
    nms,
    pairwise_iou,
)
from course_utils.detection import boxes as boxes_module
from course_utils.detection.augment import Augmented, together
from course_utils.detection.judge import THRESHOLDS, average_precision, mistakes
from course_utils.detection.losses import to_boxes
from course_utils.errors import CourseError


def random_boxes(n, seed=0, side=100.0, whole=False):
    random = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=random) * side
    size = 1 + torch.rand(n, 2, generator=random) * side / 2
    boxes = torch.cat([corner, corner + size], dim=1)
    return boxes.round() if whole else boxes


def test_formats_are_torchvisions():
    boxes = random_boxes(20)
    for source in boxes_module.FORMATS:
        for target in boxes_module.FORMATS:
            given = ops.box_convert(boxes, "xyxy", source)
            assert torch.allclose(convert(given, source, target), ops.box_convert(given, source, target))
    with pytest.raises(CourseError, match=r"unknown box format 'yolo'\. Valid: xyxy, xywh, cxcywh"):
        convert(boxes, "yolo", "xyxy")


def test_overlaps_are_torchvisions():
    a, b = random_boxes(60, 1), random_boxes(50, 2)
    assert torch.allclose(pairwise_iou(a, b), ops.box_iou(a, b))
    assert torch.allclose(giou(a[:50], b), ops.generalized_box_iou(a[:50], b).diagonal(), atol=1e-6)
    assert torch.allclose(1 - giou(a[:50], b), ops.generalized_box_iou_loss(a[:50], b), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float16])
def test_narrow_types_do_not_overflow(dtype):
    boxes = torch.tensor([[0, 0, 200, 200], [30, 0, 230, 200], [0, 10, 200, 210]])
    wanted = pairwise_iou(boxes.float(), boxes.float())
    assert torch.equal(pairwise_iou(boxes.to(dtype), boxes.to(dtype)), wanted)
    assert area(boxes.to(dtype)).tolist() == [40000, 40000, 40000]
    assert torch.equal(
        giou(boxes.to(dtype), boxes.flip(0).to(dtype)), giou(boxes.float(), boxes.flip(0).float())
    )
    kinds = torch.full((3,), 120)  # far from the origin, where half precision is coarse
    assert nms(boxes.to(dtype), torch.tensor([0.9, 0.8, 0.7]), 0.8, kinds).tolist() == [0, 1]
    corner = torch.tensor([[120, 0, 140, 10]], dtype=dtype)
    assert convert(corner, "xywh", "xyxy").tolist() == [[120, 0, 260, 10]]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("whole", [True, False])
def test_nms_is_torchvisions(threshold, whole):
    boxes = random_boxes(3000, 3, whole=whole)
    scores = torch.rand(3000, generator=torch.Generator().manual_seed(4)).mul(500).round() / 500  # with ties
    labels = torch.arange(3000) % 3
    assert nms(boxes, scores, threshold).tolist() == ops.nms(boxes, scores, threshold).tolist()
    kept = nms(boxes, scores, threshold, labels)
    assert set(kept.tolist()) == set(ops.batched_nms(boxes, scores, labels, threshold).tolist())
    assert (scores[kept].diff() <= 0).all()


def test_nms_of_nothing():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5, torch.zeros(0).long()).tolist() == []


def test_focal_loss_is_torchvisions_with_its_gradient():
    logits = torch.linspace(-6, 6, 40, requires_grad=True)
    targets = (torch.arange(40) % 3 == 0).float()
    ours, theirs = focal_loss(logits, targets), ops.sigmoid_focal_loss(logits, targets)
    assert torch.allclose(ours, theirs)
    ours, theirs = (torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (ours, theirs))
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_has_a_slope_where_the_answer_is_sure(gamma):
    logits = torch.tensor([200.0, 0.0], requires_grad=True)
    focal_loss(logits, torch.ones(2), gamma=gamma).sum().backward()
    assert logits.grad[0] == 0 and torch.isfinite(logits.grad[1])


def test_locations_are_the_cells_of_the_maps():
    model = Detector(2, 16, pretrained=False)
    for size in ((64, 64), (75, 101)):  # also where the strides do not divide the picture
        points, stride = locations(*size)
        assert model(torch.zeros(1, 3, *size)).shape == (1, len(points), 7)
        assert points.max() < max(size) + 32 and stride.unique().tolist() == [8, 16, 32]


def test_matching_by_hand():
    points, stride = locations(96, 96, strides=(8, 16, 32))
    small, large = [20.0, 20, 44, 44, 0], [0.0, 0, 96, 96, 1]
    wanted = match(torch.tensor([[small, large, [0, 0, 0, 0, -1]]]), points, stride)
    found = {label: set(stride[wanted.label[0] == label].tolist()) for label in (0, 1)}
    assert found == {0: {8.0}, 1: {16.0, 32.0}}  # far from its centre the large one is the coarsest level's
    inside = wanted.label[0] == 0
    assert (points[inside] > 20).all() and (points[inside] < 44).all()
    assert (wanted.box[0][inside] == torch.tensor(small[:4])).all()
    exact = torch.tensor([[[24.0, 24, 40, 40, 0]]])
    middle = match(exact, torch.tensor([[32.0, 32.0], [28.0, 32.0]]), torch.tensor([8.0, 8.0])).centre
    assert torch.allclose(middle, torch.tensor([[1.0, (4 / 12) ** 0.5]]))


@pytest.mark.parametrize("strides", [(8, 32), (4, 16), (4, 8, 32)])
@pytest.mark.parametrize("side", [20, 50, 80, 120, 200])
def test_every_size_has_its_level_where_strides_do_not_double(strides, side):
    box = torch.tensor([[[128.0 - side / 2, 128 - side / 2, 128 + side / 2, 128 + side / 2, 0]]])
    assert (match(box, *locations(256, 256, strides)).label == 0).any()


def test_of_two_boxes_the_smaller_is_wanted():
    points, stride = locations(32, 32, strides=(8,))
    both = torch.tensor([[[0.0, 0, 32, 32, 0], [8, 8, 24, 24, 1]]])
    assert set(match(both, points, stride).label[0].tolist()) == {-1, 1}


def test_a_perfect_answer_costs_nothing_and_decodes_to_the_truth():
    truth = torch.tensor([[[20.0, 20, 52, 44, 2], [70, 10, 120, 90, 0]]])
    points, stride = locations(96, 128)
    wanted = match(truth, points, stride)
    positive = wanted.label >= 0
    says = torch.full((1, len(points), 3 + 5), -12.0)
    sides = torch.cat([points - wanted.box[..., :2], wanted.box[..., 2:] - points], dim=-1) / stride[:, None]
    says[..., 3:7] = sides.clamp(min=0.01).log()
    says[..., :3][positive, wanted.label[positive]] = 12.0
    says[..., 7] = torch.logit(wanted.centre, eps=1e-6)
    assert torch.allclose(to_boxes(says[..., 3:7], points, stride)[positive], wanted.box[positive], atol=1e-3)
    best = detection_loss(says, truth, (96, 128))
    assert best < detection_loss(says + 0.5, truth, (96, 128))
    (found,) = decode(says, (96, 128), score=0.3)
    assert sorted(found.labels.tolist()) == [0, 2]
    assert pairwise_iou(found.boxes, truth[0, :, :4]).max(0).values.min() > 0.999


def test_a_score_is_the_geometric_mean_of_class_and_centre():
    says = torch.full((1, 84, 6), -9.0)
    says[0, 9] = torch.tensor([0.0, 0, 0, 0, 0, 1])
    (found,) = decode(says, (64, 64))
    assert found.scores.tolist() == pytest.approx([(0.5 * torch.tensor(1.0).sigmoid().item()) ** 0.5])


def test_duplicates_are_removed_within_a_class_only():
    says = torch.full((1, 84, 7), -9.0)
    says[0, 9] = torch.tensor([4.0, 3, 0, 0, 0, 0, 4])
    (found,) = decode(says, (64, 64))
    assert found.labels.tolist() == [0, 1] and torch.equal(*found.boxes)


def test_a_place_off_the_middle_counts_less_in_the_loss_of_the_boxes():
    truth = torch.tensor([[[6.0, 8, 40, 30, 0]]])
    points, stride = locations(64, 64)
    wanted = match(truth, points, stride)
    says = torch.zeros(1, len(points), 6)
    says[..., 1:5] = torch.randn(1, len(points), 4, generator=torch.Generator().manual_seed(0)) / 4
    positive, other = wanted.label[0] >= 0, says.clone()
    sides = torch.cat([points - wanted.box[0, :, :2], wanted.box[0, :, 2:] - points], dim=-1)
    other[0, positive, 1:5] = (sides / stride[:, None])[positive].clamp(min=1e-3).log()
    weight = wanted.centre[0, positive]
    gap = 1 - giou(to_boxes(says[..., 1:5], points, stride)[0, positive], wanted.box[0, positive])
    assert weight.unique().numel() > 1
    cost = detection_loss(says, truth, (64, 64)) - detection_loss(other, truth, (64, 64))
    assert cost.item() == pytest.approx(((gap * weight).sum() / weight.sum()).item(), abs=1e-3)


def test_a_truth_without_a_row_is_all_background():
    says = torch.randn(2, 84, 7, generator=torch.Generator().manual_seed(0))
    padding = torch.full((2, 1, 5), -1.0)
    assert detection_loss(says, padding[:, :0], (64, 64)) == detection_loss(says, padding, (64, 64))


def test_a_label_that_the_outputs_do_not_know_is_named():
    truth = torch.tensor([[[8.0, 8, 40, 40, 2]]])
    with pytest.raises(
        CourseError, match=r"a box of class 2, and the outputs know 2 classes\. Valid: 0 to 1"
    ):
        detection_loss(torch.zeros(1, 84, 7), truth, (64, 64))


def test_a_box_of_which_the_edge_leaves_nothing_is_not_found():
    points, _ = locations(40, 64)  # the last row of places lies below the picture
    says = torch.full((1, len(points), 6), -9.0)
    says[0, -1] = torch.tensor([4.0, -3, -3, -3, -3, 4])
    says[0, 0] = torch.tensor([3.0, 0, 0, 0, 0, 3])
    assert points[-1, 1] == 48
    (found,) = decode(says, (40, 64))
    assert found.boxes.tolist() == [[0, 0, 12, 12]]


def test_pictures_that_were_divided_already_are_refused():
    with pytest.raises(
        CourseError, match=r"the pictures are torch\.float32\. Valid: torch\.uint8.*leave your division out"
    ):
        detect(Detector(2, 16, pretrained=False), torch.zeros(1, 3, 64, 64))


def scene(seed, count=12, pictures=6, num_classes=3):
    """Random truths and detections near some of them, with scores and classes that are often wrong."""
    random = torch.Generator().manual_seed(seed)
    found, boxes, labels = [], [], []
    for i in range(pictures):
        own = random_boxes(count + i, 100 * seed + i)
        its = torch.randint(num_classes, (len(own),), generator=random)
        near = own.repeat(2, 1) + torch.randn(2 * len(own), 4, generator=random) * 3
        near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2] + 1)
        wrong = torch.randint(num_classes, (len(near),), generator=random)
        guess = torch.where(torch.rand(len(near), generator=random) < 0.8, its.repeat(2), wrong)
        scores = torch.rand(len(near), generator=random).mul(20).round() / 20
        order = scores.argsort(descending=True, stable=True)
        found.append(Detections(near[order], scores[order], guess[order]))
        boxes.append(own)
        labels.append(its)
    return found, boxes, labels


def coco(found, boxes, labels, num_classes, areas=None, most=100):
    """The COCO evaluator's precision array (T, 101, K, areas, detections)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, guesses = [], []
    for i, (one, own, its) in enumerate(zip(found, boxes, labels, strict=True)):
        for box, label in zip(convert(own.double(), "xyxy", "xywh").tolist(), its.tolist(), strict=True):
            truths.append({"id": len(truths) + 1, "image_id": i, "category_id": label, "bbox": box,
                           "area": box[2] * box[3], "iscrowd": 0})  # fmt: skip
        rows = zip(convert(one.boxes.double(), "xyxy", "xywh").tolist(), one.scores.tolist(), one.labels.tolist(), strict=True)  # fmt: skip
        guesses += [{"image_id": i, "category_id": k, "bbox": b, "score": s} for b, s, k in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {"images": [{"id": i} for i in range(len(found))], "annotations": truths,
                             "categories": [{"id": k} for k in range(num_classes)]}  # fmt: skip
        reference.createIndex()
        judge = COCOeval(reference, reference.loadRes(guesses), "bbox")
        if areas:
            judge.params.areaRng, judge.params.areaRngLbl = [list(areas)], ["all"]
        judge.params.maxDets = [most]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("areas", "most"), [(None, 100), ((0, 900), 100), ((900, 1e10), 100), (None, 4)])
def test_average_precision_is_the_coco_evaluators(seed, areas, most):
    found, boxes, labels = scene(seed)
    options = {"areas": areas} if areas else {}
    ours = average_precision(found, boxes, labels, 3, most=most, **options)
    theirs = coco(found, boxes, labels, 3, areas, most)
    theirs = theirs[:, :, :, 0, 0].transpose(0, 2, 1)
    assert np.abs(ours.precision - theirs).max() < 1e-6
    assert abs(ours.mean - theirs.mean()) < 1e-6 and abs(ours.at(0.5) - theirs[0].mean()) < 1e-6
    assert ours.thresholds == THRESHOLDS


def test_a_class_without_boxes_does_not_count():
    found, boxes, labels = scene(1, num_classes=2)
    assert average_precision(found, boxes, labels, 3).mean == average_precision(found, boxes, labels, 2).mean


def test_nothing_found_scores_nothing():
    _, boxes, labels = scene(0)
    nothing = [Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long())] * len(boxes)
    assert average_precision(nothing, boxes, labels, 3).mean == 0
    assert {m["kind"] for m in mistakes(nothing, boxes, labels)} == {"missed"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("pictures", [0, 2])
def test_without_a_box_there_is_no_precision(pictures):
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long())
    judged = average_precision(
        [nothing] * pictures, [nothing.boxes] * pictures, [nothing.labels] * pictures, 2
    )
    assert np.isnan(judged.mean) and np.isnan(judged.at(0.5)) and judged.boxes.tolist() == [0, 0]


def test_a_threshold_that_was_not_judged_is_named():
    judged = average_precision(*scene(0), 3, thresholds=(0.5, 0.75))
    with pytest.raises(CourseError, match=r"threshold of IoU 0\.52\. Valid: 0\.5, 0\.75"):
        judged.at(0.52)


def test_of_two_detections_the_better_is_right_in_whatever_order_they_come():
    boxes, labels = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([0])
    guess = Detections(
        torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 10]]), torch.tensor([0.3, 0.9]), labels.repeat(2)
    )
    (error,) = mistakes([guess], [boxes], [labels])
    assert error["kind"] == "duplicate" and error["score"] == pytest.approx(0.3)


def test_each_kind_of_mistake():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])
    labels = torch.tensor([0, 1, 0, 1])
    rows = [
        ([0.0, 0, 10, 9], 0, None),
        ([0.0, 0, 9, 10], 0, "duplicate"),
        ([20.0, 0, 30, 9], 0, "wrong class"),
        ([40.0, 0, 44, 10], 0, "loose box"),
        ([80.0, 0, 90, 10], 0, "background"),
    ]
    guess = Detections(
        torch.tensor([r[0] for r in rows]), torch.linspace(0.9, 0.5, 5), torch.tensor([r[1] for r in rows])
    )
    errors = mistakes([guess], [boxes], [labels])
    assert [e["kind"] for e in errors] == [r[2] for r in rows if r[2]] + ["missed"]
    assert errors[-1]["box"].tolist() == boxes[3].tolist() and errors[-1]["score"] is None


def marked(seed=0):
    """A black picture with one white box, as a detection set."""
    random = np.random.default_rng(seed)
    left, top = random.integers(10, 60, 2)
    wide, high = random.integers(15, 40, 2)
    image = torch.zeros(1, 3, 120, 160, dtype=torch.uint8)
    image[0, :, top : top + high, left : left + wide] = 255
    box = torch.tensor([[left, top, left + wide, top + high]], dtype=torch.float32)
    return DetectionSet(image, [box], [torch.tensor([1])], ("a", "b"))


@pytest.mark.parametrize("seed", range(6))
def test_the_box_stays_on_the_object(seed):
    import albumentations as A

    moves = [
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        A.Affine(scale=(0.8, 1.2), translate_percent=(-0.1, 0.1), p=1),
        A.Resize(90, 120),
    ]
    torch.manual_seed(seed)
    image, truth = Augmented(marked(seed), together(moves))[0]
    rows, columns = np.nonzero(image[0].numpy() > 0.5)
    seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert truth.shape == (1, 5) and truth[0, 4] == 1
    assert np.abs(truth[0, :4].numpy() - seen).max() <= 1.5
    assert image.shape == (3, 90, 120) and image.max() <= 1


def test_what_is_drawn_follows_torchs_generator_which_a_checkpoint_holds():
    import albumentations as A

    data = Augmented(marked(), together([A.Affine(translate_percent=(-0.2, 0.2), p=1)]))
    torch.manual_seed(3)
    first, state = data[0][1], torch.get_rng_state()
    second = data[0][1]
    torch.set_rng_state(state)
    assert torch.equal(data[0][1], second) and not torch.equal(first, second)


def test_a_transform_that_divides_is_refused():
    import albumentations as A

    with pytest.raises(CourseError, match=r"a picture of torch\.float32.*leave A\.Normalize"):
        Augmented(marked(), together([A.HorizontalFlip(p=0), A.Normalize()]))[0]


@pytest.mark.parametrize(("cuts", "left"), [((45, 38), 1), ((39,), 0)])
def test_each_step_is_held_against_what_it_was_given(cuts, left):
    import albumentations as A

    steps = together([A.Crop(0, 0, cut, 90) for cut in cuts])
    moved = steps(image=np.zeros((90, 120, 3), np.uint8), bboxes=np.array([[30, 10, 60, 50]]), labels=[0])
    assert len(moved["bboxes"]) == left


def test_a_box_that_leaves_the_picture_is_dropped_and_its_row_is_padding():
    import albumentations as A

    away = together([A.Affine(translate_px={"x": -500, "y": 0}, p=1)])
    _, truth = Augmented(marked(), away)[0]
    assert truth.tolist() == [[-1.0] * 5]


def test_normalisations_stay_as_they_are_in_training():
    model = Detector(2, 16, pretrained=False).train()
    before = {name: value.clone() for name, value in model.pyramid.named_buffers()}
    model(torch.rand(2, 3, 64, 64))
    assert before and all(torch.equal(before[name], value) for name, value in model.pyramid.named_buffers())
    assert model.training and model.pyramid.training and not model.eval().pyramid.training


def test_a_detector_learns_three_pictures_by_heart():
    from course_utils.data import load

    data = load("bccd", "train", source="embedded", size=128).subset([0, 1, 2])
    torch.manual_seed(0)
    model = Detector(3, width=32, frozen=2)
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert frozen and not any(p.requires_grad for p in model.pyramid.stem.parameters())
    pairs = [Augmented(data)[i] for i in range(3)]
    images, truth = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    model.train()
    losses = []
    for _ in range(40):
        loss = detection_loss(model(images), truth, (96, 128))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    found = [one._replace(labels=torch.zeros_like(one.labels)) for one in detect(model, data.images)]
    assert average_precision(found, data.boxes, [torch.zeros_like(k) for k in data.labels], 1).at(0.5) > 0.5


def test_as_many_detections_as_asked_for_and_an_overlap_as_asked_for():
    says = torch.full((1, 84, 6), -9.0)
    says[0, :64] = torch.tensor([4.0, 0, 0, 0, 0, 4])
    says[0, 9, 0] = 5.0
    assert len(decode(says, (64, 64), most=3)[0].scores) == 3
    strict, loose = (len(decode(says, (64, 64), overlap=overlap)[0].scores) for overlap in (0.1, 0.6))
    assert strict < loose


class Sees(torch.nn.Module):
    """Keeps what it is given and finds nothing."""

    strides = (8, 16, 32)

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        self.seen = x
        return torch.full((len(x), 84, 6), -9.0)


def test_a_detector_is_given_values_from_0_to_1():
    net = Sees()
    detect(net, torch.full((1, 3, 64, 64), 51, dtype=torch.uint8))
    assert torch.allclose(net.seen, torch.tensor(0.2))
