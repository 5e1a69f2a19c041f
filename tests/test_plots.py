"""Every plot: labelled axes, alt text, the palette, clear errors; and what show() puts into a notebook."""

import base64
import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from course_utils import plots
from course_utils.errors import CourseError
from course_utils.plots.style import png

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 12, 16), np.uint8)
COLOUR = RNG.random((5, 3, 12, 16)).astype(np.float32)
TARGETS = np.array([0, 1, 1, 0, 1])
SCORES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.95, 0.05]])

PLOTS = {
    "image": lambda: plots.image(COLOUR[0], title="noise"),
    "image_grid": lambda: plots.image_grid(GREY, list("abcde"), columns=3),
    "feature_maps": lambda: plots.feature_maps(COLOUR[0]),
    "feature_maps shared": lambda: plots.feature_maps(COLOUR[0], shared=True),
    "overlay": lambda: plots.overlay(COLOUR[0], RNG.random((3, 4))),
    "annotated_matrix": lambda: plots.annotated_matrix(np.eye(3), title="kernel", highlight=(0, 0, 2, 2)),
    "curves": lambda: plots.curves(
        {"a": ([1, 2], [3, 4]), "b": [5, 6]}, xlabel="x (s)", ylabel="y", logy=True
    ),
    "bars": lambda: plots.bars(["a", "b"], [1, 2], [0.1, 0.2], xlabel="model", ylabel="accuracy"),
    "bars in groups": lambda: plots.bars(
        ["a", "b"], {"p": [1, 2], "q": [2, 3]}, {"p": [0.1, 0.1]}, xlabel="model", ylabel="accuracy"
    ),
    "bars lying": lambda: plots.bars(["a very long label", "b"], [1, 2], xlabel="model", ylabel="accuracy"),
    "histogram": lambda: plots.histogram({"a": GREY[0], "b": GREY[1]}, xlabel="pixel value"),
    "confusion": lambda: plots.confusion([[3, 1], [0, 4]], ["cat", "dog"]),
    "reliability": lambda: plots.reliability(SCORES, TARGETS),
    "most_wrong": lambda: plots.most_wrong(GREY, TARGETS, SCORES, ["cat", "dog"]),
    "most_wrong of none": lambda: plots.most_wrong(GREY, SCORES.argmax(1), SCORES, ["cat", "dog"]),
}
CHARTS = [n for n in PLOTS if n.startswith(("curves", "bars", "histogram", "confusion"))]


def axes_of(result):
    return np.ravel(np.asarray(result, dtype=object))


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_returns_axes_with_alt_text_that_fit_in_the_figure(name):
    axes = axes_of(PLOTS[name]())
    figure = axes[0].figure
    assert all(isinstance(ax, matplotlib.axes.Axes) for ax in axes)
    assert "." in " ".join(getattr(ax, "alt_text", "") for ax in axes)
    figure.canvas.draw()
    assert all(t.get_fontsize() >= 10 for t in figure.findobj(matplotlib.text.Text) if t.get_text())
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, (
        f"{box} of {width} × {height}"
    )


@pytest.mark.parametrize("name", CHARTS)
def test_charts_have_labelled_axes(name):
    ax = PLOTS[name]()
    assert ax.get_xlabel() and ax.get_ylabel()


def test_reliability_has_labelled_axes():
    top, bottom = PLOTS["reliability"]()
    assert (
        top.get_ylabel() == "accuracy"
        and bottom.get_xlabel().startswith("confidence")
        and bottom.get_ylabel()
    )
    assert plots.reliability(SCORES[:, 1], TARGETS)[0].get_ylabel() == "share of positives"


def test_lines_differ_in_colour_style_and_marker():
    ax = plots.curves({str(i): [1, 2, i] for i in range(8)}, xlabel="x", ylabel="y")
    lines = ax.get_lines()
    assert [line.get_color() for line in lines] == list(plots.COLOURS)
    assert len({line.get_marker() for line in lines}) == 8
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 8


