"""Faces: division by people, alignment, losses, error rates, identification, enrolment, and the drawn faces."""

import math
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.transform import estimate_transform
from test_data_load import _no_network, real  # noqa: F401 - the fixture keeps the network away here too

from course_utils import faces as f
from course_utils.cli import main
from course_utils.data import fetch, load, verify
from course_utils.errors import CourseError, DataError
from course_utils.faces import gallery
from course_utils.synthetic.faces import CONDITIONS, people
from course_utils.synthetic.faces import faces as drawn_faces


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_nobody_is_on_both_sides_and_everybody_is_tested_once(folds):
    person = np.random.default_rng(1).integers(0, 23, 200)
    tested = []
    for train, test in f.identity_folds(person, folds, seed=folds):
        assert not set(person[train]) & set(person[test])
        assert sorted([*train, *test]) == list(range(200))
        tested += list(np.unique(person[test]))
    assert sorted(tested) == sorted(np.unique(person))


@pytest.mark.parametrize("folds", [1, 4])
def test_a_wrong_number_of_folds_is_named(folds):
    with pytest.raises(CourseError, match=f"folds={folds} for 3 people is not valid"):
        f.identity_folds([0, 0, 1, 2], folds)


def test_batches_hold_several_pictures_of_each_person():
    person = np.repeat(np.arange(7), 5)
    batches = f.by_person(person, people=3, pictures=4)
    for _ in range(10):
        rows = next(batches)
        assert len(set(rows)) == 12 and sorted(np.unique(person[rows], return_counts=True)[1]) == [4, 4, 4]
    with pytest.raises(CourseError, match=r"8 people was asked for\. Valid: 1 to 7"):
        f.by_person(person, people=8, pictures=4)


def test_similarity_equals_scikit_image():
    random = np.random.default_rng(0)
    source, target = random.normal(size=(20, 5, 2)), random.normal(size=(20, 5, 2))
    for a, b, ours in zip(source, target, f.similarity(source, target), strict=True):
        assert np.allclose(ours, estimate_transform("similarity", a, b).params[:2])


@pytest.mark.parametrize(
    ("points", "word"),
    [([[0, 0]], "K at least 2"), ([[0, 0], [0, 0]], "on one point"), ([[0, np.nan], [1, 1]], "not finite")],
)
def test_bad_landmarks_are_named(points, word):
    with pytest.raises(CourseError, match=word):
        f.similarity(points, points)


def test_aligned_faces_have_their_landmarks_on_the_template():
    drawn = drawn_faces(range(6), 4, yaw=0, pitch=0, roll=0.3, blur=0, noise=0, occlusion=0, spectacles_on=0)
    goal = f.TEMPLATE * (92, 112)
    moved = f.similarity(drawn.landmarks, np.broadcast_to(goal, drawn.landmarks.shape))
    places = np.einsum("nij,nkj->nki", moved[:, :, :2], drawn.landmarks) + moved[:, None, :, 2]
    before = np.abs(drawn.landmarks - goal).mean()
    assert np.abs(places - goal).mean() < 0.5 * before
    eyes = f.aligned(torch.from_numpy(drawn.images)[:, None], drawn.landmarks, (112, 92))[:, 0]
    assert eyes.dtype == torch.uint8 and eyes.shape == (24, 112, 92)
    pupils = [image[round(y), round(x)] for image, ((x, y), *_) in zip(eyes, places, strict=True)]
    assert np.median([float(p) / image.float().mean() for p, image in zip(pupils, eyes, strict=True)]) < 0.6


