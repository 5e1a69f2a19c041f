"""Fixtures that several test files share."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from matplotlib import pyplot

from course_utils import lessons

# Tests run side by side: one thread each is faster than several that wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if os.environ.get("PRETENDED_GPU"):
    import pretended_gpu

    pretended_gpu.install()
    os.environ.update(pretended_gpu.in_kernels(Path(tempfile.mkdtemp(prefix="pretended_gpu_"))))


def pytest_addoption(parser):
    parser.addoption("--thorough", action="store_true", help="every lesson twice, every format of own data")


def pytest_collection_modifyitems(config, items):
    """Skip what is marked ``gpu`` where there is no CUDA device, and ``thorough`` unless asked for; both are counted."""
    if not config.getoption("--thorough"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="runs with --thorough"))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    """No test depends on the settings of the shell it is started from."""
    for name in ("PROFILE", "DATA_SOURCE", "DEVICE", "SEED", "RUNS", "RECORD_DIR", "STATIC"):
        monkeypatch.delenv(f"COURSE_{name}", raising=False)


@pytest.fixture(autouse=True)
def _threads():
    """No test leaves more threads to the next: two beside another process wait for each other, ten times as long."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(autouse=True)
def _figures():
    """No test sees a figure that an earlier one left open."""
    pyplot.close("all")


@pytest.fixture
def write_lesson(tmp_path, monkeypatch):
    """Write a small lesson ``01_convolution`` from code cells into a temporary notebooks folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(lessons, "NOTEBOOKS", folder)

    def write(*cells, parameters='PROFILE = "auto"\nSEED = "auto"', expect=None, tags=()):
        nb = nbformat.v4.new_notebook()
        nb.metadata["course"] = {"question": "?", "headline": "score", "expect": expect or {}}
        nb.cells.append(nbformat.v4.new_markdown_cell("# 01 A lesson"))
        nb.cells.append(nbformat.v4.new_code_cell("# bootstrap", metadata={"tags": ["bootstrap"]}))
        if parameters is not None:
            nb.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        nb.cells += [
            nbformat.v4.new_code_cell(c, metadata={"tags": list(tags)} if "check(" in c else {})
            for c in cells
        ]
        lesson = lessons.Lesson("01_convolution")
        nbformat.write(nb, lesson.path)
        return lesson

    return write
