"""The dash cam's labels are held against geometry that is computed here a second time, or known beforehand."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import ndimage

from course_utils.errors import CourseError
from course_utils.synthetic.dashcam import CLASSES, IGNORE, TIMES, WEATHERS, Camera, Conditions, Label, drive
from course_utils.synthetic.dashcam import conditions as effects
from course_utils.synthetic.dashcam.raster import Faces, faces, rasterise
from course_utils.synthetic.dashcam.road import Road
from course_utils.synthetic.dashcam.shapes import Kind, Shapes
from course_utils.synthetic.dashcam.traffic import Traffic
from course_utils.synthetic.dashcam.world import GUTTER, LANE, build


@pytest.fixture(scope="module")
def clip():
    """Thirty frames of one drive, three a second."""
    return list(drive(seed=4, frames=30, fps=3))


@pytest.fixture(scope="module")
def album():
    """Four frames of each of eight drives."""
    return [frame for seed in range(8) for frame in drive(seed, 4, fps=1 / 4)]


# the camera


def test_projection_is_the_pinhole_formula():
    camera = Camera(size=(360, 480), fov=60, height=1.3, pitch=0)
    [u, v], depth = camera.project([10.0, 2.0, 0.3])
    f = 240 / np.tan(np.radians(30))
    assert depth == pytest.approx(10) and f == pytest.approx(camera.focal)
    assert [u, v] == pytest.approx([239.5 - f * 2 / 10, 179.5 + f * 1.0 / 10])


def test_the_frames_of_coordinates_are_right_handed():
    R = Camera(pitch=7).R
    assert np.allclose(R @ R.T, np.eye(3)) and np.linalg.det(R) == pytest.approx(1)
    assert np.allclose(Camera(pitch=0).R @ [1, 0, 0], [0, 0, 1])
    assert (Camera(pitch=7).R @ [1, 0, 0])[
        1
    ] < 0  # what is ahead at camera height lies above the optical axis


def test_the_ground_and_back():
    camera, random = Camera(), np.random.default_rng(0)
    ground = np.column_stack([random.uniform(3, 80, 50), random.uniform(-20, 20, 50)])
    pixels, depth = camera.project(np.column_stack([ground, np.zeros(50)]))
    assert np.allclose(camera.to_ground(pixels), ground)
    image = np.column_stack([ground, np.ones(50)]) @ camera.ground_homography.T
    assert np.allclose(image[:, :2] / image[:, 2:], pixels) and np.allclose(image[:, 2], depth)
    sky = np.array([[10.0, camera.horizon - 1], [10.0, camera.horizon + 1]])
    assert np.isnan(camera.to_ground(sky)).all(1).tolist() == [True, False]
    assert np.isnan(camera.project([-5.0, 0, 0])[0]).all()


def test_the_foot_of_a_box_is_half_a_pixel_above_its_lower_edge():
    camera, ground = Camera(size=(96, 128)), np.array([[20.0, 0.0], [20.0, -3.0], [7.0, 2.0]])
    (u, v), _ = camera.project([20.0, 0.0, 0.0])
    assert np.allclose(camera.foot([u - 2, v - 9, u + 3, v + 0.5]), [20.0, 0.0])
    u, v = camera.project(np.column_stack([ground, np.zeros(3)]))[0].T
    boxes = np.stack([u - 3.5, v - 20, u + 4.5, v + 0.5], -1)  # from the edge of one pixel to that of another
    assert np.allclose(camera.foot(boxes), ground)
    assert np.isnan(camera.foot([10, 2, 20, camera.horizon])).all()
    assert camera.foot(np.zeros((0, 4))).shape == (0, 2)


def test_the_map_from_above_has_its_scale():
    camera = Camera()
    pixels, _ = camera.project(np.array([[40.0, 8.0, 0], [3.0, 0.0, 0], [20.0, -4.0, 0]]))
    on_map = np.column_stack([pixels, np.ones(3)]) @ camera.birds_eye().T
    assert np.allclose(on_map[:, :2] / on_map[:, 2:], [[0, 0], [80, 370], [120, 200]])


@pytest.mark.parametrize("size", [(16, 240), (180, 5000)])
def test_a_wrong_size_is_named(size):
    with pytest.raises(CourseError, match=r"size=.*rows, columns"):
        Camera(size=size)


# the road


def test_locating_undoes_placing_on_any_curve():
    for seed in range(5):
        road = Road(np.random.default_rng(seed), 600)
        s, d = np.random.default_rng(9).uniform([5, -12], [590, 12], (200, 2)).T
        found = road.locate(road.place(s, d), s + 4)
        assert np.abs(found[0] - s).max() < 0.02 and np.abs(found[1] - d).max() < 0.01
        assert np.abs(road.heading).max() < 0.91 and np.abs(road.curvature).max() < 1 / 40


# the rasteriser


def test_depth_is_that_of_the_plane_and_the_nearer_face_wins():
    camera, shapes = Camera(), Shapes(Label.BUILDING)
    shapes.quad((20, -3, 0), (30, 3, 0), (30, 3, 4), (20, -3, 4), "#ffffff", Kind.FENCE)  # a slanted wall
    shapes.quad((12, 1, 0), (12, -1, 0), (12, -1, 2), (12, 1, 2), "#ffffff", Kind.FENCE)  # a board before it
    nearest, inverse = rasterise(faces(shapes.solid(), camera), camera)
    rays = camera.rays
    wall = 1 / ((rays[..., 0] - rays[..., 1] * 10 / 6) / 25)  # x - 25 = 10/6 y on the wall
    for face, plane in ((0, wall), (1, 12 / rays[..., 0])):
        inner = ndimage.binary_erosion(
            nearest == face
        )  # a pixel of the edge may have its centre just outside
        assert inner.sum() > 300 and np.allclose(1 / inverse[inner], plane[inner], rtol=1e-4)
    (u, v), _ = camera.project([12.0, 0.0, 1.0])
    assert nearest[round(float(v)), round(float(u))] == 1
    corners, _ = camera.project(np.array([[12, 1, 2], [12, -1, 0]]))
    rows, columns = np.nonzero(nearest == 1)
    assert [columns.min(), rows.min(), columns.max(), rows.max()] == pytest.approx(corners.ravel(), abs=1)


def test_a_wall_beside_the_camera_is_cut_off_where_it_passes_it():
    camera, shapes = Camera(), Shapes(Label.BUILDING)
    shapes.quad((-30, 2, 0), (60, 2, 0), (60, 2, 9), (-30, 2, 9), "#ffffff", Kind.FENCE)
    nearest, inverse = rasterise(faces(shapes.solid(), camera), camera)
    left, right = nearest[60:100, :40], nearest[:, 125:]
    assert (left == 0).all() and (right == -1).all()
    assert np.allclose(1 / inverse[nearest == 0], (2 / camera.rays[..., 1])[nearest == 0], rtol=1e-3)


def test_the_back_of_a_wall_is_not_drawn():
    shapes = Shapes(Label.BUILDING)
    shapes.quad((20, -3, 0), (20, 3, 0), (20, 3, 4), (20, -3, 4), "#ffffff")
    seen = faces(shapes.solid(), Camera())
    assert isinstance(seen, Faces) and len(seen.corners) == 0


# frames


def test_the_same_seed_gives_the_same_frames_and_another_seed_others():
    def pictures(seed):
        return [
            (f.image, f.labels, f.depth, f.tracks)
            for f in drive(seed, 3, (90, 120), weather="rain", time_of_day="night")
        ]

    first, again, other = pictures(1), pictures(1), pictures(2)
    assert all(
        np.array_equal(a, b) for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True)
    )
    assert not np.array_equal(first[0][1], other[0][1])


@pytest.mark.parametrize(("weather", "time_of_day"), list(itertools.product(WEATHERS, TIMES))[1:])
def test_labels_do_not_depend_on_the_weather(weather, time_of_day):
    def plain(frame):
        return dataclasses.replace(frame.ego), frame.things

    reference = drive(7, 2, (90, 120))
    for a, b in zip(reference, drive(7, 2, (90, 120), weather=weather, time_of_day=time_of_day), strict=True):
        assert np.array_equal(a.labels, b.labels) and np.array_equal(a.depth, b.depth)
        assert np.array_equal(a.tracks, b.tracks) and plain(a) == plain(b)
        assert (b.tags["weather"], b.tags["time_of_day"]) == (weather, time_of_day)
        assert np.abs(a.image.astype(int) - b.image).mean() > 4


def test_shapes_and_types(clip):
    frame = clip[0]
    assert (frame.image.shape, frame.image.dtype) == ((180, 240, 3), np.uint8)
    assert (frame.labels.dtype, frame.depth.dtype, frame.tracks.dtype) == (np.uint8, np.float32, np.int32)
    assert len(CLASSES) == IGNORE == 11 and max(f.labels.max() for f in clip) <= IGNORE
    assert all(np.array_equal(np.isinf(f.depth), f.labels == Label.SKY) for f in clip)


def test_a_box_is_the_extent_of_its_pixels(clip, album):
    for frame in (*clip, *album):
        listed = {thing.track for thing in frame.things}
        tracks, counts = np.unique(frame.tracks[frame.tracks > 0], return_counts=True)
        assert set(tracks[counts >= 12].tolist()) == listed
        for thing in frame.things:
            mask = frame.tracks == thing.track
            assert set(frame.labels[mask].tolist()) == {thing.label}
            assert mask.sum() == thing.pixels
            x0, y0, x1, y1 = thing.box
            inside = mask[y0:y1, x0:x1]
            assert inside.sum() == thing.pixels
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
            assert 0 <= thing.occlusion < 1
    movers = np.isin(clip[0].labels, [Label.CAR, Label.PEDESTRIAN, Label.BICYCLIST])
    assert np.array_equal(movers, clip[0].tracks > 0)


def test_a_thing_is_as_large_as_its_distance_says(album):
    checked = {Label.CAR: 0, Label.PEDESTRIAN: 0}
    for frame in album:
        for thing in frame.things:
            x0, y0, x1, y1 = thing.box
            whole = thing.occlusion == 0 and x0 > 0 and x1 < 240 and y1 < 180
            if not whole or thing.position[0] < 6 or thing.label == Label.BICYCLIST:
                continue
            length, width, height = thing.size
            turn = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * [length / 2, width / 2]
            c, s = np.cos(thing.heading), np.sin(thing.heading)
            base = turn @ np.array([[c, s], [-s, c]]) + thing.position
            corners = [[*xy, z] for xy in base for z in (0, height)]
            pixels, depth = frame.camera.project(corners)
            seen = frame.depth[frame.tracks == thing.track]
            assert depth.min() - 0.5 < np.median(seen) < depth.max() + 0.5
            f = frame.camera.focal
            if thing.label == Label.CAR:
                low, high = pixels.min(0), pixels.max(0)
                assert np.abs([x0 - low[0], x1 - 1 - high[0]]).max() <= 2 + 0.06 * (high[0] - low[0])
                assert y1 - 1 == pytest.approx(high[1], abs=2 + 0.06 * (high[1] - low[1]))
            else:
                assert (y1 - y0) / f * np.median(seen) == pytest.approx(1.72, abs=0.25 + 2 * depth.mean() / f)
            checked[thing.label] += 1
    assert min(checked.values()) >= 10


def test_occlusion_is_the_hidden_share(album):
    hidden = [thing for frame in album for thing in frame.things if thing.occlusion > 0.3]
    free = [thing for frame in album for thing in frame.things if thing.occlusion == 0]
    assert len(hidden) > 20 and len(free) > 20


def test_depth_of_the_road_is_that_of_the_ground(clip):
    for frame in clip[::6]:
        v, u = np.nonzero(frame.labels == Label.ROAD)
        ground = frame.camera.to_ground(np.stack([u, v], -1).astype(float))
        _, depth = frame.camera.project(np.column_stack([ground, np.zeros(len(ground))]))
        assert np.allclose(frame.depth[v, u], depth, rtol=1e-3)


def test_points_of_the_left_line_lie_on_its_paint():
    brighter = []
    for frame in itertools.islice(drive(5, 10, (360, 480), fps=1, weather="overcast", noise=0), 10):
        [line] = [line for line in frame.lines if line.bounds == "left"]
        grey = frame.image.mean(-1)
        for (x, y), (u, v) in zip(line.ground, line.image, strict=True):
            i, j = round(float(v)), round(float(u))
            side = frame.camera.focal * 0.35 / x  # 0.35 m to both sides there is asphalt
            if 4 < x < 14 and j + side < 479 and j > side and frame.labels[i, j] == Label.ROAD:
                around = [grey[i, round(u + k * side)] for k in (-1, 1)]
                brighter.append(grey[i, j] - max(around))
            assert np.allclose(frame.camera.to_ground(np.array([u, v])), [x, y])
    assert len(brighter) > 50
    assert np.mean(np.array(brighter) > 15) > 0.9


def test_the_own_lane_lies_between_its_lines(album):
    for frame in album:
        at = {line.bounds: line.ground[0] for line in frame.lines if line.bounds and len(line.ground)}
        if len(at) == 2 and abs(frame.ego.curvature) < 1e-4:
            near = {k: y - x * np.tan(-_heading_error(frame)) for k, (x, y) in at.items()}
            assert near["left"] - near["right"] == pytest.approx(3.0, abs=0.05)
            middle = (near["left"] + near["right"]) / 2
            assert -middle == pytest.approx(frame.ego.offset, abs=0.08)


def _heading_error(frame):
    """The angle of the lane's lines against the car, from two points of the nearest metres."""
    ground = next(line.ground for line in frame.lines if line.bounds == "left")
    (x0, y0), (x1, y1) = ground[0], ground[4]
    return -np.arctan2(y1 - y0, x1 - x0)


