"""``course inspect``: what is in a folder of pictures and labels, and what would break a training on it.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     _ = [Path(folder, name).mkdir() for name in ("cat", "dog")]
...     _ = Path(folder, "cat", "a.jpg").write_text("no picture")
...     report = inspect_folder(folder, "classification")
>>> report.ok, report.findings[0].title, str(report.findings[0].places[0])
(False, '1 class folder without a picture', 'dog: no picture in it')
"""

from __future__ import annotations

from course_utils.inspection.core import inspect_folder
from course_utils.inspection.findings import TASKS, Box, Finding, Item, Layout, Place, Report

__all__ = ["TASKS", "Box", "Finding", "Item", "Layout", "Place", "Report", "inspect_folder"]
