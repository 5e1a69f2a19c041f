"""One pass over pictures on disk: a folder of JPEG files in random order against the same files in tar shards.

    python benchmarks/shards.py [--rounds 3] [--pictures 4000] [--size 128] [--workers 2] [--json FILE]

The files are squares of 256 pixels cut from scikit-image's photographs. Both ways decode them with the same code to the
same size and in batches of 64, in ``workers`` processes; the first pass makes sure that they give the same pictures. "Cold": the
operating system is asked to forget the files before (Linux); "warm": it holds them in memory.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import report, rows, save, take_turns

from course_utils import load
from course_utils.data.folders import image_folder, read_square
from course_utils.shards import ShardLoader, write_shards

BATCH = 64


class Resized(torch.utils.data.Dataset):
    """The files of a folder, each decoded and resized when it is asked for."""

    def __init__(self, files, size: int):
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int):
        picture = read_square(self.files.paths[index], self.size)
        return torch.from_numpy(picture).permute(2, 0, 1), int(self.files.targets[index])


def write_pictures(root: Path, count: int) -> None:
    photographs = load("photographs")
    names = ["astronaut", "chelsea", "coffee", "motorcycle_left"]
    rng = np.random.default_rng(0)
    for k, name in enumerate(names):
        image = np.asarray(photographs[name])
        (root / name).mkdir(parents=True)
        for i in range(k, count, len(names)):
            top, left = (rng.integers(side - 256 + 1) for side in image.shape[:2])
            square = Image.fromarray(image[top : top + 256, left : left + 256])
            square.save(root / name / f"{i:06d}.jpg", quality=90)


def forget(folder: Path) -> None:
    """Ask the operating system to drop the files' pages from memory."""
    for file in folder.rglob("*.*"):
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--size", type=int, default=128, help="pixels a side after decoding")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder, tars = Path(temporary) / "files", Path(temporary) / "shards"
        write_pictures(folder, options.pictures)
        files = image_folder(folder, note=False)
        write_shards(files, tars, per_shard=max(1, options.pictures // 16))
        from_files = torch.utils.data.DataLoader(
            Resized(files, options.size), BATCH, shuffle=True, drop_last=True, num_workers=options.workers,
            generator=torch.Generator().manual_seed(0))  # fmt: skip
        from_tars = ShardLoader(tars, BATCH, size=options.size, workers=options.workers, seed=0)

        def one_pass(loader) -> float:
            return sum(float(images.float().mean()) for images, _ in loader)

        every = torch.stack([image for image, _ in Resized(files, options.size)]).float().mean()
        streamed = torch.cat([images for images, _ in from_tars.ordered()]).mean() * 255
        if not torch.isclose(every, streamed, rtol=1e-4):
            raise SystemExit(f"the two ways give other pictures: mean {every:.4f} and {streamed:.4f}")
        ways = {"folder of files": lambda: one_pass(from_files), "tar shards": lambda: one_pass(from_tars)}
        case = f"{options.pictures:,} JPEGs, {options.workers} workers"
        table = rows(f"{case}, warm", take_turns(ways, options.rounds), "folder of files")
        if hasattr(os, "posix_fadvise"):
            places = {"folder of files": folder, "tar shards": tars}
            times = take_turns(ways, options.rounds, before=lambda name: forget(places[name]))
            table += rows(f"{case}, cold", times, "folder of files")
        shown = options.pictures // BATCH * BATCH
        for row in table:
            print(f"  {row['case']}, {row['contender']}: {shown / row['value']:,.0f} pictures a second")
    report("Reading pictures from disk", table)
    save(
        options.json, "Reading pictures from disk", table, data="scikit-image's photographs, cut into squares"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
