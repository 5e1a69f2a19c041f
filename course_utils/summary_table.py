"""A layer summary as a table, for a terminal and for a notebook (the counting is in :mod:`course_utils.summary`)."""

from __future__ import annotations

from html import escape

CONVENTION = (
    "FLOPs as torch counts them: a multiply-add is 2; only convolutions and matrix products count. "
    "Activations: bytes of new output; a view or an in-place result takes none."
)
_COSTS = ("parameters", "flops", "memory")
_LARGE = 1e8  # from here on a column is in millions


def as_text(report) -> str:
    """The table in aligned columns."""
    table = _table(report)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = [
        "  ".join(
            t.ljust(w) if i < 3 else t.rjust(w) for i, (t, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]
    lines = [line.rstrip() for line in lines]
    ruler = "─" * max(map(len, lines))
    return "\n".join([lines[0], ruler, *lines[1:-1], ruler, lines[-1], *_notes(report)])


def as_html(report) -> str:
    """The table for a notebook; the largest number of each cost is bold."""
    head, *body, total = _table(report)
    rows = report.readable().rows
    for column, key in enumerate(_COSTS, start=3):
        values = [getattr(row, key) for row in rows]
        most = values.index(max(values)) if any(values) else None
        for i, line in enumerate(body):
            line[column] = f"<b>{line[column]}</b>" if i == most else line[column]
    lines = [_line(map(escape, head), "th", "normal")]
    lines += [
        _line([*map(escape, line[:3]), *line[3:6], *map(escape, line[6:])], "td", "nowrap") for line in body
    ]
    lines.append(_line([f"<b>{text}</b>" for text in total], "td", "nowrap"))
    notes = "<br>".join(map(escape, _notes(report)))
    return f'<table style="font-size:85%">{"".join(lines)}</table><p><small>{notes}</small></p>'


def _line(cells, tag: str, space: str) -> str:
    align = ["left"] * 3 + ["right"] * 5
    style = (
        f'<{tag} style="text-align:{a};white-space:{space};padding:2px 4px">{t}</{tag}>'
        for t, a in zip(cells, align, strict=True)
    )
    return f"<tr>{''.join(style)}</tr>"


def _table(report) -> list[list[str]]:
    """Heading, one line a row, totals: as texts."""
    totals = [getattr(report, key) for key in _COSTS]
    scale = [1e6 if total >= _LARGE else 1 for total in totals]
    names = [("parameters", "M parameters"), ("FLOPs", "MFLOPs"), ("activations (bytes)", "activations (MB)")]
    heads = [large if s > 1 else small for (small, large), s in zip(names, scale, strict=True)]

    def numbers(values):
        return [f"{v / s:,.2f}" if s > 1 and v else f"{v:,}" for v, s in zip(values, scale, strict=True)]

    lines = [["layer", "kind", "output", *heads, "receptive field", "jump"]]
    for row in report.readable().rows:
        name = (row.name or "(the model itself)") + (f" (call {row.call})" if row.call > 1 else "")
        where = ["whole" if row.receptive_field is None else _sides(row.receptive_field)]
        where += ["–" if row.jump is None else _sides(row.jump)]
        shape = row.output[row.output[:1] == (report.batch_size,) :]
        lines.append([name, row.kind, _sides(shape), *numbers([getattr(row, key) for key in _COSTS]), *where])
    return [*lines, ["total", "", "", *numbers(totals), "", ""]]


def _notes(report) -> list[str]:
    shape = _sides(report.input_size)
    notes = [f"Batch of {report.batch_size}, each input {shape}; output shapes are for one. {CONVENTION}"]
    shown = len(report.readable().rows)
    if shown < len(report.rows):
        notes.append(
            f"{len(report.rows)} rows folded to {shown}; .rows has them all, .fold(depth) folds as you say."
        )
    if report.unused:
        names = ", ".join(list(report.unused)[:4]) + (" …" if len(report.unused) > 4 else "")
        notes.append(
            f"{sum(report.unused.values()):,} parameters belong to modules that were not called: {names}."
        )
    return notes


def _sides(value) -> str:
    return " × ".join(map(str, value)) if isinstance(value, tuple) else str(value)
