"""Share of prompts that are said to be far from a model's captions, by kind of prompt.

    python benchmarks/novelty.py [--data DATASET] [--checkpoint stage2-small]

The prompts are those of novelty.yaml. With a dataset of `crossdiff prepare`, also captions of its validation and test
split that the model has not learnt, which should not be said to be far.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from crossdiff.checkpoint import find_checkpoint
from crossdiff.data.captions import read_caption_file
from crossdiff.learnt import learnt_captions
from crossdiff.novelty import far_prompts
from crossdiff.yaml_text import parse_yaml


def held_out(data: Path, checkpoint: Path) -> list[str]:
    """Captions of the validation and test split that are not among those learnt."""
    names = [name for split in ("val", "test") for name in (data / f"{split}.txt").read_text("utf-8").split()]
    texts = {caption.text for name in names for caption in read_caption_file(data / "texts" / f"{name}.txt")}
    return sorted(texts - {one.text for one in learnt_captions(checkpoint)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--checkpoint", default="stage2-small")
    args = parser.parse_args()
    checkpoint = find_checkpoint(args.checkpoint)
    lists = parse_yaml(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    sets = {f"{kind}, {use.replace('_', ' ')}": lists[use][kind] for use in lists if use != "other_actions"
            for kind in lists[use]}  # fmt: skip
    sets["other actions"] = lists["other_actions"]
    if args.data is not None:
        sets["held-out captions"] = held_out(args.data, checkpoint)
    print("| prompts | number | said to be far |\n|---|---|---|")
    for name, prompts in sets.items():
        far = far_prompts(checkpoint, prompts)
        print(f"| {name} | {len(prompts)} | {len(far)} ({len(far) / max(len(prompts), 1):.1%}) |")


if __name__ == "__main__":
    main()
