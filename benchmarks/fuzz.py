"""Damaged and hostile inputs beside good ones: `python benchmarks/fuzz.py`, at most five minutes for 2,000 inputs.

Every case is a valid input of some kind that is changed at random (bytes, numbers, types, sizes, names), put beside a
valid one and given to the command that reads it, in this process. Counts tracebacks, cases of more than 30 seconds, and
good inputs that were not done; the memory is limited to 4 GiB beyond what the libraries have mapped. Exits with 1 if
any count is not 0. docs/robustness.md says what is promised.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from crossdiff.checkpoint import SHIPPED, load_model, save_model
from crossdiff.config import load_config
from crossdiff.data.bvh import JointMap
from crossdiff.data.motion_files import read_motion
from crossdiff.data.prepare import PrepareConfig, prepare
from crossdiff.errors import CrossDiffError
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.export.batch import ExportOptions, export_motions
from crossdiff.models import CrossDiffModel, ModelConfig
from crossdiff.models.convert import read_official
from crossdiff.pipeline.filter import FilterConfig
from crossdiff.pipeline.importing.imports import import_keypoints
from crossdiff.pipeline.importing.pose_files import read_poses
from crossdiff.pipeline.ledger import Ledger, Row, VideoRecord
from crossdiff.pipeline.run import Run
from crossdiff.skeleton import HUMANML3D
from crossdiff.viewing.gather import ShownMotions

_SECONDS = 30
_GIB = 2**30
_ODD: list[Any] = [
    float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e300, 1e-300, 1e12, 2**31, -(2**63), "text", "", "\x1b[2J",
    "\ud800", True, [], [[]], {}, 10**40,
]  # fmt: skip

_WORDS = [
    "nan", "inf", "-1", "0", "1e308", "1e-308", "9" * 5000, "{", "}", "[" * 3000, "\x00", "Zrotation", "&a *a",
    "\ufeff", "yes", "JOINT", "MOTION", "Frames:", "\x1b[31m", "\u202e", "!!python/object:os.system x",
]  # fmt: skip
# COCO's keypoints of a person facing the camera, in pixels, y down.
_COCO = [
    (0, 14), (3, 12), (-3, 12), (6, 14), (-6, 14), (18, 30), (-18, 30), (24, 60), (-24, 60), (27, 85), (-27, 85),
    (12, 85), (-12, 85), (12, 125), (-12, 125), (12, 165), (-12, 165),
]  # fmt: skip

Case = Callable[[random.Random, Path], None]


def joints(frames: int = 60, seed: int = 0) -> np.ndarray:
    """Someone who sways: (F, 22, 3) metres, Y up, bones of constant length."""
    body = np.array(HUMANML3D.body)
    rest = np.array(HUMANML3D.rest)
    at = np.zeros((22, 3))
    at[0] = (0, 0.95, 0)
    for up, joint in HUMANML3D.bones:
        at[joint] = at[up] + rest[joint] * body[joint]
    time_ = np.arange(frames)[:, None, None] / 20 + seed
    return (at + 0.05 * np.sin(time_) * (1, 0, 1)).astype(np.float32)


def bvh_text(frames: int = 60) -> str:
    lines = ["HIERARCHY"]

    def add(joint: int, depth: int) -> None:
        kind = "ROOT" if depth == 0 else "JOINT"
        place = np.array(HUMANML3D.rest[joint]) * HUMANML3D.body[joint] * 100 if depth else np.zeros(3)  # type: ignore[index]
        position = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines.extend([f"{kind} {HUMANML3D.joint_names[joint]}", "{", "OFFSET " + " ".join(f"{v:.3f}" for v in place)])
        lines.append(f"CHANNELS {position} Zrotation Xrotation Yrotation")
        children = [j for j, up in enumerate(HUMANML3D.parents) if up == joint]
        for child in children:
            add(child, depth + 1)
        if not children:
            lines.extend(["End Site", "{", "OFFSET 0 5 0", "}"])
        lines.append("}")

    add(0, 0)
    rows = [[0.0, 95.0, 0.0, *np.sin(0.1 * f + np.arange(66)).round(3).tolist()] for f in range(frames)]
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.05", *(" ".join(map(str, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def keypoint_arrays() -> dict[str, np.ndarray]:
    pose = np.array(_COCO)
    xy = pose[None] + 5 * np.sin(np.arange(40)[:, None, None] / 5) + 200
    return {
        "xy": xy, "score": np.full((40, 17), 0.9), "fps": np.float64(25), "keypoint_set": np.array("coco17"),
        "frame": np.arange(40), "size": np.array([400, 400]), "time": np.arange(40) / 25,
        "camera": np.tile(np.eye(2, 3), (40, 1, 1)), "camera_known": np.ones(40, dtype=bool),
    }  # fmt: skip


# --- changes ---


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Bytes flipped, cut, repeated or replaced by others."""
    data = bytearray(content)
    kind = rng.randrange(6)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if kind == 1:
        start = rng.randrange(len(data))
        return bytes(data[:start] + data[start : start + rng.randrange(2000)] * rng.randrange(1, 4) + data[start:])
    if kind == 2:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(500)))
    for _ in range(rng.choice((1, 4, 30, 300))):
        data[rng.randrange(min(len(data), rng.choice((200, len(data)))))] = rng.randrange(256)
    return bytes(data)


