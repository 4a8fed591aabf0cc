"""`crossdiff` as typed, but its training waits before a step until it is killed: STEP ARGUMENTS..."""

import sys
import time

from crossdiff.cli import main
from crossdiff.training import loop

HANG_AT = int(sys.argv.pop(1))
load_steps = loop.load_steps


def load_until(batches, steps, *rest):
    for step, batch in zip(steps, load_steps(batches, steps, *rest), strict=True):
        if step == HANG_AT:
            time.sleep(3600)
        yield batch


loop.load_steps = load_until
main()
