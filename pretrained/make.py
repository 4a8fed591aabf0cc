"""Makes the shipped model from the motion it was trained on: prepare, train stage I, export in float16.

    python pretrained/make.py MOCAP [WORK]

MOCAP holds motions.npz (or .npy files), texts and split lists as `crossdiff prepare` reads them. WORK (default `work`)
gets the dataset and the training state; stopped at any time, the same command goes on. Two CPU cores take about
80 minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from crossdiff.checkpoint import SHIPPED, load_model, save_model
from crossdiff.config import load_config
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.training.config import TrainConfig
from crossdiff.training.stages import train


def main(source: Path, work: Path) -> None:
    dataset = work / "dataset"
    if not (dataset / "dataset.json").is_file():
        sys.stdout.write(f"{prepare(source, dataset, PrepareConfig(min_frames=24))}\n")
    trained = train(load_config(TrainConfig, "stage1-small"), dataset, work / SHIPPED)
    sys.stdout.write(f"{trained}\n")
    save_model(load_model(trained.out), Path(__file__).parent / SHIPPED, dtype="float16")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else "work"))