def changed_text(rng: random.Random, text: str) -> str:
    """A word replaced by an odd one, a line lost or doubled, or a name with spaces or escapes."""
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        n = rng.randrange(len(lines))
        kind = rng.randrange(4)
        parts = lines[n].split(" ")
        if kind == 0:
            lines.pop(n)
            lines = lines or [""]
        elif kind == 1:
            lines.insert(n, lines[n])
        else:
            parts[rng.randrange(len(parts))] = rng.choice(_WORDS)
            lines[n] = " ".join(parts)
    return "\n".join(lines)


def changed_arrays(rng: random.Random, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An array of another type, shape or value, or one lost."""
    arrays = dict(arrays)
    name = rng.choice(list(arrays))
    array = arrays[name]
    kind = rng.randrange(7)
    if kind == 0:
        arrays.pop(name)
    elif kind == 1:
        arrays[name] = array.astype(rng.choice(["U8", "S8", "c16", "i1", "f2", "?", "M8[s]"]), casting="unsafe") if (
            array.dtype.kind not in "U") else np.array(5)  # fmt: skip
    elif kind == 2:
        arrays[name] = array[None] if rng.random() < 0.5 else array.ravel()[: rng.randrange(array.size + 1)]
    elif kind == 3 and array.dtype.kind == "f" and array.size:
        array = array.astype(np.float64)
        odd = [v for v in _ODD if isinstance(v, float)]
        array.ravel()[rng.randrange(array.size)] = rng.choice(odd) if array.ndim else 0
        arrays[name] = array if array.ndim else np.float64(rng.choice(odd))
    elif kind == 4:
        arrays[name] = np.array(rng.choice([v for v in _ODD if not isinstance(v, (dict, list)) and v != "\ud800"]))
        if arrays[name].dtype == object:
            arrays[name] = np.array(0)
    elif kind == 5 and array.dtype.kind in "fi":
        with np.errstate(all="ignore"):
            arrays[name] = array * rng.choice([0, -1, 1e10, 1e300, 1e-300])
    else:
        arrays[name] = np.zeros(array.shape)
    return arrays


def write_npz(rng: random.Random, path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Changed arrays, damaged bytes, or members that are no arrays."""
    kind = rng.randrange(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(path, **(changed_arrays(rng, arrays) if kind < 2 else arrays))  # type: ignore[arg-type]
    if kind == 2:
        path.write_bytes(damaged(rng, path.read_bytes()))
    elif kind == 3:
        with zipfile.ZipFile(path, "w") as z:
            for name in arrays:
                z.writestr(f"{name}.npy", damaged(rng, b"no array"))


def changed_json(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        return {**value, key: changed_json(rng, value[key])} if rng.random() < 0.8 else {
            k: v for k, v in value.items() if k != key}  # fmt: skip
    if isinstance(value, list) and value and rng.random() < 0.8:
        n = rng.randrange(len(value))
        return [*value[:n], changed_json(rng, value[n]), *value[n + 1 :]]
    return rng.choice(_ODD)


# --- cases ---


def expect(done: bool, what: str) -> None:
    if not done:
        raise AssertionError(f"good input not done: {what}")


def case_bvh(rng: random.Random, folder: Path) -> None:
    text = bvh_text()
    for n in range(2):
        (folder / f"good{n}.bvh").write_text(text)
    name = rng.choice(["bad", "bad one", "\x1b[2Jbad", "."]) + f"{rng.randrange(9)}.bvh"
    bad = damaged(rng, text.encode()) if rng.random() < 0.4 else changed_text(rng, text).encode("utf-8", "replace")
    (folder / name).write_bytes(bad)
    names = JointMap(metres_per_unit=0.01, joints={name: name for name in HUMANML3D.joint_names})
    cfg = PrepareConfig(val_share=0, test_share=0, mirror=False)
    summary = prepare(folder, folder / "out", cfg, names)
    str(summary), summary.reasons()
    expect({"good0", "good1"} <= set((folder / "out" / "train.txt").read_text().split()), "good0.bvh")


def case_joints(rng: random.Random, folder: Path) -> None:
    np.save(folder / "good.npy", joints())
    if rng.random() < 0.5:
        np.save(folder / "good.npy", joints())
        (folder / "bad.npy").write_bytes(damaged(rng, (folder / "good.npy").read_bytes()))
    else:
        np.save(folder / "bad.npy", changed_arrays(rng, {"x": joints()}).get("x", np.array(3)))
    if rng.random() < 0.3:
        (folder / "texts").mkdir()
        (folder / "texts" / "good.txt").write_text("walks#walk/VERB#0.0#0.0\n")
        (folder / "texts" / "bad.txt").write_text(changed_text(rng, "walks#walk/VERB#0.0#0.0\n"), errors="replace")
    prepare(folder, folder / "out", PrepareConfig(val_share=0, test_share=0, mirror=False))
    expect("good" in (folder / "out" / "train.txt").read_text().split(), "good.npy")


def case_import(rng: random.Random, folder: Path) -> None:
    np.savez(folder / "good.npz", **keypoint_arrays())  # type: ignore[arg-type]
    write_npz(rng, folder / "bad.npz", keypoint_arrays())
    run = Run.create(folder / "run")
    found = read_poses(folder)
    result = import_keypoints(run, found.clips, str(folder), found.count)
    str(result), result.reasons()
    expect("good" not in result.failed and run.ledger.get("extract", "good") is not None, "good.npz")


def case_export(rng: random.Random, folder: Path) -> None:
    arrays = {"joints": joints(), "fps": np.float64(20)}
    np.savez(folder / "good.npz", **arrays)  # type: ignore[arg-type]
    write_npz(rng, folder / "bad.npz", arrays)
    done = export_motions([folder / "bad.npz", folder / "good.npz"], folder / "out", ExportOptions(("csv",)))
    str(done), done.measures(), done.reasons()
    expect("good" in done.done and (folder / "out" / "good.csv").is_file(), "good.npz")


def case_render(rng: random.Random, folder: Path) -> None:
    np.save(folder / "good.npy", joints())
    write_npz(rng, folder / "bad.npz", {"joints": joints(), "fps": np.float64(20)})
    shown = ShownMotions(folder / "x.mp4")
    files = [folder / "bad.npz", folder / "good.npy"]
    read = shown.gather([(str(file), lambda file=file: read_motion(file)) for file in files])
    expect(str(folder / "good.npy") not in shown.failed and len(read) >= 1, "good.npy")


def case_config(rng: random.Random, folder: Path) -> None:
    from importlib import resources

    text = (resources.files("crossdiff.configs") / "filter.yaml").read_text()
    text = (
        text if rng.random() < 0.8 else "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(30))
    )
    bad = damaged(rng, text.encode()) if rng.random() < 0.3 else changed_text(rng, text).encode("utf-8", "replace")
    (folder / "c.yaml").write_bytes(bad)
    load_config(FilterConfig, folder / "c.yaml", [f"min_frames={rng.choice(['1', 'yes', '[', '9' * 5000, '.inf'])}"])


def case_result(rng: random.Random, folder: Path) -> None:
    from importlib import resources

    text = (resources.files("crossdiff.pretrained") / SHIPPED["text"] / "evaluation.json").read_text("utf-8")
    bad = (
        damaged(rng, text.encode()) if rng.random() < 0.5 else json.dumps(changed_json(rng, json.loads(text))).encode()
    )
    (folder / "r.json").write_bytes(bad)
    EvaluationResult.load(folder / "r.json")


_MODEL = ModelConfig(width=16, heads=2, feed_forward=16, domain_layers=1, shared_layers=2, root_layers=1,
                     root_feed_forward=16, max_frames=24, text_dim=6)  # fmt: skip


def case_checkpoint(rng: random.Random, folder: Path) -> None:
    save_model(CrossDiffModel(_MODEL), folder / "m")
    if rng.random() < 0.5:
        path = folder / "m" / "config.json"
        values = json.loads(path.read_text())
        key = rng.choice(list(values["config"]))
        values["config"][key] = rng.choice([*_ODD, 10**9, 65536, 1000, 64])
        path.write_text(json.dumps(values))
    else:
        path = folder / "m" / "model.safetensors"
        path.write_bytes(damaged(rng, path.read_bytes()))
    load_model(folder / "m")


def case_official(rng: random.Random, folder: Path) -> None:
    state: Any = {"a": torch.zeros(3), "b": torch.zeros(2, 2)}
    odd: Any = [
        state,
        {"state_dict": state},
        {"a": 1},
        [1],
        torch.zeros(1).expand(10**9),
        {"a": torch.full((2,), np.nan)},
    ]
    torch.save(rng.choice(odd), folder / "a.pt")
    if rng.random() < 0.7:
        (folder / "a.pt").write_bytes(damaged(rng, (folder / "a.pt").read_bytes()))
    read_official(folder / "a.pt")


def case_ledger(rng: random.Random, folder: Path) -> None:
    path = folder / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.put_videos(VideoRecord(f"v{n}", folder / f"v{n}.mp4", "c" * 64, "A", (), "s") for n in range(30))
    ledger.put(Row("extract", f"v{n}", "done", "k" * 16, measures={"tracks": 1}) for n in range(30))
    ledger.put(Row("track", f"v{n}_t0", "done", "k" * 16, f"v{n}", measures={"frames": 9}) for n in range(30))
    path.write_bytes(damaged(rng, path.read_bytes()))
    ledger = Ledger(path)
    ledger.rows("track"), ledger.videos(), ledger.counts()
    ledger.put([Row("filter", "a", "done", "k")])


# Weight of each kind among the inputs.
CASES: dict[Case, int] = {
    case_bvh: 3, case_joints: 3, case_import: 4, case_export: 3, case_render: 3, case_config: 4, case_result: 2,
    case_checkpoint: 3, case_official: 2, case_ledger: 2,
}  # fmt: skip


class Hang(BaseException):
    """A case that took too long."""


def _hang(*_: object) -> None:
    raise Hang


def run_case(case: Case, seed: int, folder: Path) -> str:
    """`done`, `refused`, or what went wrong."""
    signal.alarm(_SECONDS)
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            case(random.Random(seed), folder)
    except CrossDiffError as error:
        expect(len(str(error).splitlines()[0]) < 3000, "a short message")
        return "refused"
    except Hang:
        return "hang"
    except AssertionError as error:
        return f"lost: {error}"
    except Exception:
        return f"traceback: {traceback.format_exc()}"
    finally:
        signal.alarm(0)
    return "traceback: printed" if "Traceback" in said.getvalue() else "done"


def main() -> None:
    parser = argparse.ArgumentParser(description="Damaged and hostile inputs beside good ones.")
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="name of one kind, such as bvh")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    os.environ["TERM"] = "dumb"
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 4 * _GIB, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _hang)
    kinds = [case for case, weight in CASES.items() for _ in range(weight)]
    if options.only:
        kinds = [case for case in kinds if case.__name__ == f"case_{options.only}"]
    counts: Counter[str] = Counter()
    times: Counter[str] = Counter()
    began = time.perf_counter()
    longest = 0.0
    with TemporaryDirectory() as root:
        for n in range(options.inputs):
            case = kinds[n % len(kinds)]
            folder = Path(root) / "case"
            folder.mkdir()
            started = time.perf_counter()
            result = run_case(case, options.seed * 10**9 + n, folder)
            took = time.perf_counter() - started
            longest = max(longest, took)
            times[case.__name__] += took  # type: ignore[assignment]
            shutil.rmtree(folder)
            word = result.partition(":")[0]
            counts[word] += 1
            if word not in ("done", "refused"):
                sys.stdout.write(f"{case.__name__} {n}: {result}\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    bad = sum(count for word, count in counts.items() if word not in ("done", "refused"))
    sys.stdout.write(
        f"{options.inputs} inputs in {time.perf_counter() - began:.0f} s: {counts['done']} done, {counts['refused']} "
        f"refused in one line, {counts['traceback']} tracebacks, {counts['hang']} hangs over {_SECONDS} s, "
        f"{counts['lost']} good inputs lost; longest {longest:.1f} s, at most {peak:.1f} GiB\n"
    )
    sys.exit(1 if bad or peak > 4 else 0)


if __name__ == "__main__":
    main()
