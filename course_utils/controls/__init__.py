"""Controls over a figure: sliders, buttons and tables that redraw it, live in JupyterLab and a picture elsewhere.

``explore`` shows a function's figure with a control for each of its arguments. ``yours`` lets the reader's own answer
to an exercise draw it. Where nobody can move a control (papermill, nbval, ``course render``, GitHub, an exported page)
the figure is drawn for a few settings and shown as one picture; ``COURSE_STATIC=1`` asks for that in JupyterLab too.

>>> from course_utils import controls, plots
>>> def draw(stride):
...     return plots.curves({"": range(0, 12, stride)}, xlabel="output", ylabel="input")
>>> explorer = controls.explore(
...     draw, alt="A larger stride gives fewer values.", stride=range(1, 4), static=[{"stride": 1}, {"stride": 3}]
... )
>>> explorer.offers["stride"].label(3)
'3'

Importing this package imports neither ipywidgets nor matplotlib. Lesson 01 uses it first.
"""

from course_utils.controls.explorer import Explorer, explore
from course_utils.controls.readers import yours
from course_utils.controls.tables import Cells, Table

__all__ = ["Cells", "Explorer", "Table", "explore", "yours"]