# over time


def test_tracks_stay_with_what_they_name_and_move_smoothly():
    frames = list(drive(2, 60, (120, 160)))
    last, lengths = {}, {}
    for frame in frames:
        for thing in frame.things:
            before = last.get(thing.track)
            if before is not None and frame.ego.time - before[0] < 0.15:
                old = before[1]
                assert (old.label, old.size) == (thing.label, thing.size)
                moved = np.subtract(thing.position, old.position)
                turn = frame.ego.turn_rate * 0.1  # what stands still seems to turn the other way
                x, y = old.position
                expected = np.array(old.velocity) * 0.1 + [turn * y, -turn * x]
                assert np.abs(moved - expected).max() < 0.25
            last[thing.track] = (frame.ego.time, thing)
            lengths[thing.track] = lengths.get(thing.track, 0) + 1
    assert max(lengths.values()) >= 50


def test_the_camera_moves_as_its_speed_and_turn_rate_say():
    frames = list(drive(1, 40, (48, 64)))
    for a, b in itertools.pairwise(frames):
        step = np.hypot(b.ego.x - a.ego.x, b.ego.y - a.ego.y)
        assert step == pytest.approx(0.1 * (a.ego.speed + b.ego.speed) / 2, abs=0.01)
        assert b.ego.heading - a.ego.heading == pytest.approx(0.1 * b.ego.turn_rate, abs=1e-6)
        assert abs(b.ego.speed - a.ego.speed) < 0.75  # no harder than 7 m/s²


