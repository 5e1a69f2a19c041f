"""The trainer does what the plain loop does, and each feature is a small visible difference from it."""

import itertools
import math
import os
import shutil
import subprocess
import sys
import warnings

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course_utils import trainer as trainer_module
from course_utils.augment import Mixup
from course_utils.errors import CourseError, TrainingError
from course_utils.history import History
from course_utils.loaders import TensorLoader
from course_utils.optim import EMA, cosine, layer_groups
from course_utils.paths import ROOT
from course_utils.trainer import Trainer, accuracy, can_compile


def data(n=40, seed=0):
    """Images whose class is the brighter half: a net can learn it in a few steps."""
    g = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 2, (n,), generator=g)
    images = torch.rand(n, 1, 8, 8, generator=g)
    images[targets == 1, :, :, 4:] += 1
    images[targets == 0, :, :, :4] += 1
    return images, targets


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def sgd(model, lr=0.05):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def trainer(model=None, lr=0.05, **options):
    model = model or net()
    return Trainer(model, sgd(model, lr), device="cpu", **options)


def bare_loop(model, batches, epochs, accumulate=1, clip=None):
    """Lesson 08's loop."""
    optimizer = sgd(model)
    model.train()
    for _ in range(epochs):
        for i, (X, y) in enumerate(batches):
            loss = F.cross_entropy(model(X), y) / accumulate
            loss.backward()
            if (i + 1) % accumulate == 0:
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
    return model


def same(a, b, **tolerance):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(
            x, y, msg=lambda m, name=name: f"{name}: {m}", **(tolerance or {"rtol": 0, "atol": 0})
        )


@pytest.mark.parametrize("options", [{}, {"clip": 0.1}, {"accumulate": 2}])
def test_equals_the_bare_loop(options):
    images, targets = data()
    batches = [(images[i : i + 10], targets[i : i + 10]) for i in range(0, 40, 10)]
    expected = bare_loop(net(), batches, epochs=2, **options)
    t = trainer(channels_last=False, **options)
    t.fit(TensorLoader(images, targets, 10), 2, progress=False)
    same(t.model, expected)


def test_accumulated_batches_equal_one_large_batch_and_the_rest_counts_fully():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    torch.manual_seed(0)
    twin = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    twin.load_state_dict(model.state_dict())
    images, targets = data(30)
    a = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.1), accumulate=2, device="cpu")
    b = Trainer(twin, torch.optim.SGD(twin.parameters(), lr=0.1), device="cpu")
    a.fit(TensorLoader(images, targets, 10), 1, progress=False)  # batches 10 + 10, then 10 alone
    b.fit(TensorLoader(images, targets, 20), 1, progress=False)
    same(model, twin, rtol=1e-5, atol=1e-6)


def test_channels_last_by_default_and_predictions_agree():
    model = net()
    twin = net()
    t = trainer(model)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    images, targets = data()
    twin.eval()
    torch.testing.assert_close(t.predict(TensorLoader(images, targets)), twin(images).detach())


def test_history_and_evaluation():
    t = trainer()
    train, valid = (
        TensorLoader(*data(), batch_size=10, shuffle=True),
        TensorLoader(*data(25, 1), batch_size=10),
    )
    history = t.fit(train, 4, valid=valid, progress=False)
    assert history["epoch"] == [1, 2, 3, 4] and history["step"] == [4, 8, 12, 16]
    assert {"loss", "accuracy", "valid_loss", "valid_accuracy", "lr", "seconds"} <= set(history.columns)
    best = history.best("valid_loss")
    assert t.evaluate(valid)["loss"] == pytest.approx(best["valid_loss"])  # the best weights are back
    logits = t.predict(valid)
    assert t.evaluate(valid)["accuracy"] == pytest.approx(
        (logits.argmax(1) == valid.targets).float().mean().item()
    )
    with pytest.raises(KeyError, match=r"no 'banana'.*valid_loss"):
        history["banana"]


def test_history_plots_itself():
    matplotlib.use("Agg")
    history = History(
        [{"epoch": 1, "loss": 1.0, "valid_loss": 1.1}, {"epoch": 2, "loss": 0.5, "valid_loss": 0.7}]
    )
    axes = history.plot()
    assert axes.get_xlabel() == "epoch" and axes.get_ylabel() == "loss"
    assert len(axes.get_lines()) >= 2


