"""A run that is killed and resumed ends in the same weights, bit for bit, as one that was left alone."""

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, WeightedRandomSampler

from course_utils import checkpoints, runtime
from course_utils.augment import Mixup, brightness_contrast, chain, flip, translate
from course_utils.errors import TrainingError
from course_utils.loaders import TensorLoader
from course_utils.optim import cosine
from course_utils.trainer import Trainer

# A fork server imports torch once for all victims. Windows starts each one afresh.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
processes = multiprocessing.get_context(METHOD)
if METHOD == "forkserver":
    processes.set_forkserver_preload(["course_utils.trainer", "course_utils.augment", "torch._dynamo"])

BATCHES, EPOCHS = 7, 3


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.norm(self.conv(x))).mean(dim=(2, 3))))


class Noisy(Dataset):
    """Draws from all three global generators for each image, as augmenting datasets do."""

    def __init__(self, images, targets):
        self.images, self.targets = images, targets

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        noise = random.random() + torch.rand(()) + __import__("numpy").random.rand()
        return self.images[i].float() / 255 + noise, self.targets[i]


def data(n=100):
    g = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, 1, 8, 8), generator=g, dtype=torch.uint8), torch.randint(
        0, 3, (n,), generator=g
    )


def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def victim(folder, loader="tensor", die_at_batch=None, die_at_flush=None, die_at_replace=None, slow=0.0):
    """Train; perhaps be killed before a batch, or inside the writing of a checkpoint."""
    torch.set_num_threads(1)
    runtime.seed_everything(0)
    images, targets = data()
    if loader == "tensor":
        augment = chain(flip(), translate(1), brightness_contrast())
        train = TensorLoader(images, targets, 15, shuffle=True, augment=augment, seed=0)
    else:
        own = torch.Generator().manual_seed(5)
        if loader == "sampler's generator":
            other = torch.Generator().manual_seed(6)
            order = {
                "sampler": WeightedRandomSampler(torch.ones(100), 100, generator=own),
                "generator": other,
            }
        elif loader == "batch sampler's generator":
            batches = BatchSampler(WeightedRandomSampler(torch.ones(100), 100, generator=own), 15, False)
            order = {"batch_sampler": batches}
        else:
            order = {"shuffle": True, "generator": own if loader == "own generator" else None}
        size = 1 if "batch_sampler" in order else 15
        train = DataLoader(Noisy(images, targets), size, **order)
    assert len(train) == BATCHES
    mixup, seen = Mixup(classes=3), [0]

    def hook(images, targets):
        seen[0] += 1
        time.sleep(slow)
        if seen[0] == die_at_batch:
            die()
        return mixup(images, targets)

    _die_at("_flush", die_at_flush)
    _die_at("_publish", die_at_replace)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    trainer = Trainer(
        model, optimizer, scheduler=cosine(), ema=0.9, clip=1.0, accumulate=2, batch_hook=hook, device="cpu"
    )
    valid = TensorLoader(*data(30), batch_size=30)
    history = trainer.fit(
        train, EPOCHS, valid=valid, checkpoint=Path(folder, "run"), checkpoint_every=1, progress=False
    )
    checkpoints.save_weights(model, Path(folder, "final.safetensors"))
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    Path(folder, "history.json").write_text(json.dumps(rows))


def _die_at(function, call):
    original, calls = getattr(checkpoints, function), [0]

    def counted(*args):
        calls[0] += 1
        if calls[0] == call:
            die()
        return original(*args)

    setattr(checkpoints, function, counted)


def run(folder, kill_after=None, **options):
    process = processes.Process(target=victim, args=(str(folder),), kwargs=options)
    process.start()
    process.join(kill_after)
    if kill_after is not None:
        process.kill()
    process.join(120)
    return process.exitcode


def outcome(folder):
    return (folder / "final.safetensors").read_bytes(), (folder / "history.json").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What each loader's run ends in when nobody kills it."""
    done = {}

    def result(loader):
        if loader not in done:
            folder = tmp_path_factory.mktemp("undisturbed")
            assert run(folder, loader=loader) == 0
            done[loader] = outcome(folder)
        return done[loader]

    return result


