"""Controls: the picture where nobody can move them, the live figure where somebody can, and errors in words."""

import base64
import gc
import io
import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from ipywidgets import Widget
from jupyter_client.manager import start_new_kernel
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from course_utils import controls, lessons, plots
from course_utils.errors import CourseError, ExerciseError
from course_utils.plots.style import pixels
from course_utils.plots.tiles import MAX_WIDTH

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELS = {"blur": np.full((3, 3), 1 / 9), "edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]}
COLOURS = ["red", "green", "blue"]
STATIC = [{"stride": 1}, {"stride": 2}]
ALT = "A matrix that gets smaller with the stride."
CODE = """\
import numpy as np
from course_utils import controls, plots
def draw(stride):
    return plots.annotated_matrix(np.arange(36).reshape(6, 6)[::stride, ::stride])
controls.explore(draw, alt="A matrix that gets smaller with the stride.", stride=range(1, 4),
                 static=[dict(stride=1), dict(stride=2)])"""


def draw(stride):
    return plots.annotated_matrix(np.arange(36).reshape(6, 6)[::stride, ::stride])


def live(draw=draw, static=STATIC, **offers):
    """An explorer with its widgets, as in JupyterLab, but on no screen."""
    explorer = controls.Explorer(draw, ALT, offers or {"stride": range(1, 4)}, static)
    explorer.live(explorer.picture(explorer.static[0]))
    return explorer


def picture(explorer) -> np.ndarray:
    png = base64.b64decode(re.search(r"base64,([^\"]+)", explorer.figure.value)[1])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def shows(explorer, figure) -> bool:
    """Whether the live figure is this one; a palette may move a colour a little."""
    wanted, got = pixels(figure).astype(int), picture(explorer).astype(int)
    return wanted.shape == got.shape and np.abs(wanted - got).max() <= 32


# ---- what a notebook receives, from a real kernel ----


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "COURSE_STATIC": ""})

    def execute(code, somebody_there):
        """Run code as JupyterLab does (somebody can answer ``input()``), or as papermill and nbval do."""
        messages = []
        reply = client.execute_interactive(
            code, allow_stdin=somebody_there, output_hook=messages.append, timeout=60
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        outputs = [
            m for m in messages if m["msg_type"] in ("display_data", "stream", "error", "execute_result")
        ]
        return [nbformat.v4.output_from_msg(m) for m in outputs]

    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_without_a_reader_there_is_one_picture_and_no_widget(kernel):
    (output,) = kernel(CODE, somebody_there=False)
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.metadata["image/png"]["alt"] == ALT
    png = base64.b64decode(output.data["image/png"])
    assert Image.open(io.BytesIO(png)).width <= 1000 and len(png) < 60_000
    (again,) = kernel(CODE, somebody_there=False)
    assert again.data == output.data
    assert kernel("import sys; print('ipywidgets' in sys.modules)", False)[0].text == "False\n"


def test_with_a_reader_the_picture_stays_in_the_notebook_and_the_widget_follows(kernel):
    (static,) = kernel(CODE, somebody_there=False)
    grid, box, note = kernel(CODE, somebody_there=True)
    assert grid.data == static.data and grid.metadata == static.metadata
    assert set(box.data) == {WIDGET, "text/plain"} and len(box.data[WIDGET]["model_id"]) == 32
    assert "Run this cell" in note.data["text/html"]


def test_the_variable_asks_for_the_picture_in_jupyterlab_too(kernel):
    kernel("import os; os.environ['COURSE_STATIC'] = '1'", True)
    assert [set(o.data) for o in kernel(CODE, somebody_there=True)] == [{"image/png", "text/plain"}]
    kernel("os.environ['COURSE_STATIC'] = ''", True)


@pytest.mark.parametrize("template", ["lab", "classic"])
@pytest.mark.parametrize("somebody_there", [False, True], ids=["executed", "saved by a reader"])
def test_an_exported_page_shows_the_picture(kernel, somebody_there, template):
    from nbconvert import HTMLExporter

    cell = nbformat.v4.new_code_cell(CODE, outputs=kernel(CODE, somebody_there))
    exporter = HTMLExporter(template_name=template)
    page, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    (found,) = re.findall(r'<img[^>]*src="data:image/png;base64,[^"]+"[^>]*>', page)
    assert cell.outputs[0].data["image/png"].strip() in found.replace("\n", "")
    assert not re.search(rf'<script[^>]*type="{re.escape(WIDGET)}"', page)
    if template == "classic":  # the lab template leaves out every alt text
        assert f'alt="{ALT}"' in found


def test_import_is_cheap():
    code = "import sys, course_utils.controls as c; print([m for m in ('ipywidgets', 'matplotlib', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def uses():
    for lesson in lessons.written():
        for cell in nbformat.read(lesson.path, as_version=4).cells:
            if cell.cell_type == "code" and "controls.explore(" in cell.source:
                yield pytest.param(cell, id=f"{lesson.name} {cell.id}")


def test_lessons_use_controls():
    assert list(uses()), "the test below would be skipped without a word"


@pytest.mark.parametrize("cell", uses())
def test_every_control_of_a_lesson_is_committed_as_a_picture(cell):
    pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == cell.source.count("controls.explore(")
    assert not any(WIDGET in o.get("data", {}) for o in cell.outputs)
    for output in pictures:
        png = base64.b64decode(output.data["image/png"])
        assert Image.open(io.BytesIO(png)).width <= MAX_WIDTH and len(png) < 150_000
        assert len(output.metadata["image/png"]["alt"]) >= 20


# ---- the static picture ----


def grid(draw, static, columns=2, **offers):
    explorer = controls.Explorer(draw, ALT, offers, static, columns)
    return explorer, explorer.grid([explorer.picture(s, strict=True) for s in explorer.static])


def test_the_grid_holds_each_figure_pixel_for_pixel_under_its_values():
    _, figure = grid(draw, STATIC, stride=range(1, 4))
    whole = pixels(figure)
    for stride in (1, 2):
        tile = pixels(draw(stride))
        tops = range(whole.shape[0] - tile.shape[0] + 1)
        lefts = (0, whole.shape[1] - tile.shape[1], (whole.shape[1] + 16) // 2)
        found = (whole[y : y + tile.shape[0], x : x + tile.shape[1]] for y in tops for x in lefts if x >= 0)
        assert any(np.array_equal(part, tile) for part in found), stride
    assert [t.get_text() for t in figure.texts] == ["stride = 1", "stride = 2"]
    assert all(t.get_fontsize() >= 10 for t in figure.texts)


@pytest.mark.parametrize(("width", "columns", "expected"), [(2, 3, 3), (4.8, 3, 2), (6, 2, 1), (4.9, 2, 2)])
def test_the_grid_is_never_wider_than_a_page(width, columns, expected):
    def wide(stride):
        return plots.curves(
            {"": range(0, 9, stride)}, xlabel="x", ylabel="y", ax=plots.panels(width=width)[0, 0]
        )

    _, figure = grid(wide, [{"stride": s} for s in (1, 2, 3)], columns, stride=range(1, 4))
    across = pixels(figure).shape[1]
    assert across <= 1000 and across // int(width * 100) == expected


def test_captions_name_what_a_setting_names():
    def several(stride, kernel, weight, soft_edges):
        return plots.annotated_matrix(kernel)

    static = [
        {"stride": 2, "kernel": "edges", "weight": (1, 2)},
        {"kernel": KERNELS["blur"], "soft_edges": True},
        {"kernel": np.zeros((3, 3))},
    ]
    explorer, figure = grid(
        several, static, stride=np.arange(1, 4), kernel=controls.Table(KERNELS),
        weight=controls.Cells(["out 0", "out 1"], COLOURS), soft_edges=[False, True],
    )  # fmt: skip
    text = " ".join(t.get_text() for t in figure.texts)
    assert "stride = 2 · kernel = edges" in text and "weight = out 1, blue" in text
    assert "kernel = blur · soft edges = True" in text and "kernel = edited" in text
    assert explorer.static[1]["stride"] == 1 and explorer.static[1]["weight"] == (0, 0)
    assert isinstance(explorer.static[0]["stride"], int)


# ---- the live figure ----


def test_a_slider_redraws():
    explorer = live()
    assert shows(explorer, draw(1)) and f'alt="{ALT}"' in explorer.figure.value
    slider = explorer.parts["stride"].widget
    assert slider.description == "stride" and not slider.continuous_update
    slider.value = 3
    assert shows(explorer, draw(3)) and not shows(explorer, draw(1))


def test_it_starts_at_the_first_static_setting():
    explorer = live(static=[{"stride": 3}, {"stride": 1}])
    assert explorer.parts["stride"].widget.value == 3 and shows(explorer, draw(3))


def test_words_are_buttons_or_a_list_where_they_are_many():
    seen = []

    def note(mode, name):
        seen.append((mode, name))
        return plots.annotated_matrix([[1]])

    many = [f"a rather long name {i}" for i in range(8)]
    explorer = live(note, [{"mode": "same"}, {"mode": "valid"}], mode=["same", "valid"], name=many)
    buttons, listed = (explorer.parts[k].widget for k in ("mode", "name"))
    assert (type(buttons).__name__, type(listed).__name__) == ("ToggleButtons", "Dropdown")
    buttons.value = "valid"
    listed.value = many[5]
    assert seen == [("same", many[0]), ("valid", many[0]), ("valid", many[5])]


def kernel_table():
    seen = []

    def note(kernel):
        seen.append(kernel)
        return plots.annotated_matrix(kernel)

    static = [{"kernel": "blur"}, {"kernel": "edges"}]
    explorer = live(note, static, kernel=controls.Table(KERNELS))
    return explorer, explorer.parts["kernel"].inner, seen


def test_a_table_has_presets_and_cells_that_redraw():
    explorer, inner, seen = kernel_table()
    assert [c.value for c in inner["cells"]] == ["0.1111"] * 9 and inner["presets"].value == "blur"
    inner["presets"].value = "edges"
    assert np.array_equal(seen[-1], KERNELS["edges"]) and inner["cells"][3].value == "-2"
    drawn = len(seen)
    inner["cells"][4].value = "0.5"
    assert len(seen) == drawn + 1 and seen[-1][1, 1] == 0.5 and seen[-1][1, 0] == -2
    assert inner["presets"].value is None
    inner["cells"][4].value = "1/9"
    assert seen[-1][1, 1] == 1 / 9 and inner["cells"][4].value == "0.1111"
    inner["cells"][4].value = "0"
    assert inner["presets"].value == "edges", "typed back to a preset"
    inner["presets"].value = "blur"
    assert seen[-1][0, 0] == 1 / 9, "the shown digits are fewer than those used"
    assert all("row" in c.tooltip and "column" in c.tooltip for c in inner["cells"])
    seen[-1][:] = 7
    explorer.update()
    assert seen[-1][0, 0] == 1 / 9, "draw may write on what it gets"
    assert KERNELS["blur"][0, 0] == 1 / 9


@pytest.mark.parametrize("typed", ["abc", "", "1,5", "nan", "inf", "1/0", "<b>2</b>"])
def test_a_table_refuses_what_is_no_number_in_words(typed):
    explorer, inner, seen = kernel_table()
    inner["cells"][5].value = typed
    assert inner["cells"][5].value == "0.1111" and np.array_equal(seen[-1], KERNELS["blur"])
    assert "is not a number" in explorer.words.value and "row 2, column 3" in explorer.words.value
    assert "<b>2" not in explorer.words.value
    inner["cells"][5].value = "3"
    assert explorer.words.value == "" and seen[-1][1, 2] == 3


def test_cells_are_clicked_and_the_chosen_one_is_marked():
    seen = []

    def note(weight):
        seen.append(weight)
        return plots.annotated_matrix([[1]])

    cells = controls.Cells(["out 0", "out 1"], COLOURS)
    explorer = live(note, [{"weight": (0, 1)}, {"weight": (1, 1)}], weight=cells)
    buttons = explorer.parts["weight"].inner["buttons"]
    marked = [place for place, b in buttons.items() if b.button_style == "primary" and b.description == "●"]
    assert marked == [(0, 1)] and buttons[1, 2].tooltip == "out 1, blue"
    buttons[1, 2].click()
    assert seen[-1] == (1, 2)
    assert [place for place, b in buttons.items() if b.button_style == "primary"] == [(1, 2)]


def test_two_hundred_moves_leave_nothing_behind():
    def careless(stride):
        figure = pyplot.figure(figsize=(1, stride))
        if stride == 3:
            raise ValueError("a figure is left open")
        return figure

    explorer = live(careless)
    slider = explorer.parts["stride"].widget

    def left():
        gc.collect()
        return [sum(issubclass(type(thing), kind) for thing in gc.get_objects()) for kind in (Figure, Widget)]

    slider.value = 2
    before = left()
    for i in range(200):
        slider.value = i % 3 + 1
    assert pyplot.get_fignums() == [] and left() == before


# ---- the reader's own function ----

LAYER = "01.3"  # count_parameters(c_in, c_out, k, height, width)


def right(c_in, c_out, k, height, width):
    return c_out * (c_in * k * k + 1)


def wrong(c_in, c_out, k, height, width):
    return c_out * c_in * k * k


def unfinished(c_in, c_out, k, height, width):
    return c_out * ...


def stub(c_in, c_out, k, height, width): ...


@pytest.mark.parametrize(
    ("function", "label"),
    [
        (right, "Drawn by your function of exercise 01.3."),
        (wrong, "Drawn by your function of exercise 01.3, which is not right yet"),
        (stub, "Drawn by the course's function: exercise 01.3 is not answered yet."),
        (unfinished, "Drawn by the course's function: exercise 01.3 is not answered yet."),
        (..., "Drawn by the course's function: exercise 01.3 is not answered yet."),
    ],
)
def test_the_figure_says_whose_function_drew_it(function, label):
    count = controls.yours(LAYER, function)

    def parameters(k):
        return plots.annotated_matrix([[count(3, 8, k, 32, 32)]])

    static = [{"k": 1}, {"k": 3}]
    explorer = live(parameters, static, k=range(1, 6))
    assert label in explorer.source.value.replace("&#x27;", "'").replace("&quot;", '"')
    assert explorer.words.value == ""
    assert shows(explorer, plots.annotated_matrix([[24 if function is wrong else 32]]))
    _, figure = grid(parameters, static, k=range(1, 6))
    assert label.split(" exercise")[0] in " ".join(t.get_text() for t in figure.texts)


def crashes(c_in, c_out, k, height, width):
    return c_out // (k - 3)


def nothing(c_in, c_out, k, height, width):
    print(end="")


def not_finite(c_in, c_out, k, height, width):
    return float("nan") if k == 3 else 1.0


def wrong_kind(c_in, c_out, k, height, width):
    return np.ones((2, 5)) if k == 3 else 1


def for_ever(c_in, c_out, k, height, width):
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (crashes, r"Your function for exercise 01.3 stops with ZeroDivisionError: .*by zero"),
        (nothing, r"exercise 01.3 gives nothing back"),
        (not_finite, r"exercise 01.3 gives .*nan.*: not every value is finite"),
        (wrong_kind, r"exercise 01.3 gives an array of shape \(2, 5\); the figure needs an int"),
        (5, r"exercise 01.3 is .*5.*, not a function"),
    ],
)
def test_what_is_wrong_with_the_readers_function_is_said_in_words(function, words):
    count = controls.yours(LAYER, function)

    def parameters(k):
        return plots.annotated_matrix([[int(count(3, 8, k, 32, 32))]])

    static = [{"k": 3}, {"k": 2}]
    explorer = live(parameters, static, k=range(1, 6))
    assert re.search(words, explorer.words.value) and "Traceback" not in explorer.words.value
    assert explorer.figure.value == ""
    if function in (crashes, not_finite, wrong_kind):
        explorer.parts["k"].widget.value = 2
        assert explorer.words.value == "" and "<img" in explorer.figure.value, "it works again"
    _, figure = grid(parameters, static, k=range(1, 6))
    assert re.search(words, " ".join(t.get_text() for t in figure.texts)), "the static picture says it too"


