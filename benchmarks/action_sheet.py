"""A contact sheet of motions: for each prompt a few seeds, side by side, each as a strip of poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy import ndarray

from crossdiff.types import Motion3D
from crossdiff.viewing.palette import PAPER
from crossdiff.viewing.stills import motion_strip, write_picture
from crossdiff.viewing.titles import title_band

COLUMNS, POSES = 3, 4
WIDTH, HEIGHT, GAP = 200, 92, 6  # pixels of a strip, and between strips


def write_sheet(motions: Mapping[str, Sequence[Motion3D]], path: Path) -> Path:
    """Write the motions of each prompt, all of as many seeds, as one picture."""
    blocks = [_block(prompt, seeds) for prompt, seeds in motions.items()]
    height = max(block.shape[0] for block in blocks)
    blocks += [np.full_like(blocks[0], PAPER)] * (-len(blocks) % COLUMNS)
    padded = [np.vstack([b, np.full((height - b.shape[0], *b.shape[1:]), PAPER, dtype=np.uint8)]) for b in blocks]
    rows = [np.hstack(padded[n : n + COLUMNS]) for n in range(0, len(padded), COLUMNS)]
    return write_picture(np.vstack(rows), path)


def _block(prompt: str, seeds: Sequence[Motion3D]) -> ndarray:
    strips = np.hstack([_strip(motion) for motion in seeds])
    return np.vstack([title_band([prompt], [strips.shape[1]], 340), strips])


def _strip(motion: Motion3D) -> ndarray:
    """A strip in the middle of a cell of `WIDTH` by `HEIGHT` pixels, with a gap at its right and below it."""
    with TemporaryDirectory() as folder:
        picture = cv2.imread(str(motion_strip(motion, Path(folder) / "strip.png", POSES, HEIGHT)))
    zoom = min(1.0, WIDTH / picture.shape[1])
    picture = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)[..., ::-1]
    cell = np.full((HEIGHT + GAP, WIDTH + GAP, 3), PAPER, dtype=np.uint8)
    top, left = (HEIGHT - picture.shape[0]) // 2, (WIDTH - picture.shape[1]) // 2
    cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return cell
