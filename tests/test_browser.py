"""Lessons in a real browser: JupyterLab from this environment, Chromium without a window, mouse and keyboard.

Playwright drives the Chromium or Chrome that is installed; it needs no driver beside the browser, waits by itself until
an element can be used, and fetches a browser only when asked to (``playwright install``), which nobody does here.
"""

import base64
import hashlib
import inspect
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
import pytest
import requests

from course_utils.exercises.bank import find
from course_utils.exercises.checker import judge
from course_utils.paths import NOTEBOOKS

LESSON = "01_convolution"  # the real lesson that is opened: it has a control and runs in half a minute
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
# The only address outside this machine that a lesson names: the badge at its top. It gets an empty picture instead.
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
PATIENCE = 120  # seconds; tests run side by side

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser is installed here; looked for {', '.join(BROWSERS)}"
)


def wrong(c_in, c_out, k, height, width):
    return c_out * c_in * k * k


def right(c_in, c_out, k, height, width):
    return c_out * (c_in * k * k + 1)


EXERCISE = "01.3"
STUB = f'def count_parameters(c_in, c_out, k, height, width):\n    ...\n\n\ncheck("{EXERCISE}", count_parameters)'
SMALL = [
    "import numpy as np\n\nfrom course_utils import check, controls, plots",
    STUB,
    f'''count = controls.yours("{EXERCISE}", count_parameters)


def draw(size, kernel, weight):
    axes = plots.panels(1, 2, width=4.8, height=2)[0]
    plots.annotated_matrix(kernel, ax=axes[0])
    numbers = np.zeros((2, 3), int)
    numbers[weight] = count(3, 8, size, 32, 32)
    plots.annotated_matrix(numbers, ax=axes[1])
    return axes


controls.explore(
    draw,
    alt="A kernel beside the number of parameters of a layer.",
    size=[1, 3, 5],
    kernel=controls.Table({{"edge": [[-1, 0, 1]], "blur": [[1, 1, 1]]}}),
    weight=controls.Cells(["out 0", "out 1"], ["red", "green", "blue"]),
    static=[dict(size=1), dict(size=3, kernel="blur")],
)''',
]


