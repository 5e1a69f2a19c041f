"""What pictures of patients need: DICOM read rightly, names taken out, numbers that a clinician asks for, own tables. Lesson 17.

>>> from course_utils.medical import auroc
>>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
0.75
"""

from course_utils.medical.cohort import Cohort, read_cohort
from course_utils.medical.dicom import Slice, deidentify, read_slice, window
from course_utils.medical.judging import (
    Agreement,
    agreement,
    auroc,
    group_interval,
    predictive_values,
    sensitivity_specificity,
    threshold_for_specificity,
)

__all__ = [
    "Agreement",
    "Cohort",
    "Slice",
    "agreement",
    "auroc",
    "deidentify",
    "group_interval",
    "predictive_values",
    "read_cohort",
    "read_slice",
    "sensitivity_specificity",
    "threshold_for_specificity",
    "window",
]
