"""Training across two hosts, as two network namespaces of this machine: the same weights, and one host that dies."""

import os
import signal
import subprocess
import sys
import time

import pytest

from course_utils.paths import ROOT

SCRIPT = """
import os, sys, time, torch
from torch import nn
from course_utils.loaders import TensorLoader
from course_utils.trainer import Trainer
folder, out, epochs, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
g = torch.Generator().manual_seed(1)
images, targets = torch.rand(24, 1, 2, 2, generator=g), torch.randint(0, 2, (24,), generator=g)
def slow(X, y):
    time.sleep(pause)
    return X, y
t = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.5), batch_hook=slow if pause else None, device="cpu")
world = t.accelerator().num_processes
loader = TensorLoader(images, targets, 12, shuffle=True, seed=0)
history = t.fit(loader, epochs, checkpoint=folder, progress=False)
if t.accelerator().is_main_process:
    torch.save(model.state_dict(), out)
sys.stdout.write(f"of {world} processes, {len(history.rows)} epochs\\n")
"""
PORT = 29517


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts():
    """Two hosts with a wire between them: the commands that run something on each."""
    names = [f"course{os.getpid()}{end}" for end in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip(
            "link",
            "add",
            "wire",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            "wire",
            "netns",
            names[1],
        )
        for number, name in enumerate(names, start=1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
        pytest.skip(
            f"this machine allows no network namespaces: {getattr(error, 'stderr', error) or error}".strip()
        )
    yield [["ip", "netns", "exec", name] for name in names]
    for name in names:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def start(host: list[str], rank: int, script, *arguments) -> subprocess.Popen:
    """One process on a host, told as ``torchrun`` tells it who it is and where the first one listens."""
    about = {"MASTER_ADDR": "10.77.0.1", "MASTER_PORT": str(PORT), "WORLD_SIZE": "2", "RANK": str(rank)}
    about |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "GLOO_SOCKET_IFNAME": "wire"}
    about |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*host, sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(
        command, env=os.environ | about, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def alone(script, *arguments) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(file):
    import torch

    return torch.load(file, weights_only=True)


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(SCRIPT, encoding="utf-8")
    return file


def same(a, b) -> None:
    import torch

    for name, tensor in weights(a).items():
        torch.testing.assert_close(tensor, weights(b)[name], rtol=0, atol=1e-6)


def test_two_hosts_train_as_one(hosts, script, tmp_path):
    processes = [
        start(h, r, script, tmp_path / "run", tmp_path / "two.pt", 3, 0) for r, h in enumerate(hosts)
    ]
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert "of 2 processes, 3 epochs" in out
    alone(script, tmp_path / "other", tmp_path / "one.pt", 3, 0)
    same(tmp_path / "two.pt", tmp_path / "one.pt")


def test_when_a_host_dies_the_other_says_so_and_one_process_finishes_the_run(hosts, script, tmp_path):
    run, out = tmp_path / "run", tmp_path / "two.pt"
    first, second = (start(h, r, script, run, out, 400, 0.02) for r, h in enumerate(hosts))
    deadline = time.monotonic() + 200
    while not list(run.glob("*")) and time.monotonic() < deadline:
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.1)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    _, err = first.communicate(timeout=120)
    assert first.returncode == 1
    assert (
        "another of the 2 processes is gone" in err.splitlines()[-1]
        or "another of the 2 processes is gone" in err
    )
    assert f"the last checkpoint in {run}" in err
    assert not out.exists()
    assert "of 1 processes, 400 epochs" in alone(script, run, out, 400, 0)
    alone(script, tmp_path / "other", tmp_path / "one.pt", 400, 0)
    same(out, tmp_path / "one.pt")