def test_the_palette_is_told_apart_by_the_colour_blind():
    # Okabe and Ito's hexadecimal values.
    assert set(plots.COLOURS) == {
        "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    }  # fmt: skip


def test_images_of_any_layout_and_library():
    import torch

    for picture in (GREY[0], GREY[0][None], COLOUR[0], COLOUR[0].transpose(1, 2, 0), torch.tensor(COLOUR[0])):
        drawn = plots.image(picture).images[0].get_array()
        assert drawn.shape[:2] == (12, 16)
    for images in (
        GREY,
        GREY[:, None],
        COLOUR,
        COLOUR.transpose(0, 2, 3, 1),
        list(COLOUR),
        torch.tensor(COLOUR),
    ):
        assert plots.image_grid(images, columns=2).shape == (3, 2)
    mixed = [GREY[0], COLOUR[0], torch.zeros(3, 40, 10, dtype=torch.uint8), np.zeros((7, 7), bool)]
    assert plots.image_grid(mixed).shape == (1, 4)
    shown = plots.image(torch.tensor(COLOUR[0])).images[0].get_array()
    assert np.allclose(shown, COLOUR[0].transpose(1, 2, 0), atol=1e-6)


def test_grey_pictures_share_their_scale():
    axes = plots.image_grid(np.stack([np.zeros((4, 4)), np.full((4, 4), 0.5)]))
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(0.0, 1.0)}
    axes = plots.feature_maps(np.stack([np.zeros((4, 4)), np.full((4, 4), 9.0)]), shared=True)
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(0.0, 9.0)}


def test_most_wrong_starts_with_the_worst():
    axes = plots.most_wrong(GREY, TARGETS, SCORES, ["cat", "dog"], n=2)
    assert [ax.get_title() for ax in axes.flat] == ["dog\n→ cat 0.95", "dog\n→ cat 0.70"]
    assert np.array_equal(axes[0, 0].images[0].get_array(), GREY[4])


def test_a_colour_kernel_is_drawn_with_the_layout_that_was_named():
    kernel = RNG.random((3, 3, 3))
    first, last = (plots.image(kernel, layout=layout).images[0].get_array() for layout in ("CHW", "HWC"))
    assert np.allclose(first, kernel.transpose(1, 2, 0))
    assert np.allclose(last, kernel)


def test_a_plot_draws_into_given_axes():
    left, right = plots.panels(1, 2)[0]
    assert plots.curves({"a": [1, 2]}, xlabel="x", ylabel="y", ax=left) is left
    assert plots.annotated_matrix(np.eye(2), ax=right) is right
    assert len(left.figure.axes) == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plots.image(np.zeros((2, 2, 2, 2))), r"\(2, 2, 2, 2\)"),
        (lambda: plots.image(np.zeros((5, 8, 8))), r"\(5, 8, 8\)"),
        (lambda: plots.image(np.zeros((0, 8))), "not empty"),
        (
            lambda: plots.image_grid(np.zeros((4, 3, 3, 3))),
            r"images\[0\] has shape \(3, 3, 3\).*layout='CHW'",
        ),
        (lambda: plots.image(np.zeros((3, 8, 8)), layout="NCHW"), "'NCHW'.*'HWC'"),
        (lambda: plots.image_grid(np.zeros((8, 8))), r"\(N, H, W\)"),
        (lambda: plots.image_grid([]), "nothing to draw"),
        (lambda: plots.image_grid(GREY, ["one"]), "1 titles for 5 pictures"),
        (lambda: plots.image_grid(["a.png"]), "not numbers"),
        (lambda: plots.feature_maps(np.zeros((2, 3, 8, 8))), r"\(C, H, W\)"),
        (lambda: plots.overlay(GREY[0], np.zeros((1, 2, 2))), r"\(h, w\)"),
        (lambda: plots.annotated_matrix(np.zeros((64, 64))), "400 cells"),
        (
            lambda: plots.curves({"a": ([1, 2], [1, 2, 3])}, xlabel="x", ylabel="y"),
            r"\(2,\) and y of shape \(3,\)",
        ),
        (lambda: plots.curves({}, xlabel="x", ylabel="y"), "empty"),
        (lambda: plots.curves({"a": [0, -1]}, xlabel="x", ylabel="y", logy=True), "no positive value"),
        (lambda: plots.bars(["a"], [1, 2], xlabel="x", ylabel="y"), "1 labels"),
        (lambda: plots.bars(["a"], [1], [1, 2], xlabel="x", ylabel="y"), "errors has shape"),
        (lambda: plots.histogram([], xlabel="x"), "empty"),
        (lambda: plots.confusion(np.zeros((2, 3)), ["a", "b"]), r"\(2, 3\) for 2 classes"),
        (lambda: plots.reliability([[2.0, -1.0]], [0]), "softmax"),
        (lambda: plots.most_wrong(GREY, TARGETS, SCORES, ["a"]), "1 classes"),
        (lambda: plots.show(None), "show\\(\\) got None"),
    ],
)
def test_wrong_use_is_told(call, words):
    with pytest.raises(CourseError, match=words):
        call()


