"""What the prose of a lesson may not hold, as functions over Markdown text."""

import re

from course_utils.notebooks import COST

CITATION = re.compile(r"\([^()]*\b(1[89]|20)\d\d[a-z]?\)")
MEASURED = [
    re.compile(r"\d\s?%"),
    re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])"),
    re.compile(r"(?<![\w.])\d[\d,.]*\s?(?:s|ms|µs|seconds?|minutes?|min|hours?|[GMk]B|GFLOP/s|img/s|epochs?/s|times|fold)(?!\w)"),
    re.compile(r"\d\s?×(?!\s?[\dA-Z$])"),
]  # fmt: skip
FILLER = re.compile(
    r"\b(simply|just|obviously|basically|of course|easily|amazing|awesome|exciting)\b", re.IGNORECASE
)
EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")


def plain(markdown: str) -> str:
    """The prose alone: without code, mathematics, HTML comments and the targets of links."""
    for pattern in (
        r"```.*?```",
        r"<!--.*?-->",
        r"\$\$.*?\$\$",
        r"\$[^$\n]+\$",
        r"`[^`\n]+`",
        r"\]\([^)]*\)",
        r"<[^>]+>",
    ):
        markdown = re.sub(pattern, " ", markdown, flags=re.DOTALL)
    return markdown


def measured_numbers(markdown: str) -> list[str]:
    """Numbers that look measured, outside code, mathematics and lines that cite a source as (Author, year).

    A lesson prints what it measures. Exempt are exercise ids such as 01.3, the cost line, which is generated, and the
    list of sources.
    """
    found = []
    markdown = markdown.split("## Sources")[0]
    for line in markdown.split("\n"):
        if COST in line or CITATION.search(line):
            continue
        line = (
            re.sub(r"\b\d\d\.\d\b(?=\W|$)(?<=\d\d\.\d)", " ", plain(line))
            if re.search(r"[Ee]xercise", line)
            else plain(line)
        )
        found += [match.group(0) for pattern in MEASURED for match in pattern.finditer(line)]
    return found


def bad_style(markdown: str) -> list[str]:
    """Exclamation marks, emoji and filler words."""
    text = plain(re.sub(r"!\[", "[", markdown))
    found = [m.group(0) for m in FILLER.finditer(text)] + EMOJI.findall(text)
    return found + (["!"] if "!" in text else [])