def test_nobody_is_run_over():
    for seed in range(6):
        traffic = Traffic(build(seed, 700), np.random.default_rng(seed))
        for _ in range(500):
            traffic.step(0.1)
            ego = traffic.ego
            for actor in traffic.near(10, 10):
                along, across = abs(actor.s - ego.s), abs(actor.d - ego.d)
                length, width, _ = actor.size
                if actor.label == Label.PEDESTRIAN and abs(actor.course) == np.pi / 2:
                    length, width = width, length
                assert along > (length + ego.size[0]) / 2 or across > (width + ego.size[1]) / 2
        assert 150 < ego.s < 700


def test_parked_cars_stand_in_bays_and_a_crossing_has_none():
    for seed in range(4):
        world = build(seed, 300)
        at = lambda s, d, world=world: world.kerb[int(2 * s), int(d < 0)]  # noqa: E731
        assert world.parked and all(at(s, d) > abs(d) + 0.85 for s, d, _ in world.parked)
        near = [at(s, d) for s in world.crossings for d in (1, -1)]
        assert (
            np.allclose(near, world.lanes * LANE + GUTTER, atol=1e-3)
            and world.kerb.max() <= world.half + 1e-4
        )


def test_every_class_appears_and_none_fills_the_picture(album):
    share = np.mean([np.bincount(f.labels.ravel(), minlength=12) / f.labels.size for f in album], 0)
    assert (share > 0.001).all()
    assert share[Label.ROAD] == share.max() < 0.5
    assert share[[Label.SKY, Label.BUILDING]].min() > 0.08
    assert share[Label.PAVEMENT] > 0.04
    assert {f.tags["curve"] for f in album} == {"left", "straight", "right"}
    assert {f.tags["crossing"] for f in album} == {True, False}