@pytest.mark.parametrize(
    "loader", ["tensor", "dataloader", "own generator", "sampler's generator", "batch sampler's generator"]
)
def test_killed_three_times_at_random_batches_and_resumed(loader, undisturbed, tmp_path):
    points = [random.SystemRandom().randint(1, BATCHES * EPOCHS // 2) for _ in range(3)]
    died = [run(tmp_path, loader=loader, die_at_batch=point) for point in points]
    assert run(tmp_path, loader=loader) == 0
    assert died[0] != 0
    assert outcome(tmp_path) == undisturbed(loader), f"killed at batches {points}"


def test_killed_from_outside_at_a_random_moment(undisturbed, tmp_path):
    moment = random.SystemRandom().uniform(0.3, 1.5)
    run(tmp_path, kill_after=moment, slow=0.05)
    assert run(tmp_path) == 0
    assert outcome(tmp_path) == undisturbed("tensor"), f"killed after {moment} s"


@pytest.mark.parametrize("where", [{"die_at_flush": 8}, {"die_at_flush": 12}, {"die_at_replace": 4}])
def test_killed_while_a_checkpoint_is_written(where, undisturbed, tmp_path):
    assert run(tmp_path, **where) != 0
    left = [p.name for p in (tmp_path / "run").iterdir()]
    assert len([name for name in left if name.startswith("step-")]) == 1
    assert any(name.startswith(".part-") for name in left)
    assert run(tmp_path) == 0
    assert outcome(tmp_path) == undisturbed("tensor")
    assert not list((tmp_path / "run").glob(".part-*"))


def test_longer_run_needs_a_schedule_of_its_length(tmp_path):
    model, loader = Net(), TensorLoader(*data(), batch_size=50, seed=0)
    trainer = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.1), scheduler=cosine(), device="cpu")
    trainer.fit(loader, 1, checkpoint=tmp_path, progress=False)
    with pytest.raises(TrainingError, match="schedule's steps was 2, now 4"):
        trainer.fit(loader, 2, checkpoint=tmp_path, progress=False)
    plain = make()
    plain.fit(loader, 1, checkpoint=tmp_path, resume=False, progress=False)
    assert len(plain.fit(loader, 3, checkpoint=tmp_path, progress=False)) == 3


def test_finished_run_is_not_trained_again(tmp_path):
    victim(tmp_path)
    first = outcome(tmp_path)
    victim(tmp_path, die_at_batch=1)
    assert outcome(tmp_path) == first


def make(width=8, optimizer=torch.optim.SGD, ema=None, lr=0.01):
    model = Net(width)
    return Trainer(model, optimizer(model.parameters(), lr=lr), ema=ema, device="cpu")


@pytest.fixture
def written(tmp_path):
    make().fit(TensorLoader(*data(), batch_size=50, seed=0), 1, checkpoint=tmp_path, progress=False)
    return tmp_path


def test_checkpoint_of_another_model_names_the_first_tensors_that_differ(written):
    with pytest.raises(
        TrainingError, match=r"another model.*conv\.weight: \(8, 1, 3, 3\) there, \(4, 1, 3, 3\)"
    ):
        make(width=4).fit(TensorLoader(*data(), batch_size=50, seed=0), 2, checkpoint=written, progress=False)


def test_checkpoint_of_another_optimizer_or_loader(written):
    with pytest.raises(TrainingError, match="optimizer was SGD, now AdamW"):
        make(optimizer=torch.optim.AdamW).fit(
            TensorLoader(*data(), batch_size=50, seed=0), 2, checkpoint=written, progress=False
        )
    with pytest.raises(TrainingError, match="batches per epoch was 2, now 4"):
        make().fit(TensorLoader(*data(), batch_size=25, seed=0), 2, checkpoint=written, progress=False)


def test_another_learning_rate_is_refused_and_a_schedule_is_not(written, tmp_path_factory):
    model, loader = Net(8), TensorLoader(*data(), batch_size=50, seed=0)
    slower = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.001, weight_decay=0.1), device="cpu")
    with pytest.raises(
        TrainingError, match=r"learning rate and weight decay was .*0\.01, 0\.0.*now .*0\.001, 0\.1"
    ):
        slower.fit(loader, 2, checkpoint=written, progress=False)
    for schedule in (
        cosine,
        lambda: lambda optimizer, steps: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0),
    ):
        folder = tmp_path_factory.mktemp("run")
        for _ in range(2):
            model = Net(8)
            again = Trainer(
                model, torch.optim.SGD(model.parameters(), lr=0.1), scheduler=schedule(), device="cpu"
            )
            again.fit(loader, 3, checkpoint=folder, progress=False)


