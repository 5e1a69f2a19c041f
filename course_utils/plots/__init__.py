"""The course's figures: every function returns its axes, labelled and with alt text; ``show`` displays them.

>>> from course_utils import plots
>>> axes = plots.curves({"train": [0.9, 0.5, 0.3]}, xlabel="epoch", ylabel="loss")
>>> axes.get_ylabel()
'loss'
>>> plots.show(axes, alt="The loss falls from 0.9 to 0.3 in three epochs.")

Importing this module sets matplotlib's style for the process. Lesson 00 shows how figures are read.
"""

from course_utils.plots.boxes import boxes
from course_utils.plots.charts import bars, curves, histogram
from course_utils.plots.images import annotated_matrix, feature_maps, image, image_grid, overlay
from course_utils.plots.judging import confusion, most_wrong, reliability
from course_utils.plots.style import COLOURS, panels, show, use_course_style

__all__ = [
    "COLOURS",
    "annotated_matrix",
    "bars",
    "boxes",
    "confusion",
    "curves",
    "feature_maps",
    "histogram",
    "image",
    "image_grid",
    "most_wrong",
    "overlay",
    "panels",
    "reliability",
    "show",
]

use_course_style()
