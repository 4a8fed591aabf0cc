"""Rate of training batches: 64 clips of 2D and 3D features, in random views, made by two worker processes.

python benchmarks/loading.py DATASET
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from crossdiff.data.batches import MocapBatches, load_steps, make_batch
from crossdiff.data.mocap import MocapDataset, ViewConfig

BATCH, BATCHES = 64, 300


def main(data: Path) -> None:
    dataset = MocapDataset(data)
    batches = MocapBatches(dataset, BATCH, 196, ViewConfig(), seed=0)
    make_batch(batches, 0)  # packs the clips where that was not done yet
    for workers in (0, 1, 2):
        loader = iter(load_steps(batches, range(BATCHES + 1), workers))
        next(loader)
        start, frames = time.perf_counter(), 0
        for batch in loader:
            frames += int(batch.frames.sum())
        seconds = time.perf_counter() - start
        print(f"{workers} workers: {BATCHES / seconds:6.1f} batches/s, {frames / seconds:10,.0f} frames/s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
