"""Every card says everything, and says it truly where that can be checked without its data."""

import subprocess
import sys

import pytest

from course_utils import paths
from course_utils.data import card, cards
from course_utils.data.cards import front_matter, index_markdown, read, validate
from course_utils.errors import DataError

NAMES = sorted(cards())
SECTIONS = (
    "What is in it",
    "How it was made",
    "Who is in it",
    "Known errors and bias",
    "What not to use it for",
    "Licence",
)
GOOD = """---
name: toy
pretty_name: Toy
task: test
homepage: https://example.org
license: mit
citation: none
sources:
  - {url: "https://example.org/toy.zip", mirror: toy/toy.zip, unpack: zip}
files:
  a.bin: {sha256: "%s", bytes: 3}
splits: {all: 1}
classes: []
embedded: "stand-in: x"
size: 3
---
# Toy
""" % ("0" * 64)


def test_the_cards_of_the_first_lessons_are_there():
    assert {"digits", "elpv", "fashion_mnist", "photographs"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_front_matter_keeps_to_the_schema(name):
    validate(paths.CARDS / f"{name}.md")


@pytest.mark.parametrize("name", NAMES)
def test_prose_has_every_section(name):
    text = (paths.CARDS / f"{name}.md").read_text(encoding="utf-8")
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in SECTIONS] == list(SECTIONS)
    prose = [line for line in text.partition("\n---\n")[2].splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 135


@pytest.mark.parametrize("name", NAMES)
def test_sources_files_and_sizes_agree(name):
    entry = card(name)
    sizes = [file.bytes for file in entry.files.values()]
    if None not in sizes:
        assert sum(sizes) == entry.size
    for file, promised in entry.files.items():
        assert len(promised.sha256) == 64 and int(promised.sha256, 16) >= 0
        assert not file.startswith("/") and ".." not in file and "\\" not in file
    if not entry.package:
        given = [source["file"] for source in entry.sources if "file" in source]
        assert sorted(given) == sorted(set(given)) and set(given) <= set(entry.files)
        assert (
            not given
            or set(given) == set(entry.files)
            or any("file" not in source for source in entry.sources)
        )
    assert (
        entry.embedded == "package"
        if entry.package
        else entry.embedded.startswith(("stand-in: ", "generated: "))
    )


def test_a_good_card_is_read(tmp_path):
    (tmp_path / "toy.md").write_text(GOOD)
    validate(tmp_path / "toy.md")
    entry = read(tmp_path / "toy.md")
    assert (entry.name, entry.splits, entry.package, entry.files["a.bin"].bytes) == (
        "toy",
        {"all": 1},
        None,
        3,
    )


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("license: mit\n", "", "'license' is a required property"),
        ("splits: {all: 1}", "splits: {all: many}", "splits/all"),
        ("sha256:", "sha1:", "files"),
        ("a.bin:", "../a.bin:", "files"),
        ("a.bin:", "/a.bin:", "files"),
        ("unpack: zip", "unpack: rar", "sources/0"),
        ("unpack: zip", "unpack: gz", "sources/0"),
        ("https://example.org/toy.zip", "file:///etc/passwd", "sources/0"),
        ('"stand-in: x"', "nothing", "embedded"),
        ("size: 3", "size: 3\nsplit: all", "split"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, old, new, word):
    (tmp_path / "toy.md").write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=r"card toy\.md") as caught:
        validate(tmp_path / "toy.md")
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# only prose", "no front matter"),
        ("---\n- a\n---\n", "no front matter"),
        ("---\na: [\n---\n", "not YAML"),
        ("---\na: !!python/object/apply:os.getcwd []\n---\n", "not YAML"),
        (GOOD.replace("license: mit\n", ""), "license"),
        (GOOD.replace("sha256:", "sha1:"), "files"),
        (GOOD.replace("name: toy", "name: other"), "name: toy"),
    ],
)
def test_an_unreadable_card_is_named(tmp_path, text, word):
    (tmp_path / "toy.md").write_text(text)
    with pytest.raises(DataError, match=r"toy\.md") as caught:
        read(tmp_path / "toy.md")
    assert word in str(caught.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"unknown dataset 'mnist'\. Valid: att_faces, bccd"):
        card("mnist")


def test_the_index_is_current():
    assert (paths.CARDS / "README.md").read_text(encoding="utf-8") == index_markdown()


def test_manifests_have_the_form_of_sha256sum():
    for path in paths.CARDS.glob("*.sha256"):
        assert (paths.CARDS / front_matter(path.with_suffix(".md"))["files"]) == path
        lines = path.read_bytes().decode().split("\n")
        assert lines.pop() == ""
        assert all(len(line.split("  ")[0]) == 64 for line in lines)
        assert len(set(lines)) == len(lines)


def test_listing_needs_no_heavy_import():
    code = (
        "import sys; from course_utils.data import cards; [(c.task, c.license, c.package) for c in cards().values()]\n"
        "heavy = {'torch', 'numpy', 'pooch', 'requests', 'jsonschema', 'PIL', 'tqdm'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=paths.ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