def test_a_function_that_never_ends_is_not_called_again():
    count = controls.yours(LAYER, for_ever)
    with pytest.raises(CourseError, match="did not finish in time"):
        count(3, 8, 3, 32, 32)


def test_the_readers_function_gets_copies():
    def greedy(pictures, weight, bias):
        pictures[:] = 0
        return np.zeros((1, 1, 1, 1))

    pictures = np.ones((1, 3, 3, 1))
    controls.yours("01.7", greedy)(pictures, np.ones((1, 1, 3, 3)), np.zeros(1))
    assert pictures.min() == 1


def test_an_error_of_the_course_stops_an_executed_notebook_and_is_words_for_a_reader():
    def broken(stride):
        if stride > 1:
            raise IndexError("index 7 is out of bounds")
        return draw(stride)

    with pytest.raises(IndexError):
        grid(broken, STATIC, stride=range(1, 4))
    explorer = live(broken)
    explorer.parts["stride"].widget.value = 2
    assert "The figure cannot be drawn: IndexError: index 7" in explorer.words.value
    explorer.parts["stride"].widget.value = 1
    assert explorer.words.value == "" and shows(explorer, draw(1))


def test_a_stopped_drawing_is_words():
    def slow(stride):
        if stride == 2:
            raise KeyboardInterrupt
        return draw(stride)

    explorer = live(slow)
    explorer.parts["stride"].widget.value = 2
    assert "Stopped before the figure was ready" in explorer.words.value


