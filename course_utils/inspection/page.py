"""The report as one HTML file: findings with their pictures, and a page of samples with their labels drawn on."""

from __future__ import annotations

import base64
import io
import random
from collections import defaultdict
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from course_utils.inspection import report as words
from course_utils.inspection.findings import Finding, Item, Report, count

SAMPLES, OF_A_FINDING = 24, 6
SIDE = 320  # pixels of a drawn picture's longer side
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#f0e442", "#000000", "#882255", "#44aa99", "#999933", "#aa4499"),
)
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111;background:#fff}
h1{font-size:1.5em} h2{font-size:1.2em;margin-top:2em;border-bottom:2px solid #111} h3{font-size:1em;margin:1.5em 0 0}
pre{background:#f4f4f4;padding:1em;overflow-x:auto} .error h3::before{content:"■ ";color:#b30000}
.warning h3::before{content:"▲ ";color:#a65900} .note h3::before{content:"● ";color:#005a9c}
ul.pictures{display:flex;flex-wrap:wrap;gap:12px;list-style:none;padding:0} .pictures li{max-width:320px}
figure{margin:0} figcaption{font-size:.8em;overflow-wrap:anywhere} img{max-width:100%}
summary{cursor:pointer} code{overflow-wrap:anywhere}
"""


def write(report: Report, file: Path) -> None:
    """Write the report to ``file``; the pictures stand in it, so that it can be moved and sent."""
    Path(file).write_text(
        html(report), encoding="utf-8", errors="backslashreplace"
    )  # a name need not be UTF-8


def html(report: Report) -> str:
    """The page as text. Everything that comes from the folder is escaped."""
    items = {item.file: item for item in report.layout.items}
    items |= {item.mask: item for item in report.layout.items if item.mask}
    colours = _colours(report)
    title = f"{report.root.name} for {report.task}"
    about = words.lines(report)
    head = about[: about.index("")]
    parts = [
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>",
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>",
        f"<p><strong>{escape(words.verdict(report))}</strong></p><pre>{escape(chr(10).join(head))}</pre>",
    ]
    for heading, found in words.sections(report):
        if found:
            parts.append(f"<section class='{found[0].level}'><h2>{heading.capitalize()} ({len(found)})</h2>")
            parts += [_finding(report, finding, items, colours) for finding in found]
            parts.append("</section>")
    chosen = samples(report)
    parts.append(f"<h2>Samples ({len(chosen)} of {len(report.pictures):,}), with their labels</h2>")
    if "masks" in report.layout.labels:
        marks = "".join(f" <span style='color:{colour}'>■</span> {i}" for i, colour in enumerate(COLOURS))
        parts.append(f"<p>Values of masks:{marks}, then again from the first; 255 is white.</p>")
    parts.append("<ul class='pictures'>")
    parts += [_figure(report, item, colours, _caption(item)) for item in chosen]
    return "\n".join([*parts, "</ul></body></html>"])


def samples(report: Report, n: int = SAMPLES) -> list[Item]:
    """Up to ``n`` readable pictures, the classes in turn (pictures with boxes or masks: at random), the same each time."""
    groups = defaultdict(list)
    for item in report.layout.items:
        if report.pictures[item.file].look is not None:
            groups[item.label].append(item)
    draw = random.Random(0)
    for group in groups.values():
        draw.shuffle(group)
    chosen = []
    while len(chosen) < n and any(groups.values()):
        chosen += [group.pop() for group in groups.values() if group]
    return chosen[:n]


def _finding(report: Report, finding: Finding, items: dict[str, Item], colours: dict) -> str:
    notes = defaultdict(list)
    for place in finding.places:
        note = place.note.replace(f" in {place.picture}", "") if place.picture else place.note
        notes[place.picture or place.file].append(note)
    seen = [file for file in notes if file in items and report.pictures[items[file].file].look is not None]
    figures = "".join(
        _figure(report, items[file], colours, f"{file}: {'; '.join(notes[file][:3])}")
        for file in seen[:OF_A_FINDING]
    )
    rows = "".join(f"<li><code>{escape(str(place))}</code></li>" for place in finding.places[:200])
    more = f"<li>and {len(finding.places) - 200:,} more</li>" if len(finding.places) > 200 else ""
    return (
        f"<h3>{escape(finding.title[:1].upper() + finding.title[1:])}</h3><p>{escape(finding.advice)}</p>"
        + (f"<ul class='pictures'>{figures}</ul>" if figures else "")
        + (f"<details><summary>Where ({len(finding.places):,})</summary><ul>{rows}{more}</ul></details>" if rows else "")
    )  # fmt: skip


def _caption(item: Item) -> str:
    parts = [item.label, count(len(item.boxes), "box") if item.boxes is not None else None, item.split]
    parts += [f"{kind} {name}" for kind, name in item.groups.items() if name != item.label]
    return " · ".join(part for part in [*parts, item.file] if part)


def _figure(report: Report, item: Item, colours: dict, caption: str) -> str:
    buffer = io.BytesIO()
    try:
        drawn(report, item, colours).save(buffer, "JPEG", quality=80)
    except Exception as error:  # a picture that cannot be drawn must not cost the page
        return f"<li>{escape(caption)} ({escape(str(error))})</li>"
    data = base64.b64encode(buffer.getvalue()).decode()
    text = escape(caption, quote=True)
    return f"<li><figure><img alt='{text}' src='data:image/jpeg;base64,{data}'><figcaption>{text}</figcaption></figure></li>"


def drawn(report: Report, item: Item, colours: dict[str, str]) -> Image.Image:
    """The picture, 320 pixels long, with its boxes and names or its mask in colours over it."""
    picture = Image.fromarray(_pixels(report, item))
    width, height = picture.size
    scale = SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
    if item.mask:
        small = _with_mask(small, report.root / item.mask)
    draw, font = ImageDraw.Draw(small), ImageFont.load_default(12)
    for box in item.boxes or ():
        x0, y0, x1, y1 = (float(np.clip(v * scale, -9, SIDE + 9)) for v in box[1:5])
        colour = colours.get(box.label, COLOURS[0])
        draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), outline=colour, width=2)
        place = (max(x0, 0) + 2, max(y0 - 14, 0))
        draw.rectangle(draw.textbbox(place, box.label[:20], font), fill="white")
        draw.text(place, box.label[:20], fill="black", font=font)
    return small


def _pixels(report: Report, item: Item) -> np.ndarray:
    from course_utils.data.folders import read_image

    if report.pictures[item.file].format == "DICOM":
        from course_utils.inspection import dicom

        return dicom.pixels(report.root / item.file)
    return read_image(report.root / item.file)


def _with_mask(picture: Image.Image, path: Path) -> Image.Image:
    """The mask over the picture: class numbers in the palette's colours, 255 white; coloured masks as they are."""
    with Image.open(path) as image:
        if image.mode in ("L", "P", "I", "I;16", "1"):
            ids = np.asarray(image.resize(picture.size, Image.Resampling.NEAREST)).astype(int)
            palette = np.array([ImageColor.getrgb(colour) for colour in (*COLOURS, "#ffffff")])
            over = Image.fromarray(
                palette[np.where(ids == 255, len(COLOURS), ids % len(COLOURS))].astype(np.uint8)
            )
        else:
            over = image.convert("RGB").resize(picture.size, Image.Resampling.NEAREST)
    return Image.blend(picture, over, 0.45)


def _colours(report: Report) -> dict[str, str]:
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(sorted(report.summary["classes"]))}
