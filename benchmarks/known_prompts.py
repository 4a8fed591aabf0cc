"""What models do with prompts that the shipped ones know, and with the demo's new one.

python benchmarks/known_prompts.py CHECKPOINT...

Means over eight seeds, standard sampling, five seconds: speed of the pelvis for walking and running (m/s), share of the
frames with the right hand, and with both hands, near or above the head, height of the higher kick (m), lean of the
deepest bow (degrees); then the jumping jacks in six seconds of each of six seeds, standard and by mixture sampling.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from crossdiff.diffusion.pipeline import CrossDiffPipeline
from crossdiff.skeleton import HUMANML3D
from crossdiff.workflows.examples import jumping_jacks

AT = HUMANML3D.joint_names.index
FPS, SEEDS, JACK_SEEDS = 20, 8, 6
NEAR = 0.1  # metres below the head


def speed(joints: ndarray) -> float:
    return float(np.linalg.norm(np.diff(joints[:, 0][:, [0, 2]], axis=0), axis=-1).mean() * FPS)


def right_hand(joints: ndarray) -> float:
    return float((joints[:, AT("r_wrist"), 1] > joints[:, AT("head"), 1] - NEAR).mean())


def both_hands(joints: ndarray) -> float:
    hands = joints[:, [AT("l_wrist"), AT("r_wrist")], 1]
    return float((hands > joints[:, [AT("head")], 1]).all(axis=1).mean())


def kick(joints: ndarray) -> float:
    feet = joints[:, [AT("l_ankle"), AT("r_ankle")], 1]
    return float((feet.max(axis=0) - np.median(feet, axis=0)).max())


def bow(joints: ndarray) -> float:
    trunk = joints[:, AT("neck")] - joints[:, 0]
    return float(np.degrees(np.arccos(trunk[:, 1] / np.linalg.norm(trunk, axis=-1))).max())


PROMPTS: dict[str, Callable[[ndarray], float]] = {
    "a person walks forward": speed,
    "a person runs forward": speed,
    "a person waves with the right hand": right_hand,
    "a person raises both hands": both_hands,
    "a person kicks": kick,
    "a person bows": bow,
}


def main(checkpoints: list[str]) -> None:
    print("| model |", " | ".join(PROMPTS), "| jumping jacks, standard | mixture |")
    print("|---|" + "---|" * (len(PROMPTS) + 2))
    for checkpoint in checkpoints:
        pipe = CrossDiffPipeline.from_pretrained(checkpoint)
        cells = [
            f"{np.mean([measure(motion.joints) for motion in pipe([prompt] * SEEDS, 5 * FPS, seed=0)]):.2f}"
            for prompt, measure in PROMPTS.items()
        ]
        for mixture in (False, True):
            motions = pipe(["a person does jumping jacks"] * JACK_SEEDS, 6 * FPS, seed=0, mixture=mixture)
            cells.append(" ".join(str(jumping_jacks(motion.joints)) for motion in motions))
        print(f"| {checkpoint} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