def test_evaluate_changes_no_mode_and_keeps_frozen_statistics():
    model = net()
    model[1].requires_grad_(False)
    t = Trainer(
        model, torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1), device="cpu"
    )
    before = model[1].running_mean.clone()
    t.fit(TensorLoader(*data(), batch_size=10), 1, progress=False)
    assert torch.equal(model[1].running_mean, before)
    model.train()
    model[1].eval()
    t.evaluate(TensorLoader(*data()))
    assert model.training and not model[1].training


def test_early_stopping_counts_epochs_without_a_better_one():
    t = trainer(lr=0.0)  # learns nothing: the first epoch stays the best, but for the running statistics
    t.model[1].requires_grad_(False)
    valid = TensorLoader(*data(20, 1))
    history = t.fit(TensorLoader(*data(), batch_size=10), 50, valid=valid, early_stopping=3, progress=False)
    assert len(history) == 4
    with pytest.raises(TrainingError, match="pass valid"):
        t.fit(TensorLoader(*data()), 1, early_stopping=2)
    with pytest.raises(TrainingError, match=r"unknown monitor 'valid_f1'. Valid: .*valid_accuracy"):
        t.fit(TensorLoader(*data()), 1, valid=valid, monitor="valid_f1", progress=False)
    t.metrics = {"valid_only": None}
    t.evaluate = lambda loader: {"loss": 1.0}
    t.measure = lambda outputs, targets: {}
    with pytest.raises(
        TrainingError, match=r"monitor='valid_valid_only' was not measured. Valid: .*valid_loss"
    ):
        t.fit(TensorLoader(*data()), 1, valid=valid, monitor="valid_valid_only", progress=False)


def test_an_interruption_leaves_the_best_weights_and_the_history():
    valid, calls = TensorLoader(*data(20, 1)), iter(range(100))

    def hook(images, targets):
        if next(calls) == 10:  # in the third epoch of four batches
            raise KeyboardInterrupt
        return images, targets

    t = trainer(batch_hook=hook)
    with pytest.raises(KeyboardInterrupt):
        t.fit(TensorLoader(*data(), batch_size=10), 5, valid=valid, progress=False)
    assert len(t.history) == 2
    assert t.evaluate(valid)["loss"] == pytest.approx(t.history.best()["valid_loss"])


@pytest.mark.parametrize("every", [1, 3, 50])
def test_non_finite_loss_stops_with_the_last_good_weights(every, monkeypatch):
    t = trainer()
    calls = [0]

    def loss(outputs, targets):
        calls[0] += 1
        return F.cross_entropy(outputs, targets) * (float("nan") if calls[0] == 7 else 1.0)

    t.loss = loss
    first_epoch = trainer()
    first_epoch.fit(TensorLoader(*data(), batch_size=10), 1, progress=False)
    monkeypatch.setattr("course_utils.loop.READ_EVERY", {"cpu": every})
    with pytest.raises(
        TrainingError, match=r"loss is nan at step 7 .*learning rate 0\.05.*clip=1\.0.*start of"
    ):
        t.fit(TensorLoader(*data(), batch_size=10), 2, progress=False)
    same(t.model, first_epoch.model)
    assert "_is_accelerate_prepared" not in t.model.__dict__


