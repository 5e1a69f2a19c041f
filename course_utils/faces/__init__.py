"""Recognise faces: split by people, align by landmarks, embed, verify, identify, enrol. Lesson 16 teaches each part.

Scores are cosine similarities, from -1 to 1: the higher, the more alike. A pair is **genuine** when both pictures show one
person, an **impostor** pair otherwise.
"""

from course_utils.faces.align import TEMPLATE, aligned, similarity
from course_utils.faces.identify import identification_rates, rank_one, templates
from course_utils.faces.losses import ArcFace, batch_hard_triplet
from course_utils.faces.model import Embedder, embed
from course_utils.faces.people import by_person, identity_folds
from course_utils.faces.verify import (
    all_pairs,
    equal_error_rate,
    error_interval,
    error_rates,
    rate_intervals,
    roc,
    threshold_at,
    unit,
)

__all__ = [
    "TEMPLATE",
    "ArcFace",
    "Embedder",
    "aligned",
    "all_pairs",
    "batch_hard_triplet",
    "by_person",
    "embed",
    "equal_error_rate",
    "error_interval",
    "error_rates",
    "identification_rates",
    "identity_folds",
    "rank_one",
    "rate_intervals",
    "roc",
    "similarity",
    "templates",
    "threshold_at",
    "unit",
]
