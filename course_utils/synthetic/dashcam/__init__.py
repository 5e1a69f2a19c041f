"""A street through a dash cam: seeded drives whose pictures come with exact labels, for lesson 18.

A flat world of road, pavement, houses, trees, signs and fences is seen through a pinhole camera of known height and pitch;
cars, pedestrians and bicyclists move in it. Every frame has the labels of CamVid's 11 classes, boxes with track numbers,
depth, lines of the road on the ground and in the picture, scene tags and the camera's own motion. Weather and time of day
change the pictures alone.

>>> frame = next(drive(seed=0))
>>> CLASSES[frame.labels[-40, 120]], frame.camera.height
('road', 1.3)
"""

from course_utils.synthetic.dashcam.camera import Camera
from course_utils.synthetic.dashcam.conditions import TIMES, WEATHERS, Conditions
from course_utils.synthetic.dashcam.frames import Ego, Frame, Line, Thing, drive
from course_utils.synthetic.dashcam.shapes import Label

CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign or symbol",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
IGNORE = int(Label.UNLABELLED)

__all__ = [
    "CLASSES",
    "IGNORE",
    "TIMES",
    "WEATHERS",
    "Camera",
    "Conditions",
    "Ego",
    "Frame",
    "Label",
    "Line",
    "Thing",
    "drive",
]