@pytest.mark.parametrize("every", [1, 50])
def test_weights_that_are_not_finite_never_replace_a_good_checkpoint(every, tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.loop.READ_EVERY", {"cpu": every})
    images, targets = data()
    images[13] = float("nan")
    broken, good = TensorLoader(images, targets, 1), TensorLoader(*data(), batch_size=1)
    with pytest.raises(TrainingError, match=r"loss is nan at step 14"):
        trainer().fit(broken, 1, checkpoint=tmp_path, checkpoint_every=5, progress=False)
    history = trainer().fit(good, 1, checkpoint=tmp_path, progress=False)
    assert history["step"] == [40] and history["loss"][0] < 1


def test_a_gradient_that_is_not_finite_in_the_last_step_is_told_and_not_saved(tmp_path):
    t = trainer(trained := net())
    t.model.register_buffer("mask", torch.full((2,), -torch.inf))  # infinite on purpose
    loader = TensorLoader(*data(), batch_size=10)
    t.fit(loader, 1, checkpoint=tmp_path, progress=False)
    good = [p.clone() for p in trained.parameters()]
    calls = iter(range(8))

    def loss(outputs, targets):
        value = F.cross_entropy(outputs, targets)
        return value + (
            torch.sqrt((0 * outputs).sum()) if next(calls) == 3 else 0
        )  # finite, its slope is not

    t.loss = loss
    with pytest.raises(
        TrainingError, match=r"a weight is not finite after the last step.*start of the last epoch"
    ):
        t.fit(loader, 2, checkpoint=tmp_path, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(good, trained.parameters(), strict=True))
    t.loss = F.cross_entropy
    assert len(t.fit(loader, 2, checkpoint=tmp_path, progress=False)) == 2


def test_a_metric_that_is_no_number_is_never_the_best():
    values = iter([float("nan"), 0.5, 0.7, 0.6, 0.9])
    t = trainer(metrics={"auroc": lambda outputs, targets: torch.tensor(0.0)})
    t.evaluate = lambda loader: {"loss": 1.0, "auroc": next(values)}
    history = t.fit(
        TensorLoader(*data()), 5, valid=[1], monitor="valid_auroc", early_stopping=2, progress=False
    )
    assert len(history) == 5 and history.best("valid_auroc")["epoch"] == 5
    with pytest.raises(TrainingError, match=r"'valid_auroc' was not a number in any epoch"):
        History([{"epoch": 1, "valid_auroc": float("nan")}]).best("valid_auroc")


def test_a_loader_without_a_batch_is_named():
    few = DataLoader(TensorDataset(*data(6)), batch_size=8, drop_last=True)
    with pytest.raises(TrainingError, match=r"training loader has no batch.*drop_last=False"):
        trainer().fit(few, 1, progress=False)
    with pytest.raises(TrainingError, match=r"no batch to evaluate"):
        trainer().evaluate(few)


def test_non_finite_images_are_named():
    images, targets = data()
    images[17] = float("inf")
    with pytest.raises(TrainingError, match="batch of images itself holds NaN"):
        trainer().fit(TensorLoader(images, targets, 10), 1, progress=False)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_after_a_validation_that_is_not_finite_the_model_is_the_best_one(ema):
    t, kept, evaluate = trainer(ema=ema), [], Trainer.evaluate

    def first_good(loader):
        kept.append({name: tensor.clone() for name, tensor in t.model.state_dict().items()})
        return evaluate(t, loader) if len(kept) == 1 else {"loss": float("nan"), "accuracy": 0.0}

    t.evaluate = first_good
    with pytest.raises(TrainingError, match=r"the validation loss is nan.*weights of the best epoch again"):
        t.fit(TensorLoader(*data(), batch_size=10), 3, valid=TensorLoader(*data(20, 1)), progress=False)
    assert all(torch.equal(kept[0][name], tensor) for name, tensor in t.model.state_dict().items())


def test_divergence_is_caught(tmp_path):
    t = trainer(lr=1e30)
    with pytest.raises(TrainingError, match="last checkpoint is in"):
        t.fit(
            TensorLoader(*data(), batch_size=10),
            5,
            valid=TensorLoader(*data()),
            checkpoint=tmp_path,
            progress=False,
        )
    assert all(bool(torch.isfinite(p).all()) for p in t.model.parameters())


@pytest.mark.parametrize(("bad", "step"), [(1, 1), (3, 1), (4, 2), (9, 3)])
def test_the_step_of_a_loss_that_is_not_finite_counts_groups_of_batches(bad, step):
    images, targets = torch.rand(10, 1, 8, 8), torch.zeros(10, dtype=torch.long)
    t = trainer(accumulate=4)
    t.loss = lambda outputs, _: outputs.sum() * (math.nan if next(batch) == bad else 0)
    batch = itertools.count()
    with pytest.raises(TrainingError, match=rf"at step {step} \(epoch 1, batch {bad + 1}\)"):
        t.fit(TensorLoader(images, targets, 1), 1, progress=False)


def test_a_forward_of_the_models_own_stays():
    t = trainer()
    t.precision, t.model.forward = "bf16", lambda x: nn.Sequential.forward(t.model, x) + 7
    before = t.model.forward
    t.fit(TensorLoader(*data(), 10), 1, progress=False)
    assert t.model.forward is before


def test_ema_is_what_is_validated_and_kept():
    t = trainer(ema=0.5)
    valid = TensorLoader(*data(20, 1))
    history = t.fit(TensorLoader(*data(), batch_size=10), 3, valid=valid, progress=False)
    assert t.evaluate(valid)["loss"] == pytest.approx(history.best()["valid_loss"])
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average, expected = EMA(model, 0.9), 0.0
    for step in range(1, 4):
        nn.init.constant_(model.weight, step)
        average.update(model)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    assert average.weights["weight"].item() == pytest.approx(expected)
    with pytest.raises(TrainingError, match=r"ema is 1\.5"):
        trainer(ema=1.5)


def test_ema_copies_a_mask_that_is_infinite():
    t = trainer(ema=0.9)
    t.model.register_buffer("mask", torch.full((2,), -torch.inf))
    t.fit(TensorLoader(*data(), batch_size=10), 1, progress=False)
    assert t.model.mask.tolist() == [-torch.inf, -torch.inf]


def test_clip_counts_only_what_the_optimizer_changes():
    losses = []
    for frozen in (True, False):
        model = net()
        model[:4].requires_grad_(not frozen)
        model[1].eval().requires_grad_(False)
        t = Trainer(model, sgd(model[4]), clip=0.1, device="cpu")
        losses.append(t.fit(TensorLoader(*data(), batch_size=10), 3, progress=False)["loss"])
    assert losses[0] == losses[1]


def test_batch_hook_and_soft_targets():
    t = trainer(batch_hook=Mixup(classes=2))
    history = t.fit(TensorLoader(*data(), batch_size=10), 1, valid=TensorLoader(*data()), progress=False)
    assert "accuracy" not in history.columns and "valid_accuracy" in history.columns


def test_other_tasks_than_classification():
    model = nn.Conv2d(1, 1, 3, padding=1)
    metrics = {"worst_error": lambda out, y: (out - y).abs().max()}
    t = Trainer(model, sgd(model, 0.01), F.mse_loss, metrics=metrics, device="cpu")
    images, _ = data()
    history = t.fit(TensorLoader(images, images, 10), 2, progress=False)
    assert history.best("worst_error")["worst_error"] == min(history["worst_error"])
    segment = nn.Conv2d(1, 3, 3, padding=1)
    t = Trainer(segment, sgd(segment, 0.01), device="cpu")
    assert "accuracy" in t.fit(TensorLoader(images, (images[:, 0] > 1).long(), 10), 1, progress=False).columns


def test_ordinary_dataloader():
    loader = DataLoader(TensorDataset(*data()), batch_size=10)
    a, b = trainer(), trainer()
    a.fit(loader, 2, valid=loader, progress=False)
    b.fit(TensorLoader(*data(), batch_size=10), 2, valid=TensorLoader(*data(), batch_size=10), progress=False)
    same(a.model, b.model)
    assert a.predict(loader).shape == (40, 2)


def test_scheduler_steps_with_the_optimizer():
    t = trainer(scheduler=cosine(warmup=0.25), accumulate=2)
    history = t.fit(TensorLoader(*data(), batch_size=10), 4, progress=False)
    assert history["step"] == [2, 4, 6, 8]
    assert 0.05 > history["lr"][0] > history["lr"][1] > history["lr"][2] > history["lr"][3] == 0
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(t.optimizer, patience=0, threshold=1e9)
    t.optimizer.param_groups[0]["lr"] = 0.1
    t.scheduler = plateau
    assert t.fit(TensorLoader(*data(), batch_size=10), 3, progress=False)["lr"] == pytest.approx(
        [0.1, 0.01, 0.001]
    )


def test_cosine_rises_to_the_full_rate_and_falls_to_its_end():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=2.0)
    schedule, rates = cosine(warmup=0.2, end=0.1)(optimizer, total_steps=10), []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:2] == [1.0, 2.0] and rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[10] == pytest.approx(0.2)


