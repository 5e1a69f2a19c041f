"""Without a GPU, the tests for one run on a pretended one: a tensor left on the wrong device fails here too.

Of the lessons only 09 is among them, which uses the most of the trainer. ``PRETENDED_GPU=1 python -m pytest tests/test_gpu.py``
runs them all.
"""

import os
import subprocess
import sys

import pytest
import torch

from course_utils.paths import ROOT


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
def test_the_tests_for_a_gpu_pass_on_a_pretended_one():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/test_gpu.py",
        "-k",
        "not lesson or 09",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PRETENDED_GPU": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "skipped" not in done.stdout
