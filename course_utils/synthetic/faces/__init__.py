"""Drawn faces: hundreds of people who do not exist, with landmarks and exact labels, for lesson 16.

A person is a list of numbers (shape of the head, eyes, nose, hair, tone of the skin …). A picture adds what changes from one
picture to the next: pose, expression, light, glasses, something in front of the face, focus and noise.

>>> drawn = faces(people=range(3), pictures=2)
>>> drawn.images.shape, drawn.person.tolist(), drawn.landmarks.shape
((6, 112, 92), [0, 0, 1, 1, 2, 2], (6, 5, 2))
"""

from course_utils.synthetic.faces.conditions import CONDITIONS, OCCLUSIONS
from course_utils.synthetic.faces.drawing import LANDMARKS, Faces, faces
from course_utils.synthetic.faces.people import TONES, people

__all__ = ["CONDITIONS", "LANDMARKS", "OCCLUSIONS", "TONES", "Faces", "faces", "people"]
