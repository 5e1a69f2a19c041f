"""Where the course's own files are, in a checkout and in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else PACKAGE / "_course"
NOTEBOOKS = ROOT / "notebooks"
CARDS = ROOT / "datasets"
RESULTS = ROOT / "results"