def test_pictures_are_reproducible_and_lean():
    first, second = png(PLOTS["curves"]()), png(PLOTS["curves"]())
    assert first == second
    picture = Image.open(io.BytesIO(first))
    assert not {"Software", "Creation Time", "date"} & set(picture.info)
    assert len(first) < 15_000


def test_photographs_keep_their_colours():
    smooth = np.linspace(0, 1, 200)[None, :, None] * np.ones((200, 1, 3)) * np.array([1, 0.5, 0.2])
    smooth[:, :, 2] = np.linspace(0, 1, 200)[:, None]
    axes = plots.image(smooth)
    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png", dpi=100)
    before = np.asarray(Image.open(buffer).convert("RGB"), int)
    after = np.asarray(Image.open(io.BytesIO(png(axes))).convert("RGB"), int)
    assert np.abs(before - after).max() <= 32 and np.abs(before - after).mean() < 1.5


CELL = """
import matplotlib.pyplot as plt
from course_utils import plots
figure, ax = plt.subplots()
plots.curves({"a": [1, 2, 3]}, xlabel="x", ylabel="y", ax=ax)
plots.show(ax, alt="A rising line.")
"""
SECOND = """
from course_utils import plots
plots.show(plots.image_grid([[[0, 1], [1, 0]]], titles=["board"]))
"""


def test_in_a_real_kernel_show_gives_one_picture_with_alt_text():
    import nbformat
    from nbclient import NotebookClient

    check = "import types, sys\nfrom course_utils.exercises import bank, check\n"
    check += "m = types.ModuleType('course_utils.exercises.lesson_77')\nsys.modules[m.__name__] = m\n"
    check += "m.EXERCISES = [bank.Exercise('77.1', 't', reference=3)]\ncheck('77.1', 3)"
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (CELL, SECOND, check)]
    )
    NotebookClient(nb, timeout=120, kernel_name="python3").execute()
    first, second, third = (cell.outputs for cell in nb.cells)
    assert len(first) == len(second) == len(third) == 1
    assert (
        first[0].output_type == "display_data" and first[0].metadata["image/png"]["alt"] == "A rising line."
    )
    assert base64.b64decode(first[0].data["image/png"]).startswith(b"\x89PNG")
    assert second[0].metadata["image/png"]["alt"] == "1 pictures in a grid: board."
    assert third[0].data["application/vnd.cnn-course.check+json"]["status"] == "passed"


def test_outside_ipython_show_displays_nothing_and_closes(capsys):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    plots.show(plots.curves({"a": [1]}, xlabel="x", ylabel="y", ax=ax))
    assert not plt.fignum_exists(figure.number)
    assert capsys.readouterr().out == ""


def test_importing_plots_is_light():
    code = "import sys; import course_utils.plots; print(*{'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == ""