def test_layer_groups():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)), nn.Linear(2, 2)
    )
    model[0].requires_grad_(False)
    groups = layer_groups(model, lr=1.0, decay=0.1, weight_decay=0.5, head_lr=3.0)
    parameters = [p for group in groups for p in group["params"]]
    assert len(parameters) == len({id(p) for p in parameters}) == 6
    assert [round(g["lr"], 6) for g in groups] == [0.01, 0.01, 0.1, 3.0, 3.0]
    assert [g["weight_decay"] for g in groups] == [0.5, 0.0, 0.0, 0.5, 0.0]


def test_layer_groups_take_a_models_own_parameters_for_its_first_layer():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model.position = nn.Parameter(torch.zeros(2))
    rates = {id(p): g["lr"] for g in layer_groups(model, 1.0, decay=0.1, head_lr=3.0) for p in g["params"]}
    assert rates[id(model.position)] == pytest.approx(0.01)
    assert [rates[id(layer.weight)] for layer in model] == pytest.approx([0.1, 3.0])


def test_volumes_train_without_channels_last():
    model = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(16, 2))
    loader = TensorLoader(torch.rand(8, 1, 4, 4, 4), torch.arange(8) % 2, 4)
    assert len(Trainer(model, sgd(model), device="cpu").fit(loader, 1, progress=False)) == 1


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(*data(), strict=True))