@contextmanager
def jupyterlab(folder: Path, state: Path):
    """A JupyterLab over ``folder`` that keeps everything it writes in ``state``; yields (process, url, token)."""
    homes = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
             "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}  # fmt: skip
    for name in homes.values():
        (state / name).mkdir(parents=True)
    quiet = state / "settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    no_news = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(no_news))
    token = secrets.token_hex(16)
    env = os.environ | {name: str(state / home) for name, home in homes.items()}
    env |= {"JUPYTER_TOKEN": token, "COURSE_PROFILE": "fast", "COURSE_DATA_SOURCE": "embedded", "COURSE_DEVICE": "cpu",
            "COURSE_RUNS": str(state / "runs"), "OMP_NUM_THREADS": "1", "COURSE_STATIC": ""}  # fmt: skip
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={folder}",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly",
               "--ServerApp.terminals_enabled=False"]  # fmt: skip
    with open(state / "log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=env, cwd=folder, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (address := _address(state / "runtime", token)):
            assert server.poll() is None, (state / "log").read_text()
            assert time.monotonic() < deadline, "JupyterLab does not answer"
            time.sleep(0.1)
        yield server, address, token
    finally:
        stop(server)


def _address(runtime: Path, token: str) -> str | None:
    """Where the server says it listens, as soon as it answers there."""
    try:
        url = json.loads(next(runtime.glob("jpserver-*.json")).read_text())["url"]
        ask(url, token, "api/status")
    except (StopIteration, ValueError, OSError):
        return None
    return url


def ask(url: str, token: str, path: str, method: str = "GET"):
    reply = requests.request(method, url + path, headers={"Authorization": f"token {token}"}, timeout=30)
    reply.raise_for_status()
    return reply.json() if reply.content else None


def stop(server: subprocess.Popen) -> None:
    """End the server and all it has started, kernels too."""
    try:
        started = psutil.Process(server.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    _, left = psutil.wait_procs(started, timeout=5)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)


class Lab:
    """A notebook open in a browser, what the page complained about, and whom it called."""

    def __init__(self, page, folder: Path, url: str, token: str):
        self.page, self.folder, self.url, self.token = page, folder, url, token
        self.complaints, self.outside = [], []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", self._listen)
        page.on("dialog", lambda dialog: dialog.accept())
        page.route(lambda address: not address.startswith((url, "data:", "blob:")), self._refuse)

    def _listen(self, message):
        # JupyterLab warns of much ("Connection lost, reconnecting"); what it calls an error counts, without exception.
        if message.type == "error":
            self.complaints.append(message.text)

    def _refuse(self, route):
        if route.request.url == BADGE:
            route.fulfill(content_type="image/svg+xml", body=EMPTY)
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self, name: str) -> None:
        """Open a notebook in a workspace of its own, so that no tab of another test comes back."""
        self.name = name
        self.page.goto(f"{self.url}lab/workspaces/{Path(name).stem}/tree/{name}?token={self.token}")
        self.settled()

    def settled(self) -> None:
        """Wait until the notebook is on the screen and its kernel waits for work."""
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.wait(lambda: self.kernels() == ["idle"], "the kernel is not ready")
        self.page.get_by_text("| Idle").wait_for()

    def kernels(self) -> list[str]:
        """What the kernels with a page do: starting, busy, idle."""
        try:
            kernels = ask(self.url, self.token, "api/kernels")
        except requests.HTTPError:  # asked while one comes or goes
            return []
        return [kernel["execution_state"] for kernel in kernels if kernel["connections"]]

    def wait(self, condition, complaint: str, seconds: float = PATIENCE, every: float = 0.2):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, f"{complaint}; the page says {self.complaints}"
            self.page.wait_for_timeout(1000 * every)
        return result

    def menu(self, name: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=name).first.click()
        self.page.locator(".lm-Menu").get_by_text(entry, exact=True).click()

    def run_all(self):
        """Run all cells; returns the notebook as it is saved when the last one has run."""
        self.menu("Run", "Run All Cells")
        return self.wait(self._done, "the cells have not run", every=1)

    def _done(self):
        if self.page.locator(".jp-InputPrompt", has_text="[*]").count() or self.kernels() != ["idle"]:
            return None
        nb = self.saved()
        return nb if all(c.execution_count for c in nb.cells if c.cell_type == "code") else None

    def saved(self):
        """Save the notebook and read it."""
        path = self.folder / self.name
        before = path.stat().st_mtime_ns
        self.menu("File", "Save Notebook")

        def read():
            return path.stat().st_mtime_ns != before and path.read_text(encoding="utf-8")

        self.wait(lambda: (text := read()) and text.endswith("}\n"), "it is not saved", 30)
        return nbformat.read(path, as_version=4)

    def shut_down_kernel(self) -> None:
        for session in ask(self.url, self.token, "api/sessions"):
            ask(self.url, self.token, f"api/sessions/{session['id']}", "DELETE")

    @property
    def control(self):
        return self.page.locator(".course-live").first

    def scroll_to(self, place):
        """Scroll until ``place`` is on the screen: JupyterLab before 4.5 does not show a cell that is far away."""
        notebook = self.page.locator(".jp-Notebook").bounding_box()
        self.page.mouse.move(notebook["x"] + notebook["width"] / 2, notebook["y"] + notebook["height"] / 2)
        for step in (-100_000, *[700] * 100):
            if place.is_visible():
                break
            self.page.mouse.wheel(0, step)
            self.page.wait_for_timeout(100)
        place.scroll_into_view_if_needed()
        return place

    def figure(self) -> str:
        """The hash of the picture that the control shows now."""
        source = self.control.locator("img").get_attribute("src")
        return hashlib.sha256(base64.b64decode(source.partition("base64,")[2])).hexdigest()

    def changes(self, action) -> None:
        """Do something and see the figure change."""
        before = self.figure()
        action()
        self.wait(lambda: self.figure() != before, "the figure stays as it was", 30)

    def by_keyboard(self) -> None:
        self.control.locator(".noUi-handle").first.focus()
        self.page.keyboard.press("ArrowRight")

    def by_mouse(self) -> None:
        box = self.control.locator(".noUi-target").first.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)

    def answer(self, function) -> str:
        """Type an answer into the exercise's cell, run it and return what stands below it."""
        text = inspect.getsource(function).replace(f"def {function.__name__}(", "def count_parameters(")
        cell = self.scroll_to(self.page.locator(".jp-CodeCell", has_text=f'check("{EXERCISE}"').first)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(f'{text}\n\ncheck("{EXERCISE}", count_parameters)')
        self.page.keyboard.press("ControlOrMeta+Enter")
        heading = "passed" if function is right else "is not right yet"
        below = cell.locator(".jp-OutputArea", has_text=f"Exercise {EXERCISE} {heading}")
        return " ".join(below.inner_text().split())

    def assert_no_error(self, allowed: str = "nothing") -> None:
        wanted = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
        assert self.page.locator(wanted).count() == 0
        assert not self.page.get_by_text("Error displaying widget").is_visible()
        assert [complaint for complaint in self.complaints if allowed not in complaint] == []
        assert self.outside == []