def test_a_face_that_shrinks_is_averaged_and_any_other_is_as_before():
    places = f.TEMPLATE * (92, 112)
    board = torch.from_numpy((np.indices((1120, 920)).sum(0) // 2 % 2 * 255).astype(np.uint8))[None, None]
    small = f.aligned(board, 10 * places[None] + 4.5, (112, 92)).float()
    assert small.std() < 3 and small.mean() == pytest.approx(127.5, abs=1)
    same = torch.randint(0, 256, (1, 1, 1120, 920), dtype=torch.uint8)
    both = f.aligned(torch.cat([board, same]), np.stack([10 * places + 4.5, places]), (112, 92))
    assert torch.equal(both[:1].float(), small) and torch.equal(both[1:], same[:, :, :112, :92])


@pytest.mark.parametrize("landmarks", [np.zeros((2, 5, 2)), np.ones((3, 5, 2)), f.TEMPLATE, np.eye(2)[None]])
def test_landmarks_that_do_not_fit_are_named(landmarks):
    with pytest.raises(CourseError, match="landmarks"):
        f.aligned(torch.zeros(2, 1, 112, 92, dtype=torch.uint8), landmarks, (112, 92))


def test_arcface_without_margin_is_softmax_of_cosines_and_a_margin_makes_it_harder():
    torch.manual_seed(0)
    x, y = torch.randn(8, 5), torch.arange(8) % 3
    losses = []
    for margin in (0.0, 0.2, 0.6):
        loss = f.ArcFace(5, 3, scale=10.0, margin=margin)
        loss.directions.data = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
        losses.append(loss(x, y).item())
    cosines = torch.nn.functional.cosine_similarity(x[:, None], loss.directions[None], dim=2)
    assert losses[0] == pytest.approx(torch.nn.functional.cross_entropy(10 * cosines, y).item(), rel=1e-5)
    assert losses[0] < losses[1] < losses[2]


def test_arcface_by_hand_and_its_slope_everywhere():
    loss = f.ArcFace(2, 2, scale=4.0, margin=0.5)
    loss.directions.data = torch.eye(2)
    angle = 0.7
    x = torch.tensor([[math.cos(angle), math.sin(angle)]])
    logits = [4 * math.cos(angle + 0.5), 4 * math.sin(angle)]
    assert loss(x, torch.tensor([0])).item() == pytest.approx(
        math.log(sum(map(math.exp, logits))) - logits[0], rel=1e-5
    )
    values, loss = [], f.ArcFace(3, 2, scale=4.0, margin=0.5)
    loss.directions.data = torch.eye(3)[[0, 2]]
    for angle in np.linspace(0, math.pi, 200):
        x = torch.tensor([[math.cos(angle), math.sin(angle), 0.0]], requires_grad=True)
        value = loss(x, torch.tensor([0]))
        value.backward()
        assert x.grad.isfinite().all()
        values.append(value.item())
    assert np.diff(values).min() > 0 and np.diff(values).max() < 0.1  # the farther, the worse, without a jump
    x = torch.randn(6, 4, dtype=torch.double, requires_grad=True)
    double = f.ArcFace(4, 3).double()
    assert torch.autograd.gradcheck(lambda v: double(v, torch.tensor([0, 1, 2, 0, 1, 2])), x)
    with pytest.raises(CourseError, match="margin=2"):
        f.ArcFace(2, 2, margin=2)


def test_triplet_loss_limits_and_gradient():
    y = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    assert f.batch_hard_triplet(apart, y, margin=0.5).item() == 0
    one_point = torch.ones(4, 3, requires_grad=True)
    loss = f.batch_hard_triplet(one_point, y, margin=0.3)
    loss.backward()
    assert loss.item() == pytest.approx(0.3) and one_point.grad.isfinite().all()
    x = torch.randn(6, 4, dtype=torch.double, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v: f.batch_hard_triplet(v, torch.tensor([0, 0, 1, 1, 2, 2]), margin=2.5), x
    )
    with pytest.raises(CourseError, match="no triplet in the batch"):
        f.batch_hard_triplet(apart, torch.zeros(4))


def test_all_pairs_are_each_pair_once_and_nothing_with_itself():
    x = np.random.default_rng(0).normal(size=(9, 4))
    scores, genuine, who = f.all_pairs(x, np.repeat([3, 4, 5], 3))
    assert len(scores) == 36 and genuine.sum() == 9 and scores.max() < 1 - 1e-6
    assert ((who[:, 0] == who[:, 1]) == genuine).all()
    assert np.allclose(f.all_pairs(7 * x, np.repeat([3, 4, 5], 3))[0], scores)


def test_equal_error_rate_of_known_cases():
    good, bad = np.ones(50, bool), np.zeros(50, bool)
    scores, genuine = np.concatenate([np.linspace(0.6, 1, 50), np.linspace(0, 0.4, 50)]), np.r_[good, bad]
    assert f.equal_error_rate(scores, genuine) == 0
    assert f.equal_error_rate(scores, ~genuine) == 1
    assert f.equal_error_rate(np.zeros(100), genuine) == 0.5  # one score for all
    random = np.random.default_rng(0)
    normal = np.r_[random.normal(2, 1, 40_000), random.normal(0, 1, 40_000)]
    expected = 0.5 * math.erfc(1 / math.sqrt(2))  # both sides cross half way, one deviation from each mean
    assert f.equal_error_rate(normal, np.arange(80_000) < 40_000) == pytest.approx(expected, abs=0.003)


def test_rates_agree_with_scikit_learn_and_thresholds_keep_their_promise():
    from sklearn.metrics import roc_curve

    random = np.random.default_rng(3)
    scores, genuine = np.round(random.normal(size=400), 1), random.random(400) < 0.3
    scores = scores + genuine
    fpr, tpr, thresholds = roc_curve(genuine, scores, drop_intermediate=False)
    far, frr, ours = f.roc(scores, genuine)
    assert np.allclose(far, fpr) and np.allclose(1 - frr, tpr) and np.allclose(ours[1:], thresholds[1:])
    for wanted in (0.01, 0.1, 0.5):
        threshold = f.threshold_at(scores, genuine, wanted)
        assert f.error_rates(scores, genuine, threshold)[0] <= wanted
        lower = scores[scores < threshold].max()
        assert f.error_rates(scores, genuine, lower)[0] > wanted
    with pytest.raises(CourseError, match=r"far=0\.0001 with .* impostor pairs"):
        f.threshold_at(scores, genuine, 0.0001)


def test_weights_are_copies_and_intervals_are_over_people():
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(12), 6)
    x = random.normal(size=(12, 5))[person] + 0.9 * random.normal(size=(72, 5))
    scores, genuine, who = f.all_pairs(x, person)
    times = random.integers(0, 3, len(scores))
    weighted = f.equal_error_rate(scores, genuine, times)
    assert weighted == pytest.approx(f.equal_error_rate(np.repeat(scores, times), np.repeat(genuine, times)))
    low, high = f.error_interval(scores, genuine, who, draws=200)
    assert low < f.equal_error_rate(scores, genuine) < high
    pairs = [
        f.equal_error_rate(scores, genuine, np.bincount(random.integers(len(scores), size=len(scores)), minlength=len(scores)))
        for _ in range(100)
    ]  # fmt: skip
    assert high - low > 1.5 * np.ptp(np.quantile(pairs, [0.025, 0.975]))
    assert f.error_interval(scores, genuine, who, draws=20) == f.error_interval(
        scores, genuine, who, draws=20
    )


def test_intervals_of_both_rates_are_those_of_people_drawn_by_hand():
    random = np.random.default_rng(1)
    person = np.repeat(np.arange(9), 4)
    x = random.normal(size=(9, 5))[person] + 0.9 * random.normal(size=(36, 5))
    scores, genuine, who = f.all_pairs(x, person)
    spans = f.rate_intervals(scores, genuine, who, 0.3, draws=60, seed=5)
    drawn, rates = np.random.default_rng(5), []
    for _ in range(60):
        some = drawn.integers(9, size=9)
        own = [scores[genuine & (who[:, 0] == p)] for p in some]
        other = [
            scores[~genuine & (np.sort(who, 1) == sorted((p, q))).all(1)]
            for i, p in enumerate(some)
            for q in some[i + 1 :]
            if p != q
        ]
        rates.append([(np.concatenate(other) >= 0.3).mean(), (np.concatenate(own) < 0.3).mean()])
    assert np.allclose(spans, np.quantile(rates, [0.025, 0.975], axis=0).T)
    for (low, high), rate in zip(spans, f.error_rates(scores, genuine, 0.3), strict=True):
        assert low < rate < high


def test_no_error_seen_is_no_error_of_zero():
    person = np.repeat(np.arange(6), 3)
    perfect = f.all_pairs(np.eye(6)[person] + 0.01 * np.random.default_rng(0).normal(size=(18, 6)), person)
    far, frr = f.rate_intervals(*perfect, 0.5, draws=20)
    assert far == pytest.approx((0, 1 - 0.025 ** (1 / 3))) and frr == pytest.approx((0, 1 - 0.025 ** (1 / 6)))
    far, frr = f.rate_intervals(*perfect, 2.0, draws=20)
    assert far[0] == 0 and frr == pytest.approx((0.025 ** (1 / 6), 1))


@pytest.mark.parametrize("impostors", [49, 98, 103])
def test_a_threshold_for_one_impostor_pair_can_be_asked_for(impostors):
    scores, genuine = np.append(np.linspace(0, 0.5, impostors), 0.9), np.arange(impostors + 1) == impostors
    assert f.threshold_at(scores, genuine, 1 / impostors) == 0.5


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: f.roc([0.1, 0.2], [True, False], [0, 1]), "weights"),
        (lambda: f.roc([0.1, 0.2], [True, False], [1]), "weights"),
        (lambda: f.rank_one(np.eye(2), [[1], [2]], np.eye(2), [1, 2]), r"persons \(2, 1\)"),
        (lambda: f.identification_rates(np.eye(2), [1, 2], np.zeros((0, 2)), [], 0.5), "from 1"),
        (lambda: f.embed(None, torch.zeros(1, 1, 112, 92)), r"torch\.float32"),
        (lambda: f.roc([0.1, 0.2], [True, True]), "2 of 2 pairs genuine"),
        (lambda: f.roc([0.1, np.nan], [True, False]), "Valid"),
        (lambda: f.all_pairs(np.zeros((3, 2)), [0, 0, 1]), "zero or not finite"),
        (lambda: f.all_pairs(np.ones((3, 2)), [0, 1]), "3 embeddings"),
        (lambda: f.templates(np.ones((4, 2)), [0, 0, 1, 1], 2), "Valid: 1 to 1"),
        (lambda: f.error_interval([0.1, 0.2], [True, False], [[0, 0], [0, 1]]), "over 2 people"),
        (lambda: f.rate_intervals([0.1, 0.2], [True, False], [[0, 0], [0, 1]], 0.1), "over 2 people"),
        (
            lambda: f.rate_intervals([0.1, 0.2], [True, False], [[0, 0], [1, 2]], 0.1, confidence=95),
            "confidence is 95",
        ),
        (lambda: f.error_interval([0.1, 0.2], [True, False], [[0, 0], [1, 2]], draws=0), "n_resamples is 0"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(CourseError, match=word):
        call()


def test_identification_of_the_known_and_of_strangers():
    eye = np.eye(4)
    gallery_, names = eye[:3], [10, 11, 12]
    probes = np.stack([eye[0], eye[1], eye[1] + 0.5 * eye[2], eye[3], eye[3] + 0.2 * eye[0]])
    assert f.rank_one(probes[:3], [10, 11, 12], gallery_, names) == pytest.approx(2 / 3)
    rates = f.identification_rates(probes, [10, 11, 12, 99, 99], gallery_, names, threshold=0.15)
    assert rates == pytest.approx((2 / 3, 1 / 3, 1 / 2))
    assert np.isnan(f.identification_rates(probes[:1], [10], gallery_, names, 0.5)[2])


def test_the_embedder_keeps_its_normalisations_and_its_halves_agree():
    net = f.Embedder(dim=8, frozen=4, pretrained=False).train()
    x = torch.rand(3, 1, 112, 92)
    before = {k: v.clone() for k, v in net.state_dict().items() if "running" in k}
    net(x)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items() if "running" in k)
    net.eval()
    assert torch.allclose(net(x), net.from_maps(net.maps(x)))
    assert not any(p.requires_grad for p in net.trunk.parameters())
    pixels = (x * 255).to(torch.uint8)
    resting = next(
        module for module in net.train().modules() if isinstance(module, torch.nn.BatchNorm2d)
    ).eval()
    vectors = f.embed(net, pixels)
    assert net.training and not resting.training  # each module's mode came back
    assert np.allclose(vectors, f.embed(net, pixels.flip(-1)), atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)