def test_batches_of_another_form_are_named():
    images, targets = data()
    with pytest.raises(TrainingError, match=r"a batch of the loader is a Tensor\. Needed: two"):
        trainer().fit(TensorLoader(images, batch_size=2), 1, progress=False)
    with pytest.raises(TrainingError, match="is 3 parts"):
        trainer().evaluate(DataLoader(TensorDataset(images, targets, targets), 4))
    with pytest.raises(TrainingError, match="has no length"):
        trainer().fit(DataLoader(Stream(), 4), 1, progress=False)
    with pytest.raises(TrainingError, match=r"loss has shape \(10,\)"):
        trainer(loss=nn.CrossEntropyLoss(reduction="none")).fit(
            TensorLoader(images, targets, 10), 1, progress=False
        )
    with pytest.raises(TrainingError, match="no batch to evaluate"):
        trainer().predict(DataLoader(TensorDataset(*data(6)), batch_size=8, drop_last=True))


def test_wrong_arguments():
    model = net()
    with pytest.raises(TrainingError, match=r"clip is 0\.0"):
        trainer(clip=0.0)
    with pytest.raises(TrainingError, match="scheduler is of another optimizer"):
        trainer(scheduler=torch.optim.lr_scheduler.ConstantLR(sgd(model)))
    with pytest.raises(TrainingError, match="early_stopping is 0"):
        trainer().fit(TensorLoader(*data()), 1, valid=TensorLoader(*data()), early_stopping=0)
    with pytest.raises(TrainingError, match=r"mode='min'.*the larger it is\. Use mode='max'"):
        trainer(scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)).fit(
            TensorLoader(*data()), 1, valid=TensorLoader(*data()), monitor="valid_accuracy"
        )
    with pytest.raises(TrainingError, match="not the model's"):
        Trainer(model, sgd(net()))
    with pytest.raises(TrainingError, match="accumulate is 0"):
        trainer(accumulate=0)
    with pytest.raises(TrainingError, match=r"unknown precision 'fp8'. Valid: auto, no"):
        trainer(precision="fp8")
    with pytest.raises(TrainingError, match="no instructions of its own"):
        trainer(precision="fp16")
    if not torch.cuda.is_available():
        model = net()
        with pytest.raises(CourseError, match=r"device 'cuda:1' is not available here. Usable: .*cpu"):
            Trainer(model, sgd(model), device="cuda:1")


def test_full_precision_on_a_cpu():
    t = trainer()
    assert t.precision == "no"
    assert t.predict(TensorLoader(*data())).dtype == torch.float32


