"""A report as lines for a terminal and as a document for JSON."""

from __future__ import annotations

import textwrap

from course_utils.inspection.findings import LEVELS, Finding, Report, count

SHOWN = 3  # places of a finding in the terminal
WIDTH = 100


def lines(report: Report) -> list[str]:
    """The report for a terminal: the data in four lines, then the findings, worst first, then one sentence."""
    out = [f"{report.root} for {report.task}: {report.layout.format}", *_about(report)]
    number = 0
    for heading, found in sections(report):
        if found:
            out += ["", f"{heading} ({len(found)})"]
        for finding in found:
            number += 1
            out += _wrapped(f"{number:2}. {_sentence(finding.title)}", "    ")
            out += [f"      {_clean(place)}"[:240] for place in finding.places[:SHOWN]]
            if len(finding.places) > SHOWN:
                out.append(f"      and {len(finding.places) - SHOWN:,} more")
            out += _wrapped(f"    → {finding.advice}", "      ")
    return [*out, "", verdict(report)]


def sections(report: Report) -> list[tuple[str, list[Finding]]]:
    """Headings with their findings: the levels, worst first, then what concerns the lesson."""
    by_level = [
        (heading, [f for f in report.findings if f.level == level]) for level, heading in LEVELS.items()
    ]
    return [*by_level, ("FOR THE LESSON", report.lesson)]


def verdict(report: Report) -> str:
    """One sentence: whether to train on it."""
    by_level = {level: [f for f in report.findings if f.level == level] for level in LEVELS}
    if by_level["error"]:
        return f"Not ready: {count(len(by_level['error']), 'finding')} would break training or its score. Begin with 1."
    refused = any(
        f.code.endswith("for-the-lesson") or f.code in ("no-class-list", "mask-renamed")
        for f in (*report.findings, *report.lesson)
    )
    but = " The lesson would refuse it all the same." if refused else ""
    if by_level["warning"]:
        return f"Nothing breaks training. {count(len(by_level['warning']), 'finding')} to look at first.{but}"
    return f"Ready: nothing was found that breaks training or its score.{but}"


def document(report: Report) -> dict:
    """The report as JSON-ready values: ``path, task, ok, summary, findings, lesson``; each finding lists all its places."""
    return {
        "path": str(report.root),
        "task": report.task,
        "ok": report.ok,
        "summary": report.summary,
        "findings": [_finding(finding) for finding in report.findings],
        "lesson": [_finding(finding) for finding in report.lesson],
    }


def _finding(finding: Finding) -> dict:
    places = [{"file": p.file, "line": p.line or None, "note": p.note} for p in finding.places]
    return {
        "code": finding.code,
        "level": finding.level,
        "title": finding.title,
        "advice": finding.advice,
        "places": places,
    }


def _about(report: Report) -> list[str]:
    facts = report.summary
    head = count(facts["pictures"], "picture")
    if facts["readable"] < facts["pictures"]:
        head += f", {facts['readable']:,} of them readable"
    for kind, name in (("boxes", "box"), ("masks", "mask")):
        if facts[kind] is not None:
            head += f", {count(facts[kind], name)}"
    plurals = {"patient": "patients", "identity": "people", "video": "videos"}
    head += "".join(f", {n:,} {plurals[kind]}" for kind, n in facts["groups"].items())
    out = [head]
    if facts["splits"]:
        out.append("splits: " + _counts(facts["splits"]))
    if facts["classes"]:
        what = "people" if report.task == "faces" else "classes"
        out.append(f"{len(facts['classes']):,} {what}: {_counts(facts['classes'])}")
    if facts["median"]:
        small, middle, large = ("{}×{}".format(*facts[key]) for key in ("smallest", "median", "largest"))
        sizes = small if small == large else f"{small} to {large}, median {middle}"
        out.append(f"pixels: {sizes} · {_counts(facts['modes'])} · {_counts(facts['files'])}")
    return [line for text in out for line in _wrapped("  " + text, "    ")]


def _counts(counts: dict[str, int], shown: int = 12) -> str:
    if len(counts) > shown and len(set(counts.values())) == 1:
        return f"{next(iter(counts.values())):,} each ({', '.join(map(_clean, list(counts)[:3]))}, …)"
    words = [f"{_clean(name)} {n:,}" for name, n in list(counts.items())[:shown]]
    return ", ".join(words) + (f" and {len(counts) - shown:,} more" if len(counts) > shown else "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clean(text) -> str:
    """No control characters: a file's name must not move the cursor of the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(_clean(text), WIDTH, subsequent_indent=indent, break_long_words=False)