# weather


def test_fog_makes_far_things_pale_and_leaves_near_ones():
    def grey(**conditions):
        return next(drive(0, 1, noise=0, **conditions)).image.astype(float).mean(-1)

    frame = next(drive(0, 1))
    clear, thick = grey(weather="overcast", visibility=20_000), grey(weather="fog", visibility=100)
    distance = frame.depth * frame.camera.stretch
    solid = np.isin(frame.labels, [Label.BUILDING, Label.TREE, Label.ROAD])
    far, near = solid & (distance > 60) & (distance < 200), solid & (distance < 4.5)
    assert thick[far].std() < 0.3 * clear[far].std() and thick[far].mean() > clear[far].mean() + 20
    assert np.abs(thick[near] - clear[near]).mean() < 0.6 * np.abs(thick[far] - clear[far]).mean()


def test_fog_is_koschmieders_law():
    distance = np.array([[0.0, 50.0, 100.0, np.inf]])
    picture = np.full((1, 4, 3), 0.2, np.float32)
    out = effects.fog(picture, distance, 100.0, np.float32([1, 1, 1]))[0, :, 0]
    assert out[:3] == pytest.approx(1 - 0.8 * np.exp(-3.912 * distance[0, :3] / 100), rel=1e-5)
    assert out[2] == pytest.approx(1 - 0.8 * 0.02, abs=1e-3) and out[3] == np.float32(0.2)


