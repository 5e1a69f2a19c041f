"""Pictures read as a stream from tar files: each once, the same in every run, whoever shares them."""

import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_utils import Trainer, augment
from course_utils.data.folders import image_folder
from course_utils.errors import CourseError, DataError, TrainingError
from course_utils.paths import ROOT
from course_utils.shards import ShardLoader, write_shards

COUNT = 103  # pictures, in shards of 20: the last one is smaller


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of one colour each, so that the colour tells which one it is."""
    root = tmp_path_factory.mktemp("pictures")
    for i in range(COUNT):
        file = root / f"class_{i % 3}" / f"{i:03d}.{'png' if i % 2 else 'BMP'}"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 9, 3), i, np.uint8)).save(file)
    return root


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory):
    return write_shards(image_folder(folder), tmp_path_factory.mktemp("s") / "shards", per_shard=20).parent


def seen(batches) -> list[int]:
    return [round(255 * x[0, 0, 0].item()) for images, _ in batches for x in images]


def test_shards_hold_the_files_byte_for_byte(folder, shards):
    index = json.loads((shards / "index.json").read_text())
    assert index["classes"] == ["class_0", "class_1", "class_2"]
    assert [shard["pictures"] for shard in index["shards"]] == [20, 20, 20, 20, 20, 3]
    stored = sorted(
        tar.extractfile(member).read()
        for shard in index["shards"]
        for tar in [tarfile.open(shards / shard["name"])]
        for member in tar
        if not member.name.endswith(".cls")
    )
    assert stored == sorted(path.read_bytes() for path in folder.rglob("*.*"))


def test_ordered_gives_every_picture_with_its_class(shards):
    loader = ShardLoader(shards, 8, size=4)
    batches = list(loader.ordered())
    assert sorted(seen(batches)) == list(range(COUNT)) and len(batches[-1][0]) == COUNT % 8
    assert seen(batches) != sorted(seen(batches))  # drawn at random when written
    targets = torch.cat([y for _, y in batches]).tolist()
    assert targets == [i % 3 for i in seen(batches)]
    assert batches[0][0].shape == (8, 3, 4, 4) and batches[0][0].dtype == torch.float32


@pytest.mark.parametrize(("world", "workers"), [(1, 0), (1, 2), (2, 0), (3, 1), (2, 3)])
def test_an_epoch_is_exact(shards, world, workers):
    loaders = [ShardLoader(shards, 4 * world, size=2, workers=workers, seed=1) for _ in range(world)]
    loaders = [loader.shard(rank, world) for rank, loader in enumerate(loaders)]
    shares = [list(loader) for loader in loaders]
    assert [len(share) for share in shares] == [COUNT // (4 * world)] * world
    pictures = [i for share in shares for i in seen(share)]
    assert len(set(pictures)) == len(pictures) == 4 * world * (COUNT // (4 * world))


def test_epochs_differ_and_are_repeated_by_the_seed(shards):
    first, again = ShardLoader(shards, 4, size=2, seed=3), ShardLoader(shards, 4, size=2, seed=3)
    epochs = [seen(first), seen(first)]
    assert epochs == [seen(again), seen(again)] and epochs[0] != epochs[1]
    assert seen(ShardLoader(shards, 4, size=2, seed=4)) != epochs[0]
    assert set(range(COUNT)) - set(epochs[0]) != set(range(COUNT)) - set(epochs[1])  # others are left out


def test_the_buffer_mixes_what_one_shard_holds(shards):
    plain = seen(ShardLoader(shards, 4, size=2, shuffle=0).ordered())
    assert seen(ShardLoader(shards, 4, size=2, shuffle=0)) == plain[: COUNT // 4 * 4]
    near, far = (seen(ShardLoader(shards, 4, size=2, shuffle=n, seed=0)) for n in (2, 100))
    moved = [
        np.mean([abs(plain.index(a) - plain.index(b)) for a, b in itertools.pairwise(s)]) for s in (near, far)
    ]
    assert moved[0] < 8 < moved[1]


@pytest.mark.parametrize("workers", [0, 2, 3])
@pytest.mark.parametrize("start", [1, 5, 24])
def test_an_epoch_continues_from_any_batch(shards, workers, start):
    loader = ShardLoader(shards, 4, size=2, workers=workers, seed=2, augment=augment.brightness_contrast())
    whole, rest = list(loader.batches(7)), list(loader.batches(7, start))
    assert len(rest) == len(whole) - start
    assert all(
        torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(whole[start:], rest, strict=True)
    )


def trainer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    return Trainer(model, torch.optim.SGD(model.parameters(), 0.1), device="cpu")


def test_training_is_resumed_to_the_same_weights(shards, tmp_path):
    def loader(**settings):
        return ShardLoader(shards, 8, **{"size": 2, "seed": 0, "mean": 0.5, "std": 0.25} | settings)

    whole, cut = trainer(), trainer()
    whole.fit(loader(), 3, progress=False)
    taken = []

    def power_cut(x, y):
        taken.append(1)
        if len(taken) == 18:
            raise InterruptedError
        return x, y

    cut.batch_hook = power_cut
    with pytest.raises(InterruptedError):
        cut.fit(loader(), 3, progress=False, checkpoint=tmp_path, checkpoint_every=5)
    resumed = trainer()
    with pytest.raises(TrainingError, match="shuffle was 1000, now 10"):
        resumed.fit(loader(shuffle=10), 3, progress=False, checkpoint=tmp_path)
    resumed.fit(loader(), 3, progress=False, checkpoint=tmp_path)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    )
    assert set(whole.evaluate(loader())) == {"loss", "accuracy"}
    assert whole.predict(loader()).shape == (COUNT, 3)


PROCESSES = """
import sys, torch
from torch import nn
from course_utils import Trainer
from course_utils.paths import ROOT
from course_utils.shards import ShardLoader
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
trainer = Trainer(model, torch.optim.SGD(model.parameters(), 0.1), device="cpu")
history = trainer.fit(ShardLoader(sys.argv[1], 8, size=2, seed=0), 2, progress=False)
number = trainer.accelerator().process_index
torch.save({"weight": model[1].weight.data, "loss": torch.tensor(history["loss"]),
            "step": torch.tensor(history["step"])}, f"{sys.argv[2]}/{number}.pt")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun on Windows has no libuv in every build")
