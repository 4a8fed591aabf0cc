"""`crossdiff app`: a local page for text and video."""

from __future__ import annotations

from typing import Annotated

import typer

from crossdiff.cli.options import Backend, Device, PoseSet
from crossdiff.cli.printing import print_default, print_summary


def serve(
    host: Annotated[str, typer.Option(help="Address to serve at; any other gives other machines access.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve at.")] = 7860,
    checkpoint: Annotated[
        str | None, typer.Option(help="Model for text and videos; default: the shipped ones.")
    ] = None,
    device: Device = "auto",
    backend: Backend = "mediapipe",
    pose_set: PoseSet = None,
    max_upload: Annotated[str, typer.Option(help="Largest accepted video, such as 500kb or 2gb.")] = "100mb",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name besides --host that the page may be asked for by, as behind a proxy; repeatable."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve a page: text to motion, video to motion, with an interactive viewer and files to download.

    Runs until Ctrl-C. The page fetches nothing from the network, and is served to this machine only.

    Example: crossdiff app --port 7860 --max-upload 100mb --open
    """
    from crossdiff.app.address import check_address

    check_address(host, port)
    # Imported afterwards, because these take seconds, and the page even more.
    from crossdiff.app.models import Models
    from crossdiff.app.size import read_size
    from crossdiff.app.video import PoseSettings
    from crossdiff.device import pick_device
    from crossdiff.pipeline.backends import create_backend

    if backend != "mediapipe" or pose_set:  # the default need not be installed for text
        create_backend(backend, pose_set or [])
    max_bytes = read_size(max_upload)
    models = Models(checkpoint, pick_device(device))
    if checkpoint is None:
        names = f"{models.folder('text').name}, {models.folder('lift').name}"
        print_default("checkpoint", names, "the shipped models")
    from crossdiff.app.page import serving, until_stopped

    pose, allowed = PoseSettings(backend, tuple(pose_set or ())), tuple(allow_host or ())
    with serving(models, pose, host, port, max_bytes, open_, allowed) as address:
        if host not in ("127.0.0.1", "localhost", "::1"):
            print_default("host", host, "anyone who reaches this address can use the page; it asks for no password")
        print_summary(f"Look at {address} (Ctrl-C stops it)")
        until_stopped()
