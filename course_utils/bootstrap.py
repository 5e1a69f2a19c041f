"""Install what the lessons need and this Python lacks; leave torch, torchvision and numpy as they are.

The bootstrap cell of each notebook runs this on Colab, straight from the cloned repository. It therefore
imports nothing but the standard library until it knows what is there.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
KEEP = ("torch", "torchvision", "numpy")
# What runs notebooks from outside is there already, or is not needed inside a running one.
OUTSIDE = ("ipykernel", "ipywidgets", "jupyterlab", "nbclient", "nbformat", "papermill", "typer")


def missing(requirements: list[str]) -> list[str]:
    """Return the requirements that are not met; of those in ``KEEP`` only the ones that are not installed at all.

    >>> missing(["timm", "no-such-package-anywhere>=1"])
    ['no-such-package-anywhere>=1']
    """
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement

    wanted = []
    for text in requirements:
        need = Requirement(text)
        try:
            have = version(need.name)
        except PackageNotFoundError:
            wanted.append(text)
        else:
            if need.name not in KEEP and not need.specifier.contains(have, prereleases=True):
                wanted.append(text)
    return wanted


def main() -> None:
    """Install what is missing, with the installed torch, torchvision and numpy as constraints."""
    requirements = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {text: text.split(">")[0].split("=")[0].split("<")[0].strip() for text in requirements}
    wanted = missing([text for text in requirements if names[text] not in OUTSIDE])
    if not wanted:
        print("Everything the lessons need is installed.")
        return
    kept = []
    for name in KEEP:
        try:
            kept.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    print(
        "Installing", ", ".join(names[text] for text in wanted), "beside", ", ".join(kept) or "a fresh torch"
    )
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(kept), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--constraint",
            str(constraints),
            *wanted,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"pip could not install {', '.join(wanted)}:\n{done.stderr.strip()}\n"
            "Restart the runtime and run this cell again; if it fails again, install these by hand."
        )
    importlib.invalidate_caches()


if __name__ == "__main__":
    main()