def test_drawn_people_keep_their_traits_and_conditions_can_be_set():
    assert np.array_equal(people([5])["nose_width"], people(range(9))["nose_width"][5:6])
    a, b = drawn_faces([2, 5], 3, height=64), drawn_faces([5], 3, height=64)
    assert np.array_equal(a.images[3:], b.images) and np.array_equal(a.landmarks[3:], b.landmarks)
    lit = drawn_faces(
        [1], 2, light_side=np.array([-1.0, 1.0]), light_hard=0.9, yaw=0, blur=0, noise=0, occlusion=0
    )
    halves = lit.images[:, 30:80, 15:46].mean((1, 2)) - lit.images[:, 30:80, 46:77].mean((1, 2))
    assert halves[0] > 5 and halves[1] < -5
    for name, (_, _, low, high) in CONDITIONS.items():
        assert low - 1e-6 <= a.conditions[name].min() and a.conditions[name].max() <= high + 1e-6
    with pytest.raises(CourseError, match="unknown condition 'yawn'"):
        drawn_faces([1], 1, yawn=1)
    with pytest.raises(CourseError, match="height=20"):
        drawn_faces([1], 1, height=20)


def test_drawn_identity_is_not_in_the_raw_pixels():
    drawn = drawn_faces(range(40), 6, height=56)
    pixels = drawn.images.reshape(len(drawn.images), -1).astype(float)
    assert f.equal_error_rate(*f.all_pairs(pixels - pixels.mean(0), drawn.person)[:2]) > 0.25


