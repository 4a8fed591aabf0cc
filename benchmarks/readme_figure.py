"""The picture of the README: motions that the shipped model samples from text.

python benchmarks/readme_figure.py docs/img/samples.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from crossdiff import CrossDiffPipeline
from crossdiff.viewing.stills import motion_strip, write_picture
from crossdiff.viewing.titles import title_band

PROMPTS = ("a person walks forward", "a person waves with the left hand", "a person runs")
WIDTH, HEIGHT = 1200, 300


def main(out: Path) -> None:
    motions = CrossDiffPipeline.from_pretrained()(PROMPTS, num_frames=80, seed=0)
    rows = []
    with TemporaryDirectory() as folder:
        for prompt, motion in zip(PROMPTS, motions, strict=True):
            strip = cv2.cvtColor(
                cv2.imread(str(motion_strip(motion, Path(folder) / "strip.png", poses=8, height=HEIGHT))),
                cv2.COLOR_BGR2RGB,
            )
            scale = min(WIDTH / strip.shape[1], 1.0)
            strip = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            row = np.full((strip.shape[0], WIDTH, 3), strip[2, 2], dtype=np.uint8)
            left = (WIDTH - strip.shape[1]) // 2
            row[:, left : left + strip.shape[1]] = strip
            rows += [title_band([prompt], [WIDTH], 420), row]
    write_picture(np.vstack(rows), out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
