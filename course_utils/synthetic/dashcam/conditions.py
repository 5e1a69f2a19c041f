"""Weather, time of day and the sensor: functions from surfaces to a picture. Labels and depth stay as they are.

Light is linear until the last step, which takes a square root, close to the curve of sRGB. Sources: H. Koschmieder (1924),
*Theorie der horizontalen Sichtweite*, for fog: what is d metres away keeps exp(-3.912 d / visibility) of its contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from course_utils.errors import CourseError, choice
from course_utils.synthetic.dashcam import noise
from course_utils.synthetic.dashcam.camera import Camera
from course_utils.synthetic.dashcam.shapes import tint, triple
from course_utils.synthetic.dashcam.surfaces import Surfaces

WEATHERS = ("sun", "overcast", "fog", "rain")
TIMES = ("day", "dusk", "night")
VISIBILITY = {"sun": 4000.0, "overcast": 2500.0, "fog": 90.0, "rain": 600.0}  # metres
SHUTTER = {"day": 1 / 1000, "dusk": 1 / 80, "night": 1 / 40}  # seconds
GAIN = {"day": 1.0, "dusk": 2.2, "night": 5.0}  # of the sensor: it amplifies its noise too


@dataclass(frozen=True)
class Conditions:
    """Weather, time of day, ``visibility`` (m), ``exposure`` (a factor on the light), ``shutter`` (s) and ``noise`` (1: a usual sensor).

    ``None`` is what is usual for that weather and time.

    >>> Conditions("fog").sight, Conditions(time_of_day="night").open
    (90.0, 0.025)
    """

    weather: str = "sun"
    time_of_day: str = "day"
    visibility: float | None = None
    exposure: float = 1.0
    shutter: float | None = None
    noise: float = 1.0

    def __post_init__(self):
        choice(self.weather, WEATHERS, "weather")
        choice(self.time_of_day, TIMES, "time of day")
        for name, low in (("visibility", 1), ("exposure", 0.01), ("shutter", 0), ("noise", 0)):
            value = getattr(self, name)
            if value is not None and not value >= low:
                raise CourseError(f"{name}={value!r} is not valid. Valid: a number of at least {low}.")

    @property
    def sight(self) -> float:
        """Metres at which a black thing keeps 2 % of its contrast with the horizon."""
        return VISIBILITY[self.weather] if self.visibility is None else self.visibility

    @property
    def open(self) -> float:
        """Seconds for which the shutter is open."""
        return SHUTTER[self.time_of_day] if self.shutter is None else self.shutter


def expose(
    surfaces: Surfaces,
    camera: Camera,
    conditions: Conditions,
    motion: tuple[float, float],
    random: np.random.Generator,
) -> np.ndarray:
    """The picture (H, W, 3) uint8. ``motion``: speed in m/s and turn rate in rad/s, for the blur."""
    distance = surfaces.depth * camera.stretch
    air, zenith = _air(conditions)
    picture = lit(surfaces, camera, conditions, distance)
    sky = np.flatnonzero(np.isinf(surfaces.depth))
    rays = camera.rays.reshape(-1, 3).take(sky, 0)
    picture.reshape(-1, 3)[sky] = sky_light(rays, surfaces.heading, conditions, air, zenith)
    if conditions.weather == "rain":
        picture = wet(picture, surfaces, camera)
    picture = fog(picture, distance, conditions.sight, air)
    if conditions.time_of_day != "day":
        picture += 0.8 * cv2.GaussianBlur(np.maximum(picture - 0.9, 0), (0, 0), camera.size[0] / 45)
    picture = cv2.GaussianBlur(picture, (3, 3), 0.45)  # the lens
    picture = motion_blur(picture, surfaces, camera, conditions.open, *motion)
    if conditions.weather == "rain":
        picture = streaks(picture, air, random)
    return sensor(picture, conditions, random)


def lit(surfaces: Surfaces, camera: Camera, conditions: Conditions, distance: np.ndarray) -> np.ndarray:
    """Linear light (H, W, 3) float32 that comes from the surfaces under sun, sky, lamps and headlights."""
    day = conditions.time_of_day == "day"
    if day and conditions.weather == "sun":
        sky, sun = np.float32([0.56, 0.63, 0.74]), np.float32([1.9, 1.75, 1.5])
    elif day:
        dim = {"overcast": 1.25, "fog": 1.15, "rain": 0.85, "sun": 1.0}[conditions.weather]
        sky, sun = np.float32([0.95, 0.98, 1.0]) * dim, None
    elif conditions.time_of_day == "dusk":
        clear = 1.0 if conditions.weather == "sun" else 0.25
        sky, sun = np.float32([0.28, 0.27, 0.34]), np.float32([0.5, 0.24, 0.1]) * clear
    else:
        sky, sun = np.float32([0.012, 0.015, 0.024]), None
    light = tint(surfaces.sky, sky)
    if sun is not None:
        light += tint(surfaces.sun, sun)
    if not day:
        strength = 1.0 if conditions.time_of_day == "night" else 0.25
        light += strength * headlights(camera, distance) * triple((~surfaces.own).astype(np.float32))
        light += strength * street_lamps(surfaces, camera)
    own = {"day": 0.12, "dusk": 0.8, "night": 1.0}[conditions.time_of_day]
    return surfaces.colour * light + own * surfaces.glow


def headlights(camera: Camera, distance: np.ndarray) -> np.ndarray:
    """Light (H, W, 3) of the car's own dipped beam: a bright patch ahead, cut off just above the height of the lamps."""
    bearing, rise = camera.directions
    side = np.exp(-((bearing / 0.3) ** 2))
    up = 57.3 * rise + 40 / np.maximum(distance, 4)  # degrees from the lamps, which hang below the camera
    beam = 1 / (1 + np.exp(np.clip(2.2 * (up - 0.8), -30, 30)))
    fall = np.minimum(distance / 9, 1) / (1 + (np.minimum(distance, 1e4) / 14) ** 2)
    return tint(side * (0.06 + beam) * fall * 1.8, (1.0, 0.95, 0.82))