def test_the_stand_in_has_the_shape_of_the_real_faces():
    data = load("att_faces", source="embedded", size=56)
    assert data.images.shape == (2400, 1, 56, 46) and data.images.dtype == torch.uint8
    assert len(data.classes) == 240 and data.targets.bincount().unique().tolist() == [10]
    assert set(data.extra["tone"]) == {"light", "medium", "dark"} and data.extra["landmarks"].shape == (
        2400,
        5,
        2,
    )
    with pytest.raises(DataError, match=r"size=200 of att_faces is not valid\. Valid: 32 to 112 rows"):
        load("att_faces", source="embedded", size=200)


def test_the_real_faces_keep_the_contract(monkeypatch):
    real("att_faces", monkeypatch)
    data = load("att_faces", source="real")
    assert data.images.shape == (380, 1, 112, 92) and data.images.dtype == torch.uint8
    assert data.targets.tolist() == np.repeat(np.arange(38), 10).tolist() and data.source == "mirror"
    assert data.classes[0] == "s3" and data.extra == {}
    assert fetch("att_faces") == "cache" and all(ok for _, ok, _ in verify("att_faces"))
    pixels = data.images.flatten(1).double()
    middle = pixels - pixels.mean(0)
    nearest = (torch.corrcoef(middle) - 2 * torch.eye(380)).argmax(1)
    assert (data.targets[nearest] == data.targets).sum() == 370  # the card says so