def test_night_is_dark_but_for_lamps_and_headlights():
    day, night = (next(drive(3, 1, time_of_day=time)) for time in ("day", "night"))
    sky = day.labels == Label.SKY
    assert night.image[sky].mean() < 0.5 * day.image[sky].mean()
    assert night.image[120:150, 80:160].mean() > 1.5 * night.image[sky].mean()


def test_exposure_noise_and_shutter_do_what_they_say():
    def picture(**conditions):
        return next(drive(6, 1, **conditions)).image.astype(float)

    clean = picture(noise=0)
    assert picture(exposure=0.5, noise=0).mean() < clean.mean() < picture(exposure=2, noise=0).mean()
    assert np.std(picture(noise=8) - clean) > 2 * np.std(picture(noise=1) - clean) > 0.5
    edges = [np.abs(np.diff(picture(noise=0, shutter=t)[100:], axis=1)).mean() for t in (0, 1 / 8)]
    assert edges[1] < 0.8 * edges[0]


@pytest.mark.parametrize("rows", [1300, 200])
def test_a_picture_of_any_size_has_its_noise(rows):
    grey = np.full((rows, 1100, 3), 0.2, np.float32)  # 1300 rows need more draws than the table holds
    first, again = (effects.sensor(grey, Conditions(), np.random.default_rng(4)) for _ in range(2))
    assert first.shape == grey.shape and np.array_equal(first, again) and 0.5 < first.std() < 5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"weather": "snow"}, "unknown weather 'snow'. Valid: sun, overcast, fog, rain"),
        ({"time_of_day": "noon"}, "unknown time of day 'noon'. Valid: day, dusk, night"),
        ({"visibility": 0}, "visibility=0 is not valid"),
        ({"shutter": -1}, "shutter=-1 is not valid"),
    ],
)
def test_wrong_conditions_are_named(wrong, words):
    with pytest.raises(CourseError) as caught:
        Conditions(**wrong)
    assert words in str(caught.value)
    with pytest.raises(CourseError):
        next(drive(0, 1, **wrong))


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"fps": 0}])
def test_wrong_drives_are_named(wrong):
    with pytest.raises(CourseError, match="is not valid"):
        next(drive(0, **wrong))