def test_two_processes_take_the_same_steps_and_end_alike(shards, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PROCESSES)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, *launch, str(shards), str(tmp_path)],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{k}.pt", weights_only=True) for k in range(2))
    assert first["step"].tolist() == [COUNT // 8, 2 * (COUNT // 8)]
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)


def test_a_folder_that_holds_something_is_left_alone(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="not empty"):
        write_shards(image_folder(folder), tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(CourseError, match="per_shard is 0"):
        write_shards(image_folder(folder), tmp_path / "new", per_shard=0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": -1}, "workers is -1"),
        ({"shuffle": -5}, "shuffle is -5"),
        ({"batch_size": 104}, "103 pictures in .* no full batch of 104"),
    ],
)
def test_settings_that_cannot_work(shards, settings, words):
    with pytest.raises(TrainingError, match=words):
        ShardLoader(shards, **settings)


def test_a_batch_that_the_processes_cannot_divide(shards):
    with pytest.raises(
        TrainingError, match=r"batch_size is 10, which 4 processes cannot divide .* a multiple of 4"
    ):
        ShardLoader(shards, 10).shard(0, 4)


def rewrite(path, replace):
    """The shard again, with other parts: ``replace(name, content)`` gives new ones, or ``None``."""
    parts = [(m.name, tar.extractfile(m).read()) for tar in [tarfile.open(path)] for m in tar]
    with tarfile.open(path, "w") as tar:
        for name, content in filter(None, (replace(*part) for part in parts)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def cut_short(folder):
    file = folder / "shard-000002.tar"
    file.write_bytes(file.read_bytes()[:9000])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "index.json").unlink(), "its index is missing, so it was not finished"),
        (lambda f: shutil.rmtree(f), "it is not there"),
        (lambda f: (f / "index.json").write_text("[]"), "is not an index of shards"),
        (lambda f: (f / "shard-000003.tar").unlink(), "lacks 1 of its 6 shards, first shard-000003.tar"),
        (lambda f: shutil.copy(f / "shard-000005.tar", f / "shard-000001.tar"), "holds 3 pictures .* says 20"),
        (cut_short, "shard-000002.tar is damaged after"),
        (lambda f: (f / "shard-000002.tar").write_bytes(b"no tar at all" * 100), "damaged after 0 pictures"),
        (lambda f: rewrite(f / "shard-000000.tar", lambda n, c: (n, b"7" if n.endswith(".cls") else c)), "class '7'"),
        (lambda f: rewrite(f / "shard-000000.tar", lambda n, c: (n, c) if n.endswith(".cls") else None), "a picture and"),
        (lambda f: rewrite(f / "shard-000000.tar", lambda n, c: (n, c[:20])), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named(shards, tmp_path, damage, words):
    own = tmp_path / "shards"
    shutil.copytree(shards, own)
    damage(own)
    with pytest.raises(DataError, match=words):
        list(ShardLoader(own, 4, size=2).ordered())


def test_a_name_in_the_index_cannot_lead_out_of_the_folder(shards, tmp_path):
    own = tmp_path / "shards"
    shutil.copytree(shards, own)
    index = json.loads((own / "index.json").read_text())
    index["shards"][0]["name"] = "../../secret.tar"
    (own / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"first secret\.tar"):
        ShardLoader(own, 4)


def test_without_webdataset_it_says_how_to_get_it(shards, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    for call in (
        lambda: write_shards(image_folder(folder), tmp_path / "new"),
        lambda: list(ShardLoader(shards, 4)),
    ):
        with pytest.raises(CourseError, match=r"pip install \"\.\[shards\]\""):
            call()
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such name")
def test_a_folder_with_a_colon_is_a_folder(folder, tmp_path, monkeypatch):
    """webdataset would take what stands before it for the scheme of an address, or for a command."""
    monkeypatch.chdir(tmp_path)
    assert write_shards(image_folder(folder), "pipe:false").parent.resolve() == tmp_path / "pipe:false"


def test_a_shard_with_more_than_the_index_says_is_refused(shards, tmp_path):
    own = tmp_path / "shards"
    shutil.copytree(shards, own)
    index = json.loads((own / "index.json").read_text())
    index["shards"][0]["pictures"] -= 1
    (own / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="holds more pictures where the index says"):
        list(ShardLoader(own, 4).ordered())