@pytest.fixture
def people_folder(tmp_path):
    for name, number in (("anna", 0), ("ben", 3), ("cleo", 7)):
        (tmp_path / "people" / name).mkdir(parents=True)
        for i, image in enumerate(drawn_faces([number], 3, occlusion=0).images):
            Image.fromarray(image).save(tmp_path / "people" / name / f"{i}.png")
    torch.manual_seed(0)
    recogniser = gallery.Recogniser(f.Embedder(dim=16), np.zeros(16), threshold=0.5, far=0.01)
    gallery.save_recogniser(recogniser, tmp_path / "net.safetensors")
    return tmp_path


def call(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["course", "faces", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0


def test_enrol_and_verify_on_the_command_line(people_folder, monkeypatch, capsys):
    files = ("--net", people_folder / "net.safetensors")
    book = people_folder / "gallery.safetensors"
    assert call(monkeypatch, "enrol", people_folder / "people", "--out", book, *files) == 0
    assert "enrolled 3 people" in capsys.readouterr().out
    picture = people_folder / "people" / "anna" / "1.png"
    assert call(monkeypatch, "verify", picture, "anna", "--gallery", book, *files) == 0
    assert "yes: anna (score 0.9" in capsys.readouterr().out
    assert call(monkeypatch, "verify", picture, "--gallery", book, *files) == 0
    assert capsys.readouterr().out.startswith("anna (score")
    assert call(monkeypatch, "verify", picture, "dora", "--gallery", book, *files) == 2
    assert "unknown person 'dora'. Valid: anna, ben, cleo" in capsys.readouterr().err
    assert call(monkeypatch, "verify", people_folder / "no.png", "anna", "--gallery", book, *files) == 2
    assert "it is not there" in capsys.readouterr().err


def test_a_gallery_grows_forgets_and_is_never_overwritten(people_folder, monkeypatch, capsys):
    net, book = people_folder / "net.safetensors", people_folder / "gallery.safetensors"
    people_ = people_folder / "people"
    (people_ / "cleo" / "notes.txt").write_text("x")
    for name in ("anna", "ben"):
        (people_ / name).rename(people_folder / name)
    enrol = ("enrol", people_, "--out", book, "--net", net)
    assert call(monkeypatch, *enrol) == 0
    printed = capsys.readouterr().out
    assert "enrolled 1 person" in printed and "skipped: the picture" in printed
    assert call(monkeypatch, *enrol) == 2 and "--add" in capsys.readouterr().err
    assert call(monkeypatch, *enrol, "--add") == 2 and "enrolled already: cleo" in capsys.readouterr().err
    assert call(monkeypatch, "enrol", people_, "--out", net, "--net", net, "--add") == 2
    (people_ / "cleo").rename(people_folder / "cleo")
    (people_folder / "anna").rename(people_ / "anna")
    assert call(monkeypatch, *enrol, "--add") == 0
    assert gallery.load_gallery(book, None).names == ("cleo", "anna")
    (people_ / "anna").rename(people_folder / "anna")
    assert call(monkeypatch, *enrol, "--add") == 2 and "nobody's picture" in capsys.readouterr().err
    forget = ("forget", "--gallery", book)
    assert call(monkeypatch, *forget, "dora") == 2 and "Valid: cleo, anna" in capsys.readouterr().err
    assert call(monkeypatch, *forget, "cleo") == 0 and gallery.load_gallery(book, None).names == ("anna",)
    assert call(monkeypatch, *forget, "anna") == 0 and not book.exists()


def test_a_gallery_survives_a_write_that_fails(tmp_path, monkeypatch):
    book = gallery.Gallery(np.eye(2), ("anna", "ben"), "n")
    gallery.save_gallery(book, tmp_path / "book")

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(gallery, "save_file", full)
    with pytest.raises(OSError, match="no space"):
        gallery.save_gallery(gallery.without(book, "ben"), tmp_path / "book")
    assert gallery.load_gallery(tmp_path / "book", None).names == book.names


def test_files_that_do_not_fit_are_named(people_folder, monkeypatch, capsys):
    other = gallery.Recogniser(f.Embedder(dim=16), np.zeros(16), threshold=0.5, far=0.01)
    gallery.save_recogniser(other, people_folder / "other.safetensors")
    first = gallery.load_recogniser(people_folder / "net.safetensors")
    second = gallery.load_recogniser(people_folder / "other.safetensors")
    enrolled, skipped = gallery.enrol(people_folder / "people", first)
    assert skipped == [] and enrolled.names == ("anna", "ben", "cleo")
    gallery.save_gallery(enrolled, people_folder / "book.safetensors")
    assert np.allclose(
        gallery.load_gallery(people_folder / "book.safetensors", first).templates, enrolled.templates
    )
    with pytest.raises(DataError, match="was made by another network"):
        gallery.load_gallery(people_folder / "book.safetensors", second)
    with pytest.raises(DataError, match=r"the network .*nothing.* it is not there\. Run lesson 16 once"):
        gallery.load_recogniser(people_folder / "nothing.safetensors")
    with pytest.raises(CourseError, match=r"save_recogniser\(\)"):
        gallery.enrol(people_folder / "people", other)
    strange = people_folder / "strange.safetensors"
    save_file({"x": torch.zeros(1)}, strange, metadata={"names": '["anna"]', "net": '""'})
    with pytest.raises(DataError, match="it is no gallery of lesson 16"):
        gallery.load_gallery(strange, None)
    about = {"dim": "16", "frozen": "6", "height": "112", "threshold": "0.5", "far": "0.1"}
    for name, tensors in {
        "older": {"mean_embedding": torch.zeros(16)},
        "bare": {"x": torch.zeros(1)},
    }.items():
        save_file(tensors, people_folder / f"{name}.safetensors", metadata=about)
        with pytest.raises(DataError, match=r"of this version|it is no network"):
            gallery.load_recogniser(people_folder / f"{name}.safetensors")
    save_file({"x": torch.zeros(1)}, strange)
    (people_folder / "text.safetensors").write_text("no tensors")
    for name in ("strange", "text"):
        with pytest.raises(DataError, match="it is no network of lesson 16"):
            gallery.load_recogniser(people_folder / f"{name}.safetensors")
    assert call(monkeypatch, "enrol", people_folder / "people", "--out", people_folder) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_template_is_the_mean_of_all_its_pictures():
    people = [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]
    gallery, _, probes = f.templates(people, [5] * 6, pictures=5)
    assert gallery.round(3).tolist() in ([[0.832, 0.555]], [[0.555, 0.832]]) and len(probes) == 1


def test_the_newest_network_of_the_lesson_is_taken(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert gallery.default_net().parts[0] == "runs"
    for age, place in enumerate(("runs", "notebooks/runs", "runs/runs")):
        net = tmp_path / place / "16_facial_recognition" / "embedder.safetensors"
        net.parent.mkdir(parents=True)
        net.touch()
        os.utime(net, (age, age))
        assert gallery.default_net().resolve() == net


def test_verify_can_say_no(tmp_path, monkeypatch, capsys):
    for name, n in (("anna", 0), ("ben", 3)):
        (tmp_path / "people" / name).mkdir(parents=True)
        Image.fromarray(drawn_faces([n], 1, occlusion=0).images[0]).save(tmp_path / "people" / name / "0.png")
    torch.manual_seed(0)
    strict = gallery.Recogniser(f.Embedder(dim=16), np.zeros(16), threshold=0.999, far=0.01)
    gallery.save_recogniser(strict, tmp_path / "net")
    files = ("--net", tmp_path / "net")
    assert call(monkeypatch, "enrol", tmp_path / "people", "--out", tmp_path / "book", *files) == 0
    ben = tmp_path / "people" / "ben" / "0.png"
    capsys.readouterr()
    assert call(monkeypatch, "verify", ben, "ben", "--gallery", tmp_path / "book", *files) == 0
    assert call(monkeypatch, "verify", ben, "anna", "--gallery", tmp_path / "book", *files) == 1
    assert "no: anna" in capsys.readouterr().out


def test_a_recogniser_comes_back_with_its_mean_and_threshold(tmp_path):
    torch.manual_seed(0)
    net, mean = f.Embedder(dim=16).eval(), np.linspace(-1, 1, 16)
    gallery.save_recogniser(gallery.Recogniser(net, mean, threshold=0.4, far=0.01), tmp_path / "net")
    again = gallery.load_recogniser(tmp_path / "net")
    assert (again.threshold, again.far) == (0.4, 0.01)
    x = torch.randint(0, 256, (3, 1, 112, 92), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert np.allclose(again.vectors(x), f.verify.unit(f.embed(net, x) - mean), atol=1e-5)


def test_a_template_of_several_pictures_has_length_one(tmp_path):
    (tmp_path / "people" / "anna").mkdir(parents=True)
    for i, person in enumerate((0, 5)):
        Image.fromarray(drawn_faces([person], 1).images[0]).save(tmp_path / "people" / "anna" / f"{i}.png")
    torch.manual_seed(0)
    gallery.save_recogniser(gallery.Recogniser(f.Embedder(dim=16), np.zeros(16), 0.5, 0.01), tmp_path / "net")
    book, _ = gallery.enrol(tmp_path / "people", gallery.load_recogniser(tmp_path / "net"))
    assert np.linalg.norm(book.templates, axis=1) == pytest.approx(1, abs=1e-9)
