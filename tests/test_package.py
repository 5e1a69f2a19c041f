"""The package is light to import, and the ways of setting it up agree."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course_utils import __version__, notebooks
from course_utils.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = (
    PROJECT["dependencies"] + EXTRAS["dev"] + EXTRAS["demo"] + EXTRAS["shards"]
)  # the extras that `make lock` locks


def _locked(python: str) -> dict[str, str]:
    """The exact versions that requirements.lock gives a Linux machine with this Python."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://", text)
    pins = [Requirement(line.split(" \\")[0]) for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux", "platform_machine": "x86_64",
            "platform_system": "Linux", "os_name": "posix", "implementation_name": "cpython", "platform_python_implementation": "CPython"}  # fmt: skip
    return {
        p.name: str(p.specifier).removeprefix("==")
        for p in pins
        if p.marker is None or p.marker.evaluate(here)
    }


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_meets_every_requirement_of_the_project(python):
    assert python in SpecifierSet(PROJECT["requires-python"])
    locked = _locked(python)
    for need in map(Requirement, WANTED):
        assert need.specifier.contains(locked[need.name]), f"{need} is locked at {locked[need.name]}"


def test_every_locked_package_has_a_hash():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks and all("--hash=sha256:" in block for block in blocks)


def test_environment_yml_asks_for_the_same_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    entries = environment["dependencies"]
    pip = next(e["pip"] for e in entries if isinstance(e, dict))
    assert sorted(p for p in pip if p != "-e .") == sorted(WANTED) and "-e ." in pip
    python = next(e for e in entries if isinstance(e, str) and e.startswith("python"))
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("file", ["README.md", ".github/workflows/newest.yml", ".github/workflows/test.yml"])
def test_pip_installs_what_the_tests_need(file):
    found = re.findall(r'-e "\.\[(.+?)\]"', (ROOT / file).read_text(encoding="utf-8"))
    assert found and all({"dev", "shards"} <= set(extras.split(",")) for extras in found)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize(("system", "words"), [("Windows_NT", "python -m venv .venv\n.venv/Scripts/"), ("", "python3 -m venv .venv\n.venv/bin/")])  # fmt: skip
def test_make_calls_python_as_the_system_does(system, words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    command = ["make", "--dry-run", "--always-make", "setup", f"OS={system}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert words in done.stdout


def test_the_version_stands_in_one_form_everywhere():
    assert PROJECT["version"] == __version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]


def test_import_is_light():
    code = "import sys, course_utils, course_utils.cli; print([m for m in ('torch', 'matplotlib', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_course_list_answers_without_torch():
    code = "import sys; sys.argv = ['course', 'list']\nfrom course_utils import cli\ntry: cli.main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "01_convolution" in done.stdout and "20_from_notebook_to_product" in done.stdout


def test_no_registry_address_and_no_unsafe_loading_anywhere():
    hosts = re.compile("|".join(["python" + "hosted", "py" + r"pi\.org", "npm" + r"js\.", "index" + "-url"]))
    unsafe = re.compile(
        r"\bimport pickle|pickle\.load|yaml\.load\(|torch\.load\((?!.*weights_only=True)|extractall\((?!.*filter)"
    )
    for path in ROOT.rglob("*"):
        if path.suffix not in {".py", ".toml", ".yml", ".md", ".lock", ".ipynb"} or ".venv" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        if path.name not in {"test_package.py", "Makefile"}:
            assert not hosts.search(text), f"{path} names a registry"
        if path.suffix == ".py" and path.name != "test_package.py":
            assert not unsafe.search(text), f"{path} loads something unsafely"


def test_what_a_wheel_takes_along_exists():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert all(any((ROOT / folder).iterdir()) for folder in build["targets"]["wheel"]["only-include"])


def test_an_installed_wheel_knows_the_address_too(monkeypatch, tmp_path):
    address = notebooks.repository()
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    assert notebooks.repository() == address and address.startswith("https://")
