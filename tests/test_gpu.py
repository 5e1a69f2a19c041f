"""What must hold on a CUDA device. Where there is none, these tests are skipped and the report says so (``-rs``).

On a pretended one (``PRETENDED_GPU=1``, see ``pretended_gpu``) they run all the same; ``test_pretended_gpu`` does that.
"""

import itertools

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_utils import augment, explain, lessons, load, runner, runtime
from course_utils.checkpoints import load_weights, save_weights
from course_utils.detection import nms
from course_utils.loaders import TensorLoader
from course_utils.models import SmallCNN
from course_utils.optim import cosine
from course_utils.summary import summary
from course_utils.trainer import Trainer

pytestmark = pytest.mark.gpu


REFUSED = {
    "a sum": lambda t: t + torch.ones(3),
    "a convolution": lambda t: F.conv1d(torch.ones(1, 1, 5), t.view(1, 1, 3)),
    "joining": lambda t: torch.cat([t, torch.ones(1)]),
    "a number of the device": lambda t: torch.ones(3) * t.sum(),
    "writing at places": lambda t: t.__setitem__(torch.tensor([True, True, False]), torch.ones(2)),
    "a matrix product in place": lambda t: t.addmv_(torch.ones(3, 3), torch.ones(3)),
    "an index on the device": lambda t: torch.arange(3)[t.long()],
    "a generator of the processor": lambda t: torch.rand(3, device=t.device, generator=torch.Generator()),
    "drawing in place": lambda t: t.normal_(generator=torch.Generator()),
    "NumPy": lambda t: t.numpy(),
    "NumPy, unasked": lambda t: numpy.asarray([1.0, 2.0, 3.0]) * numpy.asarray(t),
    "pinning": lambda t: t.pin_memory(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_device_refuses(what):
    with pytest.raises((RuntimeError, TypeError)):
        REFUSED[what](torch.ones(3).cuda())


def test_a_device_takes():
    there = torch.ones(3, device="cuda")
    assert (there * torch.tensor(2.0)).is_cuda and (torch.ones(3) * there.sum().cpu()).tolist() == [3.0] * 3
    assert there[torch.tensor([0, 2])].is_cuda and float(there[0]) == 1.0 and f"{there[0]:.1f}" == "1.0"
    there[:2] = torch.ones(2)
    assert torch.zeros(3).copy_(there).tolist() == [1.0] * 3 and not there.cpu().is_cuda
    assert torch.zeros_like(there).is_cuda and there.new_zeros(2).is_cuda and not torch.zeros(2).is_cuda


def trainer(epochs=0, device="cuda", loader=None, optimizer=None, **options):
    """A small net on digits, trained for some epochs."""
    runtime.seed_everything(0)
    model = SmallCNN(10, width=16)
    optimizer = optimizer or (lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9))
    own = Trainer(model, optimizer(model.parameters()), device=device, **options)
    if epochs:
        own.fit(loader or digits(), epochs, progress=False)
    return own


def digits(split="train", **options):
    options = {"batch_size": 64, "shuffle": split == "train", "mean": 0.3, "std": 0.35, "seed": 0} | options
    return TensorLoader(load("digits", split, source="embedded"), **options)


def furthest(a: nn.Module, b: nn.Module) -> float:
    """The largest difference of a weight."""
    return max(
        (p.cpu() - q.cpu()).abs().max().item()
        for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("precision", ["auto", "no", "fp16"])
def test_training_learns_in_every_precision(precision):
    own = trainer(4, precision=precision, scheduler=cosine(), ema=0.9, clip=5.0)
    assert own.precision in (("bf16", "fp16") if precision == "auto" else (precision,))
    assert all(p.is_cuda and p.dtype == torch.float32 for p in own.model.parameters())
    assert own.evaluate(digits("test"))["accuracy"] > 0.9


def test_a_loss_with_class_weights_goes_along():
    own = trainer(1, loss=nn.CrossEntropyLoss(weight=torch.linspace(0.5, 1.5, 10)))
    assert own.loss.weight.is_cuda and 0 < own.evaluate(digits("test"))["loss"] < 2


def test_full_precision_gives_the_weights_of_the_processor():
    # Three steps: each adds to how far they round apart.
    few = load("digits", "train", source="embedded").subset(range(192))
    by_device = [
        trainer(1, device, precision="no", loader=TensorLoader(few, batch_size=64, mean=0.3, std=0.35))
        for device in ("cpu", "cuda")
    ]
    assert 0 < furthest(trainer().model, by_device[0].model)
    assert furthest(*(own.model for own in by_device)) < 1e-3


def test_a_loader_brings_its_pictures_to_the_device_once():
    loader = digits()
    own = trainer(1, loader=loader)
    assert loader.images.is_cuda and loader.targets.is_cuda and loader.images.dtype == torch.uint8
    logits = own.predict(digits("test"))
    assert not logits.is_cuda and logits.dtype == torch.float32


def test_what_one_loader_learnt_of_its_pictures_serves_another():
    first = digits(mean=torch.tensor([0.3]), std=torch.tensor([0.35])).to("cuda")
    second = digits("test", mean=first.mean.view(-1), std=first.std.view(-1))
    images, _ = next(iter(second))
    assert not images.is_cuda and images.isfinite().all()


@pytest.mark.parametrize("pinned", [False, True])
def test_batches_of_a_dataloader_are_brought_along(pinned):
    data = load("digits", "train", source="embedded")
    pairs = TensorDataset((data.images.float() / 255 - 0.3) / 0.35, data.targets)
    shuffled = DataLoader(
        pairs, 64, shuffle=True, pin_memory=pinned, generator=torch.Generator().manual_seed(0)
    )
    assert trainer(3, loader=shuffled).evaluate(digits("test"))["accuracy"] > 0.85


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_a_fused_optimizer_takes_the_same_steps(name):
    def step(fused):
        return lambda parameters: getattr(torch.optim, name)(parameters, lr=0.01, fused=fused)

    plain, fused = (trainer(1, optimizer=step(f), precision="no").model for f in (False, True))
    assert furthest(plain, fused) < 1e-3


def test_a_broken_run_continues_to_the_weights_of_an_unbroken_one(tmp_path):
    options = {"scheduler": cosine(), "ema": 0.9}
    whole = trainer(4, **options)

    loader, batches = digits(), itertools.count()

    def cut(images, targets):
        if next(batches) >= 2.5 * len(loader):
            raise KeyboardInterrupt
        return images, targets

    broken = trainer(batch_hook=cut, **options)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(loader, 4, checkpoint=tmp_path, progress=False)
    resumed = trainer(**options)
    resumed.fit(digits(), 4, checkpoint=tmp_path, progress=False)
    assert furthest(whole.model, resumed.model) < 1e-4


def test_weights_move_between_devices(tmp_path):
    own = trainer(1)
    file = save_weights(own.model, tmp_path / "net.safetensors")
    assert furthest(own.model, load_weights(SmallCNN(10, width=16), file)) == 0


TRANSFORMS = {
    "flip": augment.flip(),
    "rot90": augment.rot90(),
    "translate": augment.translate(2),
    "shift_reflect": augment.shift_reflect(2),
    "random_crop": augment.random_crop(8),
    "affine": augment.affine(),
    "brightness_contrast": augment.brightness_contrast(),
    "erase": augment.erase(4),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_pictures_are_changed_alike_on_both_devices(name):
    images = torch.rand(16, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    here, there = (
        TRANSFORMS[name](images.to(device), torch.Generator().manual_seed(2)) for device in ("cpu", "cuda")
    )
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hook", [augment.Mixup(10), augment.CutMix(10)])
def test_mixed_batches_train(hook):
    assert trainer(4, batch_hook=hook).evaluate(digits("test"))["accuracy"] > 0.8


def test_explanations_agree_with_the_processors():
    own = trainer(1, precision="no").model.eval()
    images = (load("digits", "test", source="embedded").images[:4].float() / 255 - 0.3) / 0.35
    for method in (
        lambda net: explain.grad_cam(net, "features.4", images),
        lambda net: explain.integrated_gradients(net, images),
        lambda net: explain.occlusion(net, images, window=4, stride=4),
    ):
        there, here = method(own.cuda()), method(own.cpu())
        torch.testing.assert_close(there.cpu(), here.cpu(), rtol=1e-3, atol=1e-4)


def test_suppression_keeps_the_same_boxes():
    corners = 100 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    boxes, scores = torch.cat([corners, corners + 20], 1), torch.linspace(1, 0, 200)
    here, there = nms(boxes, scores, 0.5), nms(boxes.cuda(), scores.cuda(), 0.5)
    assert there.is_cuda and there.tolist() == here.tolist()


def test_a_summary_leaves_the_model_on_its_device():
    net = SmallCNN(10)
    assert summary(net.cuda(), (1, 28, 28)).flops == summary(SmallCNN(10), (1, 28, 28)).flops
    assert next(net.parameters()).is_cuda


def test_a_convolution_keeps_the_digits_of_float32():
    runtime.seed_everything(0)
    x, w = torch.rand(4, 64, 16, 16), torch.rand(64, 64, 3, 3)
    exact = F.conv2d(x.double(), w.double())
    assert ((F.conv2d(x.cuda(), w.cuda()).cpu() - exact).abs() / exact).max() < 1e-5


@pytest.mark.parametrize("lesson", lessons.written(), ids=lambda lesson: lesson.name)
def test_a_lesson_meets_its_thresholds(lesson, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    settings = {"DEVICE": "cuda", "DATA_SOURCE": "embedded", "PROFILE": "fast"}
    done = runner.run(lesson, settings, tmp_path, progress=False)
    assert done.problems == []
    uses_none = "a GPU is not used" in lesson.path.read_text(encoding="utf-8")
    assert done.run["device"] == ("cpu" if uses_none else "cuda")