@pytest.fixture(scope="module")
def lab_in_browser(tmp_path_factory):
    """One server and one browser for all tests of this file that a process runs."""
    from playwright.sync_api import sync_playwright

    state = tmp_path_factory.mktemp("state")
    folder = tmp_path_factory.mktemp("notebooks")
    with jupyterlab(folder, state) as (_, url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER)
        try:
            yield browser, folder, url, token
        finally:
            browser.close()


@pytest.fixture
def lab(lab_in_browser):
    browser, folder, url, token = lab_in_browser
    page = browser.new_page(viewport={"width": 1300, "height": 1500})
    opened = Lab(page, folder, url, token)
    yield opened
    page.close()
    opened.shut_down_kernel()


def write(path: Path, nb) -> None:
    """Write a notebook without the outputs and counts of an earlier run."""
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(nb, path)


def bad_outputs(nb) -> list:
    found = [out for cell in nb.cells for out in cell.get("outputs", [])]
    return [out for out in found if out.output_type == "error" or out.get("name") == "stderr"]


def in_words(function) -> str:
    return " ".join(judge(find(EXERCISE), function).message.replace("`", "").split())


def test_a_lesson_with_every_kind_of_control(lab):
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in SMALL]
    write(lab.folder / "small.ipynb", nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
    lab.open("small.ipynb")
    assert bad_outputs(lab.run_all()) == []
    lab.control.get_by_text("Drawn by the course's function: exercise 01.3 is not answered yet.").wait_for()
    static = lab.page.locator('.jp-RenderedImage img[src^="data:image/png"]')
    assert static.count() == 1 and not static.is_visible(), "the picture gives way to the control"
    assert lab.control.get_by_alt_text("A kernel beside the number of parameters of a layer.").is_visible()

    lab.changes(lab.by_keyboard)
    lab.changes(lab.by_mouse)
    cell = lab.control.get_by_title("kernel: row 1, column 2")
    lab.changes(lambda: (cell.fill("0.5"), cell.press("Enter")))
    lab.changes(lambda: lab.control.get_by_title("out 1, blue").click())
    cell.fill("half")
    cell.press("Enter")
    lab.control.get_by_role("alert").get_by_text("“half” is not a number").wait_for()
    assert cell.input_value() == "0.5"
    lab.changes(lambda: lab.control.locator("select").select_option("blur"))
    lab.assert_no_error()

    assert in_words(wrong) in lab.answer(wrong)
    lab.run_all()
    lab.control.get_by_text("Drawn by your function of exercise 01.3, which is not right yet").wait_for()
    assert in_words(right) in lab.answer(right)
    lab.run_all()
    lab.control.get_by_text("Drawn by your function of exercise 01.3.").wait_for()

    lab.page.reload()
    lab.settled()
    lab.changes(lab.by_keyboard)
    lab.assert_no_error()
    note = lab.page.get_by_text("Run this cell in JupyterLab to move the controls.")
    lab.menu("Kernel", "Restart Kernel…")
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    note.wait_for()
    assert static.is_visible() and not lab.control.is_visible(), "a control without its kernel gives way"
    lab.run_all()
    lab.changes(lab.by_keyboard)
    lab.assert_no_error()

    lab.shut_down_kernel()
    lab.page.reload()
    lab.settled()
    note.wait_for()
    assert static.is_visible() and static.evaluate("image => image.naturalWidth") > 500
    # JupyterLab logs that a saved widget has no kernel any more, and writes so; the picture's note hides that.
    lab.assert_no_error(allowed="widget model not found")


def test_a_real_lesson(lab):
    write(lab.folder / f"{LESSON}.ipynb", nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4))
    lab.open(f"{LESSON}.ipynb")
    assert bad_outputs(lab.run_all()) == []
    lab.scroll_to(lab.control)
    lab.changes(lab.by_keyboard)
    lab.changes(lab.by_mouse)
    assert in_words(wrong) in lab.answer(wrong)
    assert in_words(right) in lab.answer(right)
    lab.saved()
    lab.page.reload()
    lab.settled()
    lab.scroll_to(lab.control)
    lab.control.locator("img").wait_for()
    lab.assert_no_error()


def test_nothing_is_left_running_after_a_failure(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    started = []

    def fails():
        with jupyterlab(folder, tmp_path / "state") as (server, url, token):
            ask(url, token, "api/kernels", "POST")
            started.extend([psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(started) >= 2, "the server and a kernel"
    assert not [process for process in started if process.is_running()]
