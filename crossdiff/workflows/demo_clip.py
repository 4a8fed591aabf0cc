"""The demo clip: a real video inside a package of the Python package index, fetched once and checked."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from crossdiff.errors import InputError
from crossdiff.files import cache_folder, sha256, write_atomically

# BSD-3-Clause, (c) David Pagnon; two people outdoors, 230 frames at 30 frames a second.
PACKAGE, MEMBER = "sports2d==0.8.34", "Sports2D/Demo/demo.mp4"
CLIP_SHA256 = "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"


def fetch_demo_clip(folder: Path | None = None) -> Path:
    """Path of the clip, downloaded with pip unless it is in the cache."""
    clip = (folder or cache_folder()) / "demo.mp4"
    if clip.is_file() and sha256(clip) == CLIP_SHA256:
        return clip
    with TemporaryDirectory() as temporary:
        wheel = _download(Path(temporary))
        try:
            with zipfile.ZipFile(wheel) as z:
                content = z.read(MEMBER)
        except (zipfile.BadZipFile, KeyError) as error:
            raise InputError(f"{wheel.name}: holds no {MEMBER} ({error}); name a video with --video") from None
    write_atomically(clip, lambda tmp: tmp.write_bytes(content) and None)
    digest = sha256(clip)
    if digest != CLIP_SHA256:
        clip.unlink()
        raise InputError(f"demo clip: expected sha256 {CLIP_SHA256}, got {digest}; name a video with --video")
    return clip


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise InputError(f"demo clip: {PACKAGE} cannot be downloaded ({reason}); name a video with --video")
    return wheels[0]