def street_lamps(surfaces: Surfaces, camera: Camera) -> np.ndarray:
    """Light (H, W, 3) of the lamps within 70 m on everything around them."""
    at = np.flatnonzero(surfaces.depth < 100)
    points = camera.planes.reshape(3, -1).take(at, 1) * surfaces.depth.take(at)
    light, total = np.zeros(len(at), np.float32), np.zeros(camera.size, np.float32)
    for lamp in surfaces.lamps.astype(np.float32):
        if -8 < lamp[0] < 70:
            x, y, z = points - lamp[:, None]
            squared = x * x + y * y + z * z + 1
            light += np.maximum(-z, 0) / (squared * np.sqrt(squared))
    total.ravel()[at] = light
    return tint(total * 14, (1.0, 0.7, 0.36))


def sky_light(rays, heading: float, conditions: Conditions, air, zenith) -> np.ndarray:
    """Linear light (N, 3) of the sky: a gradient from the horizon up, and clouds on a level above us."""
    x, y, z = np.ascontiguousarray(rays.T)
    up = np.maximum(z / np.sqrt(x * x + y * y + z * z), 0.012)
    high = 1 - np.exp(-up / 0.22)
    colour = tint(1 - high, air) + tint(high, zenith)
    if conditions.weather == "fog":
        return colour
    z = 0.03 / z.clip(0.02)
    c, s = np.float32(np.cos(heading)), np.float32(np.sin(heading))
    cloud = noise.soft((c * x - s * y) * z, (s * x + c * y) * z)
    if conditions.weather == "sun":
        cover = np.clip(cloud * 0.5 - 0.2, 0, 0.85) * np.clip(up * 6 - 0.25, 0, 1)
        white = {"day": (1.25, 1.25, 1.25), "dusk": (0.75, 0.4, 0.3), "night": (0.03, 0.03, 0.035)}
        return colour * triple(1 - cover) + tint(cover, white[conditions.time_of_day])
    return colour * triple(1 + 0.14 * cloud * np.clip(up * 5, 0, 1))


def fog(picture, distance, visibility: float, air) -> np.ndarray:
    """Koschmieder's law: each pixel keeps a share of its light that falls with distance; the air's own light is the rest.

    >>> black = np.zeros((1, 2, 3), np.float32)
    >>> fog(black, np.array([[10.0, 100.0]]), 100.0, np.float32([1, 1, 1]))[0, :, 0].round(2)
    array([0.32, 0.98], dtype=float32)
    """
    kept = np.exp(-3.912 / visibility * np.where(np.isinf(distance), 0, distance)).astype(np.float32)
    return picture * triple(kept) + tint(1 - kept, air)


def wet(picture, surfaces: Surfaces, camera: Camera) -> np.ndarray:
    """Wet ground: darker, and the flatter it is seen the more it mirrors what stands above the horizon."""
    rows = np.arange(camera.size[0])
    mirror = np.clip(np.rint(2 * camera.horizon - rows), 0, camera.size[0] - 1).astype(int)
    reflected = cv2.GaussianBlur(picture[mirror], (1, 0), 0.01, sigmaY=camera.size[0] / 40)
    flatness = np.exp(-np.maximum(rows - camera.horizon, 0) / (0.22 * camera.size[0])).astype(np.float32)
    share = surfaces.wet * (0.1 + 0.4 * flatness)[:, None]
    return picture * triple(1 - 0.45 * surfaces.wet) + reflected * triple(share)