def test_draw_must_return_a_figure():
    with pytest.raises(CourseError, match="Give it the axes"):
        grid(lambda stride: None, STATIC, stride=range(1, 4))


# ---- what is refused at once ----


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stride": []}, "stride=\\[\\] offers nothing to choose"),
        ({"stride": "abc"}, "offers nothing to choose"),
        ({"stride": 3}, "offers nothing to choose"),
        ({"stride": [1, "two"]}, "mixes kinds"),
        ({"stride": [1, float("nan")]}, "mixes kinds"),
        ({"stride": [1, 1]}, "twice"),
        ({"static": [{"stride": 1}, {"stride": 9}]}, "stride=9, which its control does not offer: 1, 2, 3"),
        ({"static": [{"stride": 1}, {"stride": True}]}, "stride=True"),
        ({"static": [{"stride": 1}, {"step": 2}]}, "Valid: a dict that names some of stride"),
        ({"static": [{"stride": 1}]}, "2 to 6 settings"),
        ({"static": {"stride": 1}}, "2 to 6 settings"),
        ({"alt": " "}, "needs alt"),
        ({"draw": lambda step: None}, r"draw\(step\) cannot be called with stride"),
        ({"draw": lambda stride, size: None}, "missing a required argument: 'size'"),
        ({"draw": 3}, "Give it a function"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(change, words):
    arguments = {"draw": draw, "alt": ALT, "stride": range(1, 4), "static": STATIC} | change
    with pytest.raises(CourseError, match=words):
        controls.explore(arguments.pop("draw"), **arguments)


def test_explore_needs_something_to_control():
    with pytest.raises(CourseError, match="nothing to control"):
        controls.explore(lambda: None, alt=ALT, static=STATIC)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: controls.Table({}), "Give it presets"),
        (lambda: controls.Table({"a": [[1, 2]], "b": [[1], [2]]}), r"differ: a \(1, 2\), b \(2, 1\)"),
        (lambda: controls.Table({"a": "word"}), "not an array of numbers"),
        (lambda: controls.Table({"a": np.zeros((20, 20))}), "at most 144 cells"),
        (lambda: controls.Cells([], ["a"]), "Give a list of headings"),
        (lambda: controls.Cells("ab", ["a"]), "Give a list of headings"),
        (lambda: controls.Cells(range(20), range(20)), "at most 144 cells"),
        (lambda: controls.Table(KERNELS).resolve("gabor"), "no such preset. Presets: blur, edges"),
        (lambda: controls.Table(KERNELS).resolve(np.zeros((2, 2))), r"shape \(2, 2\)"),
        (lambda: controls.Cells(["a"], ["b"]).resolve((0, 1)), "column 0 to 0"),
        (lambda: controls.Cells(["a"], ["b"]).resolve("a"), "Valid: \\(row, column\\)"),
    ],
)
def test_tables_refuse_what_they_cannot_show(make, words):
    with pytest.raises(CourseError, match=words):
        make()


def test_yours_refuses_an_unknown_exercise():
    with pytest.raises(ExerciseError, match=r"Exercises of lesson 01: 01\.1"):
        controls.yours("01.99", right)
    with pytest.raises(CourseError, match="asks for a value"):
        controls.yours("01.1", right)


def test_one_table_may_serve_two_figures():
    table = controls.Table(KERNELS)
    one = controls.Explorer(plots.annotated_matrix, ALT, {"a": table}, [{"a": "blur"}, {"a": "edges"}])
    two = controls.Explorer(lambda b: None, ALT, {"b": table}, [{"b": "blur"}, {"b": "edges"}])
    assert (one.offers["a"].name, two.offers["b"].name) == ("a", "b")