def test_trainers_of_different_precision_live_side_by_side(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    plain, half = trainer(), trainer(precision="bf16")
    forward = half.model.forward
    for t in (plain, half, plain):
        t.fit(TensorLoader(*data(), batch_size=20), 1, valid=TensorLoader(*data()), progress=False)
    assert half.model.forward == forward and not {"forward", "_original_forward"} & set(half.model.__dict__)
    assert half.predict(TensorLoader(*data())).dtype == torch.float32
    same_weights = trainer()
    for _ in range(2):
        same_weights.fit(TensorLoader(*data(), batch_size=20), 1, valid=TensorLoader(*data()), progress=False)
    assert plain.model[0].weight.dtype == torch.float32


def test_progress_is_one_line_an_epoch_and_nothing_on_stderr(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer().fit(TensorLoader(*data(), batch_size=10), 2, valid=TensorLoader(*data()))
    out, err = capfd.readouterr()
    assert err == ""
    assert [line.split(" · ")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    trainer().fit(TensorLoader(*data(), batch_size=10), 2, progress=False)
    assert capfd.readouterr() == ("", "")


def test_progress_in_a_notebook_is_one_output():
    import nbformat
    from nbclient import NotebookClient

    code = (
        "import torch\nfrom torch import nn\nfrom course_utils.trainer import Trainer\n"
        "from course_utils.loaders import TensorLoader\n"
        "model = nn.Linear(4, 2)\n"
        "t = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.1), device='cpu')\n"
        "history = t.fit(TensorLoader(torch.rand(8, 4), torch.zeros(8).long(), 2), 3)"
    )
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(
        nb, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    (output,) = nb.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"].startswith("epoch 3/3 · loss ")


def test_bar_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("course_utils.progress._mode", lambda: "bar")
    trainer().fit(TensorLoader(*data(), batch_size=10), 2)
    err = capsys.readouterr().err
    assert "epoch 2/2: 100%" in err or "epoch 2/2 · loss" in err


PROCESSES = """
import random, sys, torch
from types import SimpleNamespace
from accelerate.utils import gather_object
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from course_utils import augment
from course_utils.driving.samples import task_losses
from course_utils.errors import TrainingError
from course_utils.loaders import TensorLoader
from course_utils.processes import Share
from course_utils.trainer import Trainer
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
g = torch.Generator().manual_seed(1)
images, targets = torch.rand(24, 1, 2, 2, generator=g), torch.randint(0, 2, (24,), generator=g)
t = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.5), device="cpu")
world = t.accelerator().num_processes
turned = augment.chain(augment.flip(), augment.brightness_contrast())
loader = TensorLoader(images, targets, 10, shuffle=True, augment=turned, seed=0)
settings = {"valid": TensorLoader(images, targets), "checkpoint_every": 1, "progress": False}
history = t.fit(loader, 3, checkpoint=sys.argv[1], **settings)

class Brighter(TensorDataset):  # at random, as albumentations in a dataset
    def __getitem__(self, row):
        image, target = super().__getitem__(row)
        return image + torch.rand(1), target

def steps(epochs, folder=None):
    torch.manual_seed(2), random.seed(2)  # Mixup draws from both
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout2d(0.2), nn.Flatten(), nn.Dropout(), nn.Linear(8, 2))
    t = Trainer(net, torch.optim.SGD(net.parameters(), lr=0.1), ema=0.9, batch_hook=augment.Mixup(2), device="cpu")
    torch.rand(1 + t.accelerator().process_index)  # a model may draw as often as its own pictures ask for
    shuffled = DataLoader(Brighter(images[:23], targets[:23]), 11, shuffle=True)  # the last batch: one picture
    rows = t.fit(shuffled, epochs, checkpoint=folder, valid=settings["valid"], progress=False).rows
    return net, [row["valid_loss"] for row in rows]

whole, losses = steps(2)
every = gather_object([losses])
assert all(one == losses for one in every), f"each process validates another model: {every}"
steps(1, sys.argv[1] + "-loader")
resumed, again = steps(2, sys.argv[1] + "-loader")
assert again == losses and all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))
apart = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
reader = DataLoader(TensorDataset(images, targets), 12, num_workers=1)  # each process reads its part alone
Trainer(apart, torch.optim.SGD(apart.parameters(), lr=0.1), device="cpu").fit(reader, 2, progress=False)
some = torch.where(torch.arange(24) < 5, -100, targets)  # nothing to learn from in the first process's part
counted = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
loss = nn.CrossEntropyLoss(torch.tensor([1.0, 20.0]))
Trainer(counted, torch.optim.SGD(counted.parameters(), lr=0.1), loss, device="cpu").fit(
    TensorLoader(images, some, 10), 2, progress=False)
says, known = torch.randn(4, 1, 2, 2, generator=g), torch.tensor([1, 255, 0, 1]).view(4, 1, 1).expand(4, 2, 2)
target = {"lanes": known, "tags": torch.tensor([[0], [-1], [-1], [2]]), "say": torch.randn(4, 3, generator=g)}
def lane_and_tags(says, target):
    found = task_losses({"lane": says, "tags": target["say"]}, target, SimpleNamespace(tags=(3,)))
    return torch.stack(list(found.values()))
share = Share(4, t.accelerator().process_index, world)
alone = lane_and_tags(says, target)
with share:
    torch.testing.assert_close(lane_and_tags(*share.of(says, target)), alone)
class Drawn(torch.utils.data.Dataset):
    def __len__(self): return 24
    def __getitem__(self, row): return torch.rand(4), row % 2
if world > 1:
    line = nn.Linear(4, 2)
    on_line, numbers = Trainer(line, torch.optim.SGD(line.parameters(), lr=0.1), device="cpu"), []
    on_line.batch_hook = lambda X, y: numbers.extend(X.flatten().tolist()) or (X, y)
    on_line.fit(DataLoader(Drawn(), 12, num_workers=1), 1, progress=False)
    drawn = gather_object(numbers)
    assert len(set(drawn)) == len(drawn) == 96, "two processes drew the same numbers"
    try:
        on_line.fit(DataLoader(Drawn(), 10, num_workers=1), 1, progress=False)
        raise AssertionError("the last batch was filled up")
    except TrainingError as error:
        assert "24 pictures in batches of 10 leave an incomplete last batch" in str(error)
if t.accelerator().is_main_process:
    measured = [[row[name] for name in ("loss", "accuracy", "valid_loss")] for row in history.rows]
    states = model.state_dict() | whole.state_dict(prefix="net.") | apart.state_dict(prefix="apart.")
    states |= counted.state_dict(prefix="counted.")
    torch.save(states | {"measured": torch.tensor(measured)}, sys.argv[2])
sys.stdout.write(f"processes {world}\\n")
"""

# Registered first, so that it runs last: the group must be gone by then, or the exit is a race (it has aborted once).
GROUP_AT_EXIT = """
import atexit, sys, torch.distributed
# One write a line: both processes share the pipe, and print() writes its parts one by one.
atexit.register(lambda: sys.stdout.write(f"group left open {torch.distributed.is_initialized()}\\n"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun on Windows has no libuv in every build")
def test_two_processes_take_the_steps_of_one(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text(GROUP_AT_EXIT + PROCESSES)
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    out = tmp_path / "two.pt"
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run(
        [sys.executable, *launch, str(tmp_path / "run"), str(out)],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "processes 2" in done.stdout
    assert done.stdout.count("group left open False") == 2
    one = tmp_path / "one.pt"
    monkeypatch.setattr(sys, "argv", ["train.py", str(tmp_path / "one"), str(one)])
    exec(PROCESSES, {})  # noqa: S102 - the same lines in this process
    expected = torch.load(one, weights_only=True)
    for name, tensor in torch.load(out, weights_only=True).items():
        torch.testing.assert_close(tensor, expected[name])


def test_accuracy():
    logits = torch.tensor([[0.1, 0.9], [0.8, 0.2]])
    assert accuracy(logits, torch.tensor([1, 1])).item() == 0.5
    assert accuracy(logits, torch.tensor([1, -100])).item() == 1.0  # ignored, as cross-entropy ignores it


def test_in_half_precision_the_loss_still_sees_float32():
    seen, t, loader = [], trainer(), TensorLoader(*data(), 10)
    exact = t.predict(loader)
    t.precision = "bf16"  # any processor can compute in it, if slowly
    t.loss = lambda outputs, targets: seen.append(outputs.dtype) or F.cross_entropy(outputs, targets)
    t.evaluate(loader)
    assert set(seen) == {torch.float32}
    assert 0 < (t.predict(loader) - exact).abs().max() < 0.1


@pytest.mark.parametrize(
    ("device", "triton", "found", "possible"),
    [
        ("cpu", False, {"g++"}, True),
        ("cpu", True, {"gcc"}, False),
        ("cuda", True, {"clang"}, True),
        ("cuda", True, {"my-cc"}, True),
        ("cuda", True, set(), False),
        ("cuda", False, {"gcc"}, False),
        ("mps", True, {"gcc", "g++"}, False),
    ],
)
def test_compilation_needs_a_compiler(monkeypatch, device, triton, found, possible):
    monkeypatch.setenv("CC", "my-cc")
    monkeypatch.setattr(shutil, "which", lambda name: name if name in found else None)
    monkeypatch.setattr(trainer_module, "find_spec", lambda name: triton or None)
    assert can_compile(device) is possible
