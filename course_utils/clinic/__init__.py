"""The training clinic of lesson 19: scripts with a fault, the chart of a run, its vital signs, and recovery.

>>> from course_utils import clinic
>>> sorted(set(clinic.DISEASES.values()) - {"leakage"})[:2]
['augmentation destroys the label', 'class imbalance ignored']
"""

from course_utils.clinic.chart import Chart
from course_utils.clinic.figure import draw, table
from course_utils.clinic.patients import DISEASES, GOALS, Recovery, admit, digits, train
from course_utils.clinic.scripts import HEALTHY, cured, edit, function, sick
from course_utils.clinic.signs import RULES, SIGNS, fits, recalls, signs
from course_utils.clinic.ward import Pictures, batches, plain_net, relit, small_net, split

__all__ = [
    "DISEASES",
    "GOALS",
    "HEALTHY",
    "RULES",
    "SIGNS",
    "Chart",
    "Pictures",
    "Recovery",
    "admit",
    "batches",
    "cured",
    "digits",
    "draw",
    "edit",
    "fits",
    "function",
    "plain_net",
    "recalls",
    "relit",
    "sick",
    "signs",
    "small_net",
    "split",
    "table",
    "train",
]
