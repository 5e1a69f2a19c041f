"""The driving package: truth of generated films, heads and losses, tracks, lanes and the clip."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.driving.clip import COLOURS, WIDE, annotate, write_webp
from course_utils.driving.film import TAGS, film
from course_utils.driving.lane import fit_lane, lane_edges
from course_utils.driving.model import DriveNet
from course_utils.driving.samples import Samples, class_weights, mirrored, packed, padded, task_losses
from course_utils.driving.tracking import Kalman, Tracker, assign, identities, overlaps
from course_utils.errors import CourseError
from course_utils.synthetic.dashcam import Camera, Label

SIZE = (64, 96)
GROUPS = [len(values) for values in TAGS.values()]


@pytest.fixture(scope="module")
def frames():
    return film(
        [5, 6], frames=2, size=SIZE, fps=2, conditions=[{}, {"weather": "fog", "time_of_day": "dusk"}]
    )


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return DriveNet(11, 3, GROUPS, size=SIZE, width=16, pretrained=False).eval()


def test_a_film_holds_the_truth_of_its_frames(frames):
    assert frames.tags[:, 0].tolist() == [0, 0, 2, 2] and frames.tags[:, 1].tolist() == [0, 0, 1, 1]
    for i, frame in enumerate(frames.frames):
        assert (frames.images[i].permute(1, 2, 0).numpy() == frame.image).all()
        assert (frames.masks[i][torch.from_numpy(frame.labels == Label.ROAD)] == 3).all()
        boxes = {t.track: t.box for t in frame.things}
        assert [boxes[int(t)] for t in frames.tracks[i]] == [tuple(b) for b in frames.boxes[i].int().tolist()]
    part = frames.subset([2])
    assert part.names == ["drive006_0"] and len(part.frames) == len(part.lanes) == len(part.tags) == 1
    none = frames.subset([])
    assert len(none) == len(none.frames) == len(none.lanes) == len(none.boxes) == 0
    with pytest.raises(CourseError, match="no drive was asked for"):
        film([], frames=2, size=SIZE)


def test_the_own_lane_is_road_between_its_lines(frames):
    for frame, lane in zip(frames.frames, frames.lanes.numpy(), strict=True):
        assert lane.any() and (frame.labels[lane > 0] == Label.ROAD).all()
        rows, columns = np.nonzero(lane)
        ground = frame.camera.to_ground(np.stack([columns, rows], -1))
        near = (ground[:, 0] > 6) & (ground[:, 0] < 12)
        width = ground[near, 1].max() - ground[near, 1].min()
        assert 2.5 < width < 5.5, "a lane of three metres, seen on a road that may bend"


def test_packed_rows_say_what_the_pictures_say(net, frames):
    x = frames.images.float() / 255
    with torch.no_grad():
        direct, cached = net(x), net(packed(net, frames.images))
    assert set(direct) == {"pixels", "lane", "boxes", "tags"}
    for name in direct:
        torch.testing.assert_close(direct[name], cached[name], rtol=1e-3, atol=1e-3)


def test_freezing_keeps_the_first_stages():
    net = DriveNet(11, 3, size=SIZE, width=16, frozen=2, heads=["pixels"], pretrained=False)
    learns = [any(p.requires_grad for p in stage.parameters()) for stage in net.stages]
    assert learns == [False, False, True, True, True, True, True]
    assert not any(p.requires_grad for p in net.stem.parameters())


@pytest.mark.parametrize("again", [False, True])
def test_normalisations_of_lite0_stay_in_any_loop(again):
    net = DriveNet(11, 3, size=SIZE, width=16, frozen=2, heads=["pixels"], pretrained=False)
    if again:
        net.eval().train()
    before = {name: value.clone() for name, value in net.state_dict().items() if "running_mean" in name}
    net(torch.rand(2, 3, *SIZE))
    moved = {name for name, value in before.items() if not torch.equal(value, net.state_dict()[name])}
    assert moved and all(name.startswith("smooth") for name in moved)


@pytest.mark.parametrize("strides", [(4, 8), (2, 4, 8), (4, 8, 16, 32), (16,)])
def test_boxes_are_read_at_any_strides(strides):
    net = DriveNet(11, 3, size=SIZE, width=16, finest=2, strides=strides, heads=["boxes"], pretrained=False)
    boxes = padded([torch.tensor([[8.0, 8, 40, 40]])], [torch.tensor([1])])
    losses = task_losses(net(torch.rand(1, 3, *SIZE)), {"boxes": boxes}, net)
    assert torch.isfinite(losses["boxes"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"finest": 32}, r"unknown finest stride 32\. Valid: 2, 4, 8, 16"),
        ({"heads": ["box"]}, r"unknown head 'box'\. Valid: pixels, lane, boxes, tags"),
        ({"strides": (2, 4)}, r"strides=\(2, 4\) is not valid with finest=4\. Valid: one or more of \[4, 8"),
        ({"strides": ()}, r"strides=\(\) is not valid"),
    ],
)
def test_a_net_that_cannot_be_built_is_named(wrong, words):
    with pytest.raises(CourseError, match=words):
        DriveNet(11, 3, GROUPS, size=SIZE, width=16, pretrained=False, **wrong)


def test_a_mirrored_sample_is_the_mirror_image(net, frames):
    samples, n = Samples(net, frames), len(frames)
    assert len(samples) == 2 * n
    (_, plain), (_, turned) = samples[0], samples[n]
    assert (
        turned["masks"].flip(-1) != plain["masks"]
    ).float().mean() < 0.25  # half the pixels, of other columns
    assert plain["tags"][2] + turned["tags"][2] == 2 and plain["tags"][0] == turned["tags"][0]
    boxes = plain["boxes"][plain["boxes"][:, 4] >= 0]
    back = mirrored(turned["boxes"][None], SIZE[1])[0]
    assert torch.equal(back[back[:, 4] >= 0], boxes)


def test_what_is_unknown_has_no_part_in_the_loss(net, frames):
    target = {
        "masks": torch.full((2, 32, 48), 255, dtype=torch.uint8),
        "lanes": torch.full((2, 32, 48), 255, dtype=torch.uint8),
        "boxes": padded([torch.zeros(0, 4)] * 2, [torch.zeros(0)] * 2),
        "tags": torch.full((2, 4), -1),
    }
    with torch.no_grad():
        losses = task_losses(net(frames.images[:2].float() / 255), target, net, torch.ones(11))
    assert (
        losses["pixels"] == 0
        and losses["lane"] == 0
        and losses["tags"] == 0
        and torch.isfinite(losses["boxes"])
    )


def test_every_loss_reaches_its_head(net, frames):
    net.zero_grad()
    _, target = torch.utils.data.default_collate([Samples(net, frames)[i] for i in range(2)])
    losses = task_losses(net(frames.images[:2].float() / 255), target, net, class_weights(frames.counts()))
    sum(losses.values()).backward()
    for head in net.heads.values():
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_samples_can_keep_room_to_be_joined_with_others(net, frames):
    """A batch of samples from two sets failed in full, where the sets did not share their fullest picture."""
    joined = torch.utils.data.ConcatDataset(
        [Samples(net, frames, room=9), Samples(net, frames.subset([0]), room=9)]
    )
    _, target = torch.utils.data.default_collate([joined[0], joined[2 * len(frames)]])
    assert target["boxes"].shape == (2, 9, 5) and torch.equal(*target["boxes"])


def test_time_to_collision_of_a_thing_that_comes_nearer():
    track, dt = Kalman([100, 50, 110, 60]), 0.1
    for k in range(1, 40):
        distance = 40 - 6 * k * dt
        half = 200 / distance
        track.predict(dt)
        track.update([100 - half, 60 - 2 * half, 100 + half, 60])
    assert track.time_to_collision == pytest.approx(distance / 6, rel=0.15)
    assert Kalman([0, 0, 5, 5]).time_to_collision == float("inf")


def test_the_filter_agrees_with_the_textbook_form():
    track, boxes = Kalman([0, 0, 10, 20]), [[1, 0, 11, 21], [3, 1, 13, 20], [4, 1, 15, 22]]
    x, P = np.array([track.x[0, 0], 0.0]), np.diag([track.noise**2, 1.0])
    F, H, dt = np.array([[1, 0.1], [0, 1]]), np.array([[1.0, 0]]), 0.1
    Q = track.agility**2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    for box in boxes:
        track.predict(dt)
        track.update(box)
        x, P = F @ x, F @ P @ F.T + Q
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + track.noise**2)
        x, P = x + (K @ ((box[0] + box[2]) / 2 / 20 - H @ x)).ravel(), (np.eye(2) - K @ H) @ P
    np.testing.assert_allclose(track.x[0], x, rtol=1e-9)
    np.testing.assert_allclose(track.P, P, rtol=1e-9)


def test_a_track_survives_a_gap_and_crossing_neighbours_keep_their_numbers():
    tracker, seen = Tracker(confirm=2, lost=3), []
    for k in range(20):
        boxes = [] if k in (9, 10) else [[5 * k, 0, 5 * k + 20, 30], [95 - 5 * k, 40, 115 - 5 * k, 70]]
        seen.append(
            {t.id: t.filter.box for t in tracker.step(boxes, [0] * len(boxes), [0.9] * len(boxes), 0.1)}
        )
    assert set(seen[-1]) == {1, 2} and not seen[9] and set(seen[11]) == {1, 2}
    assert tracker.step([[0, 0, 2, 2]], [1], [0.9], 0.1) == []


def test_a_track_has_the_score_of_its_last_detection():
    tracker = Tracker(confirm=1)
    assert [tracker.step([[0, 0, 10, 20]], [0], [s], 0.1)[0].score for s in (0.9, 0.6)] == [0.9, 0.6]


def test_a_track_that_is_not_confirmed_ends_with_its_first_miss():
    tracker, box = Tracker(confirm=2, lost=3), [[0, 0, 10, 20]]
    ids = [
        [t.id for t in tracker.step(boxes, [0] * len(boxes), [0.9] * len(boxes), 0.1)]
        for boxes in (box, [], box, box)
    ]
    assert ids == [[], [], [], [2]]


def test_a_box_without_height_can_be_followed():
    tracker = Tracker(confirm=1)
    for _ in range(2):
        [track] = tracker.step([[0, 5, 10, 5]], [0], [0.9], 0.1)
        assert np.isfinite(track.filter.box).all()


def test_labels_do_not_match_across_classes():
    assert assign([[0, 0, 4, 4]], [[0, 0, 4, 4]], [0], [1], 0.3) == []
    assert assign([], [[0, 0, 4, 4]], [], [1], 0.3) == [] and overlaps([], [[0, 0, 1, 1]]).shape == (0, 1)


def test_identities_count_numbers_that_change_and_boxes_that_are_invented():
    a, b = [0, 0, 10, 10], [50, 50, 60, 60]
    truth = [([a, b], [1, 2])] * 4
    swapped = [([a, b], [1, 2])] * 2 + [([a, b], [2, 1])] * 2
    judged = identities(truth, swapped)
    assert judged.idf1 == 0.5 and judged.switches == 2
    invented = [([a, b, [80, 0, 90, 9]], [1, 2, 3])] * 4
    assert identities(truth, invented).idf1 == pytest.approx(2 * 8 / (8 + 12))
    assert identities(truth, [([], [])] * 4).idf1 == 0


@pytest.mark.parametrize("what", ["truth", "tracked"])
def test_an_id_that_stands_twice_in_a_frame_is_named(what):
    box = [0, 0, 10, 10]
    frames = {"truth": [([box], [1])] * 2, "tracked": [([box], [1])] * 2}
    frames[what] = [([box], [1]), ([box, box], [3, 3])]
    with pytest.raises(CourseError, match=rf"{what} has an id twice in frame 1: \[3, 3\]"):
        identities(**frames)


def test_a_drawn_lane_comes_back_in_metres():
    camera = Camera(size=(120, 160))
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    x, y = np.moveaxis(camera.to_ground(np.stack([u, v], -1)), -1, 0)
    with np.errstate(invalid="ignore"):
        inside = (np.abs(y - (-0.3 + 0.02 * x + 0.004 * x**2)) < 1.5) & (x < 50)
    lane = fit_lane(*lane_edges(inside, camera))
    assert lane.width == pytest.approx(3, abs=0.15) and lane.offset == pytest.approx(0.3, abs=0.1)
    assert lane.curvature == pytest.approx(0.008, abs=0.002)
    assert fit_lane(*lane_edges(np.zeros((120, 160)), camera)) is None


def test_a_lane_whose_edge_is_all_outliers_is_none():
    x = np.linspace(4, 20, 20)
    left, right = np.c_[x, np.full(20, 1.5)], np.c_[[5, 6, 7], [-1.5, -0.3, -2.4]]
    assert fit_lane(left, right) is None and fit_lane(right, left) is None
    assert fit_lane(left, []) is None and fit_lane([], []) is None


def test_the_clip_is_an_animation_of_its_frames(frames, tmp_path):
    frame = frames.frames[0]
    page = annotate(
        frame.image,
        frame.camera,
        boxes=frames.boxes[0],
        ids=frames.tracks[0].tolist(),
        notes=["1 m"],
        line="report",
    )
    assert page.shape == (3 * SIZE[0] + 16, 3 * SIZE[1], 3)
    size = write_webp([page, page[:, ::-1], page], tmp_path / "clip.webp")
    with Image.open(io.BytesIO((tmp_path / "clip.webp").read_bytes())) as clip:
        assert clip.n_frames == 3 and clip.size == page.shape[1::-1] and size > 0


def test_the_map_shows_a_thing_where_it_stands(frames):
    """The half pixel between the edge of a box and the centre of a pixel is a metre at a distance of twenty."""
    camera = frames.frames[0].camera
    (u, v), _ = camera.project([20.0, 1.0, 0])
    page = annotate(
        np.zeros((*SIZE, 3), np.uint8), camera, boxes=[[u - 3.5, v - 10, u + 4.5, v + 0.5]], ids=[0]
    )
    rows, columns = np.nonzero((page[:, 200:] == COLOURS[0]).all(-1))
    height, width = SIZE[0] * 3 * 45 // 100, round(2 * WIDE / (30 / (SIZE[0] * 3 * 45 // 100)))
    left, top = SIZE[1] * 3 - width - 4 - 200, 4
    assert rows.mean() - top == pytest.approx((33 - 20) * height / 30, abs=0.7)
    assert columns.mean() - left == pytest.approx((WIDE - 1) * height / 30, abs=0.7)


def test_a_lane_of_whole_numbers_is_drawn_as_one_of_booleans(frames):
    frame, lane = frames.frames[0], frames.lanes[0].numpy()
    drawn = [annotate(frame.image, frame.camera, lane=given) for given in (lane, lane > 0)]
    assert lane.dtype == np.uint8 and np.array_equal(*drawn)


def test_a_clip_without_frames_and_boxes_without_ids_are_named(frames, tmp_path):
    with pytest.raises(CourseError, match="frames is empty"):
        write_webp([], tmp_path / "clip.webp")
    with pytest.raises(CourseError, match="2 boxes have 0 ids"):
        annotate(frames.frames[0].image, frames.frames[0].camera, boxes=[[1, 1, 5, 5]] * 2)


@pytest.mark.parametrize(("missed", "kept"), [(3, [1]), (4, [])])
def test_a_track_ends_after_more_misses_than_allowed(missed, kept):
    tracker = Tracker(confirm=1, lost=3)
    tracker.step([[0, 0, 10, 20]], [0], [0.9], 0.1)
    for _ in range(missed):
        tracker.step([], [], [], 0.1)
    assert [track.id for track in tracker.tracks] == kept


def test_a_car_that_only_turns_is_no_crash():
    """Its width grows, its height does not."""
    track = Kalman([0, 0, 10, 20])
    for k in range(1, 30):
        track.predict(0.1)
        track.update([-k, 0, 10 + k, 20])
    assert track.time_to_collision > 50


def test_labels_of_boxes_in_one_place_do_not_cover_each_other():
    def black(boxes):
        shown = annotate(
            np.full((60, 80, 3), 90, np.uint8),
            Camera(size=(60, 80)),
            boxes=[[20, 30, 30, 40]] * boxes,
            ids=range(boxes),
        )
        return (shown[:180, :150] == 0).all(-1).sum()  # left of the map: the ground of the labels

    assert black(2) > 1.8 * black(1)