@pytest.mark.parametrize("file", ["weights.safetensors", "state.pt", "files.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "delete"])
def test_damaged_checkpoint_is_named_with_its_cure(written, file, damage):
    path = next(written.glob("step-*")) / file
    content = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    trainer = make()
    before = trainer.model.conv.weight.clone()
    with pytest.raises(TrainingError, match=r"step-0000.* is damaged .*Delete that folder"):
        trainer.fit(TensorLoader(*data(), batch_size=50, seed=0), 2, checkpoint=written, progress=False)
    assert torch.equal(before, trainer.model.conv.weight)


def test_without_resume_the_old_checkpoint_is_gone(written):
    other = make(width=4)
    history = other.fit(
        TensorLoader(*data(), batch_size=25, seed=0), 1, checkpoint=written, resume=False, progress=False
    )
    assert len(history) == 1
    assert [p.name for p in written.iterdir()] == ["step-00000004"]


def test_disk_that_takes_no_checkpoint(written, monkeypatch):
    monkeypatch.setattr(
        checkpoints, "_flush", lambda path: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(TrainingError, match=r"No space left.*one before it is untouched"):
        make().fit(TensorLoader(*data(), batch_size=50, seed=0), 2, checkpoint=written, progress=False)
    assert [p.name for p in written.iterdir()] == ["step-00000002"]


def test_a_run_that_stopped_early_goes_on_with_more_patience(tmp_path):
    def fit(patience, epochs=6):
        trainer = make(lr=0.0)  # learns nothing
        trainer.model.norm.requires_grad_(False)
        valid = TensorLoader(*data(30), batch_size=30)
        loader = TensorLoader(*data(), batch_size=50, seed=0)
        return trainer.fit(
            loader, epochs, valid=valid, early_stopping=patience, checkpoint=tmp_path, progress=False
        )

    assert len(fit(1)) == 2
    assert len(fit(1)) == 2
    assert len(fit(3)) == 4


def test_another_monitor_is_refused(tmp_path):
    loader, valid = TensorLoader(*data(), batch_size=50, seed=0), TensorLoader(*data(30), batch_size=30)
    make().fit(loader, 1, valid=valid, checkpoint=tmp_path, progress=False)
    with pytest.raises(TrainingError, match="monitor was valid_loss, now no validation data"):
        make().fit(loader, 2, checkpoint=tmp_path, progress=False)
    with pytest.raises(TrainingError, match="monitor was valid_loss, now valid_accuracy"):
        make().fit(loader, 2, valid=valid, monitor="valid_accuracy", checkpoint=tmp_path, progress=False)


def test_a_learning_rate_of_numpy_is_read_again(tmp_path):
    for epochs in (1, 2):
        trainer = make(lr=np.logspace(-2, -1, 2)[0])
        history = trainer.fit(
            TensorLoader(*data(), batch_size=50, seed=0), epochs, checkpoint=tmp_path, progress=False
        )
    assert len(history) == 2


def test_state_must_be_plain(tmp_path):
    with pytest.raises(TrainingError, match=r"state\['a'\]\[1\] is a set"):
        checkpoints.save(tmp_path, 1, {}, {"a": [1, {2}]})


def test_every_scheduler_of_torch_is_plain_enough(tmp_path):
    s = torch.optim.lr_scheduler
    for build in (
        lambda o, n: s.OneCycleLR(o, 0.1, total_steps=n),
        lambda o, n: s.MultiStepLR(o, [1, 2]),
        lambda o, n: s.SequentialLR(o, [s.ConstantLR(o), s.CosineAnnealingLR(o, n)], [2]),
        lambda o, n: s.ReduceLROnPlateau(o),
        lambda o, n: s.LambdaLR(o, lambda step: 1.0),
    ):
        model = Net()
        trainer = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.01), scheduler=build, device="cpu")
        for _ in range(2):
            trainer.fit(TensorLoader(*data(), batch_size=50, seed=0), 2, checkpoint=tmp_path, progress=False)
        checkpoints.clear(tmp_path)


def test_weights_file_round_trip_and_errors(tmp_path):
    model, other = Net().to(memory_format=torch.channels_last), Net()
    path = checkpoints.save_weights(model, tmp_path / "new" / "w.safetensors")
    checkpoints.load_weights(other, path)
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )
    with pytest.raises(TrainingError, match="another model"):
        checkpoints.load_weights(Net(width=4), path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="damaged"):
        checkpoints.load_weights(other, path)
    torch.save(model.state_dict(), tmp_path / "w.pth")
    with pytest.raises(TrainingError, match=r"of another format.*weights_only=True"):
        checkpoints.load_weights(other, tmp_path / "w.pth")
    with pytest.raises(TrainingError, match="no weights file"):
        checkpoints.load_weights(other, tmp_path / "none")


@pytest.mark.parametrize(
    ("settings", "batches", "words"),
    [
        ({"ema": 0.9}, {}, "ema was none, now 0.9"),
        ({"accumulate": 2}, {}, "accumulate was 1, now 2"),
        ({}, {"seed": 1}, "loader's seed was 0, now 1"),
        ({}, {"batch_size": 60}, "batch_size was 50, now 60"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, settings, batches, words):
    def fit(settings, batches):
        model = Net()
        loader = TensorLoader(*data(), **{"batch_size": 50, "seed": 0} | batches)
        t = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.01), device="cpu", **settings)
        t.fit(loader, 2, checkpoint=tmp_path, progress=False)

    fit({}, {})
    with pytest.raises(TrainingError, match=words):
        fit(settings, batches)
