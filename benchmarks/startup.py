"""CPU time of `crossdiff sample` without its video, as a multiple of `import torch`, and what its imports cost.

    python benchmarks/startup.py [--runs 5]

Both are started in turn with one thread, and the least time of each counts. The goal is at most twice the time of
`import torch`.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter

IMPORT = ["-c", "import torch"]
SAMPLE = ["-c", "from crossdiff.cli import main; main()", "sample", "a person walks forward", "--no-video", "--out"]
# Libraries that take less are left out.
LEAST_MS = 20
# Threads that wait for work use CPU time on a busy machine.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_times(arguments: list[str]) -> Counter[str]:
    """Milliseconds in the modules of each library, without those that they import from others."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    times: Counter[str] = Counter()
    for own, module in re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)$", done.stderr, re.MULTILINE):
        times[module.split(".")[0]] += int(own) / 1000  # type: ignore[assignment]
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    imported, sampled = [], []
    for _ in range(args.runs):
        with tempfile.TemporaryDirectory() as folder:
            imported.append(cpu_seconds(IMPORT))
            sampled.append(cpu_seconds([*SAMPLE, folder]))
    print(f"import torch:     {min(imported):.2f} s of CPU time")
    print(f"crossdiff sample: {min(sampled):.2f} s, {min(sampled) / min(imported):.2f} times as much")
    with tempfile.TemporaryDirectory() as folder:
        times = import_times([*SAMPLE, folder])
    print("\n| library | imports, ms |\n|---|---|")
    for name, spent in times.most_common():
        if spent >= LEAST_MS:
            print(f"| {name} | {spent:.0f} |")


if __name__ == "__main__":
    sys.exit(main())
