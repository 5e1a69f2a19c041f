"""What makes a score on held-out pictures worthless: copies, patients, people and videos on both sides; odd splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

from course_utils.inspection import similar
from course_utils.inspection.findings import Finding, Item, Layout, Place, count
from course_utils.inspection.pictures import Picture

GROUP_WORDS = {
    "patient": ("patients", "split by patient"),
    "identity": ("people", "split by person"),
    "video": ("videos", "split by video"),
}


def duplicates(layout: Layout, pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """The same picture twice: across splits, with different labels, or within a split; and pictures that look alike."""
    items: dict[str, Item] = {item.file: item for item in layout.items}
    used = [pictures[file] for file in items if file in pictures]
    same = similar.exact(used)
    across = [group for group in same if len({items[f].split for f in group}) > 1]
    differ = [g for g in same if len({items[f].label for f in g}) > 1]
    within = [group for group in same if len({(items[f].split, items[f].label) for f in group}) == 1]

    def places(groups, words: Callable[[Item], str]) -> tuple[Place, ...]:
        return tuple(Place(f, f"group {n}{words(items[f])}") for n, g in enumerate(groups, 1) for f in g)

    if across:
        yield Finding(
            "duplicate-across",
            "error",
            f"{count(len(across), 'picture')} in more than one split, byte for byte",
            "Keep each in one split: the score on pictures that were trained on says nothing about new ones.",
            places(across, lambda item: f", in {item.split or 'no split'}"),
        )
    if differ:
        yield Finding(
            "duplicate-label",
            "error",
            f"{count(len(differ), 'picture')} with two labels: the same bytes in different classes",
            "Decide which label is right and remove the other copy.",
            places(differ, lambda item: f", labelled {item.label}"),
        )
    if within:
        extra = sum(len(group) - 1 for group in within)
        yield Finding(
            "duplicate",
            "warning",
            f"{count(extra, 'copy')} of other pictures, byte for byte",
            "Remove the copies before you split: a random split puts them on both sides.",
            places(within, lambda item: ""),
        )
    alike = similar.near(used)
    across = [group for group in alike if len({items[f].split for f in group}) > 1]
    within = [group for group in alike if len({items[f].split for f in group}) == 1]
    differ = [group for group in alike if len({items[f].label for f in group}) > 1]
    if differ:
        yield Finding(
            "near-label",
            "warning",
            f"{count(len(differ), 'group')} of pictures that look the same and have different labels",
            "Look at them in the HTML report: decide which label is right, or keep them if they do differ.",
            places(differ, lambda item: f", labelled {item.label}"),
        )
    if across:
        yield Finding(
            "near-across",
            "warning",
            f"{count(len(across), 'group')} of pictures that look the same in more than one split",
            "Look at them in the HTML report; keep pictures of one scene, cell or moment in one split.",
            places(across, lambda item: f", in {item.split or 'no split'}"),
        )
    if within:
        yield Finding(
            "near",
            "note",
            f"{count(len(within), 'group')} of pictures that look the same",
            "Scaled or recompressed copies, or shots of one moment: when you split, keep each group on one side.",
            places(within, lambda item: ""),
        )


def leakage(layout: Layout) -> Iterator[Finding]:
    """Patients, people or videos that are in more than one split; guessed groups give a warning, stated ones an error."""
    for kind, (plural, cure) in GROUP_WORDS.items():
        members = defaultdict(list)
        for item in layout.items:
            if kind in item.groups:
                members[item.groups[kind]].append(item)
        if not members:
            continue
        guessed = kind in layout.guessed
        leaks = {name: group for name, group in members.items() if len({i.split for i in group}) > 1}
        if leaks:
            title = f"{len(leaks):,} of {len(members):,} {plural} in more than one split"
            yield Finding(
                f"leak-{kind}",
                "warning" if guessed else "error",
                title + (" (read from the file names)" if guessed else ""),
                f"Decide the splits again and {cure}: the score says how well the net knows them, not how well it "
                "does on new ones.",
                tuple(
                    Place(i.file, f"{name}, in {i.split or 'no split'}")
                    for name, group in leaks.items()
                    for i in _by_turns(group)
                ),
            )
        elif len({item.split for item in layout.items}) == 1 and len(members) < len(layout.items):
            yield Finding(
                f"groups-{kind}",
                "note",
                f"{count(len(layout.items), 'picture')} of {len(members):,} {plural}"
                + (" (read from the file names)" if guessed else ""),
                f"When you split, {cure}, not by picture.",
            )
        largest = max(members, key=lambda name: len(members[name]))
        if kind == "patient" and len(members) > 1 and 2 * len(members[largest]) > len(layout.items):
            yield Finding(
                "one-patient",
                "warning",
                f"{len(members[largest]):,} of {len(layout.items):,} pictures are of one patient: {largest}",
                "Weight by patient, and give results with intervals over patients.",
                tuple(Place(item.file) for item in members[largest]),
            )


def sizes(layout: Layout) -> Iterator[Finding]:
    """Splits that are empty or too small to say anything."""
    counts = Counter(item.split for item in layout.items)
    if len(counts) < 2:
        return
    if counts[""]:
        yield Finding(
            "no-split",
            "warning",
            f"{count(counts[''], 'picture')} without a split beside others that have one",
            "Give each a split: otherwise nobody can tell whether it may be trained on.",
            tuple(Place(i.file) for i in layout.items if not i.split),
        )
    if not counts["train"]:
        yield Finding(
            "no-train",
            "error",
            f"no picture to train on; splits: {', '.join(f'{s} {n:,}' for s, n in counts.items() if s)}",
            "Name one split train.",
        )
    small = {s: n for s, n in counts.items() if s and n < 5 and counts.total() >= 50}
    if small:
        yield Finding(
            "small-split",
            "warning",
            f"a very small split: {', '.join(f'{s} {n}' for s, n in small.items())}",
            "Move more pictures there: a score on so few says almost nothing.",
        )


def _by_turns(group: list[Item]) -> list[Item]:
    """One item of each split, then the rest: the first lines show the leak."""
    first = list({item.split: item for item in reversed(group)}.values())[::-1]
    return first + [item for item in group if item not in first]