def streaks(picture, air, random: np.random.Generator) -> np.ndarray:
    """Falling drops, drawn as short bright strokes."""
    rows, columns = picture.shape[:2]
    mask, slant = np.zeros((rows, columns), np.uint8), random.normal(0, 0.06)
    n = rows * columns // 220
    starts = random.uniform([0, -0.1 * rows], [columns, rows], (n, 2))
    lengths, shades = random.uniform(0.02, 0.08, n) * rows, random.integers(25, 110, n)
    ends = starts + lengths[:, None] * [slant, 1]
    strokes = np.stack([starts, ends], 1) * 16
    for shade in range(25, 110, 5):
        some = (shades - shade) // 5 == 0
        cv2.polylines(mask, list(strokes[some].astype(np.int32)), False, shade, 1, cv2.LINE_AA, 4)
    share = 0.45 / 255 * mask.astype(np.float32)
    return picture * triple(1 - 0.5 * share) + tint(share, 0.25 + air)


def motion_blur(
    picture, surfaces: Surfaces, camera: Camera, shutter: float, speed: float, turn: float
) -> np.ndarray:
    """The mean of what each pixel sees while the shutter is open and the camera moves on; only the camera's motion blurs."""
    if camera.focal * (abs(speed) / 4 + abs(turn)) * shutter < 0.7:
        return picture  # what is 2 m ahead and 1 m aside moves by less than this many pixels
    columns, rows = (np.arange(n, dtype=np.float32) for n in camera.size[::-1])
    x, y = ((a - middle) / camera.focal for a, middle in zip((columns, rows), camera.K[:2, 2], strict=True))
    x, y, depth = x.astype(np.float32), y.astype(np.float32)[:, None], np.minimum(surfaces.depth, 1e4)
    dx, dy, dz = (camera.R @ [speed * shutter, 0, 0]).astype(np.float32)
    ahead = np.maximum(depth - dz, 0.3)
    moving = np.float32(camera.focal) * ~surfaces.own
    move_u = moving * ((x * depth - dx) / ahead - x + np.float32(turn * shutter))
    move_v = moving * ((y * depth - dy) / ahead - y)
    blurred = picture.copy()
    for t in (-0.5, -0.25, 0.25, 0.5):
        u, v = columns + np.float32(t) * move_u, rows[:, None] + np.float32(t) * move_v
        blurred += cv2.remap(picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return blurred / 5


def sensor(picture, conditions: Conditions, random: np.random.Generator) -> np.ndarray:
    """Electrons counted with noise, a soft shoulder instead of a hard white, and 8 bits: (H, W, 3) uint8."""
    gain = GAIN[conditions.time_of_day]
    signal = picture * np.float32(conditions.exposure)
    spread = np.sqrt(3e-4 * signal / gain + 4e-6) * np.float32(conditions.noise)
    spare = len(noise.normal()) - picture.size
    if spare > 0:
        start = random.integers(spare)
        draws = noise.normal()[start : start + picture.size].reshape(picture.shape)
    else:
        draws = random.standard_normal(picture.shape, np.float32)
    signal = np.maximum(gain * (signal + spread * draws), 0)
    return (np.sqrt(1 - np.exp(-1.25 * signal)) * 255 + 0.5).astype(np.uint8)


def _air(conditions: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """The light of the air at the horizon and of the sky at the zenith, linear RGB."""
    horizon, zenith = {
        "day": ((0.95, 1.0, 1.05), (0.8, 0.83, 0.86)),
        "dusk": ((0.3, 0.27, 0.27), (0.12, 0.14, 0.2)),
        "night": ((0.018, 0.017, 0.018), (0.008, 0.009, 0.013)),
    }[conditions.time_of_day]
    if conditions.weather == "sun":
        horizon, zenith = {
            "day": ((0.82, 0.92, 1.02), (0.16, 0.36, 0.78)),
            "dusk": ((0.75, 0.42, 0.22), (0.1, 0.13, 0.28)),
            "night": ((0.018, 0.018, 0.022), (0.004, 0.005, 0.01)),
        }[conditions.time_of_day]
    dim = 0.7 if conditions.weather == "rain" else 1.0
    return np.float32(horizon) * dim, np.float32(zenith) * dim
