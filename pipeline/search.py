"""Finding the videos of a folder: by suffix, by their first bytes, and finally by decoding them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from crossdiff.video import holds_video

log = logging.getLogger(__name__)

# Accepted without opening them; a damaged one fails later, with its reason.
VIDEO_SUFFIXES = frozenset(
    """
    .264 .265 .3g2 .3gp .amv .asf .avi .divx .dv .f4v .flv .h264 .h265 .hevc .insv .ivf .m1v .m2t .m2ts .m2v .m4v .mjpeg
    .mjpg .mk3d .mkv .mov .mp4 .mp4v .mpe .mpeg .mpg .mpv .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .vob .webm .wmv .wtv
    .y4m
    """.split()  # noqa: SIM905 - a list of strings fills a page
)
# Source code or video: accepted unless it is text.
_SHARED_SUFFIXES = frozenset({".ts"})
# Decoded only if they begin as videos do.
_OTHER_SUFFIXES = frozenset(
    """
    .7z .aac .aif .aiff .avif .bmp .bvh .bz2 .c3d .c .cfg .cpp .csv .db .doc .docx .exe .flac .gz .h .h5 .hdf5 .heic
    .heif .html .ico .ini .ipynb .jpeg .jpg .js .json .jsonl .log .m3u .m3u8 .m4a .m4b .mat .md .mid .mp3 .npy .npz .odt
    .oga .ogg .opus .parquet .pdf .pickle .pkl .png .ppt .pptx .psd .pt .pth .py .rar .rst .rtf .safetensors .sh .sqlite
    .srt .ass .svg .tar .tex .tgz .tif .tiff .toml .tsv .txt .url .vtt .wav .webp .wma .xls .xlsx .xml .xmp .yaml .yml
    .zip .thm
    """.split()  # noqa: SIM905
)
_HEAD = 4096
_MAGIC = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMV
    b"FLV\x01",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b".RMF",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)
# Brands of MP4's family for sound and still pictures.
_OTHER_BRANDS = (b"M4A ", b"M4B ", b"avif", b"heic", b"heix", b"mif1")
_OGG_VIDEO = (b"theora", b"\x01video", b"fishead")
# Transport streams: offset of the first packet, length of a packet.
_PACKETS = ((0, 188), (4, 192), (0, 204))
_TEXT = bytes({*b"\b\t\n\f\r\x1b", *range(0x20, 0x7F), *range(0x80, 0x100)})


def files_below(folder: Path) -> list[Path]:
    """The files in a folder at any depth, as sorted paths below it.

    Hidden files and folders and `__MACOSX` are left out. Links to folders are followed after all real folders, and
    each folder is searched once, however many names it has.
    """
    files: list[Path] = []
    searched: set[tuple[int, int]] = set()
    folders, links = [Path()], list[Path]()
    while folders or links:
        below = folders.pop() if folders else links.pop(0)
        try:
            status = (folder / below).stat()
            if (status.st_dev, status.st_ino) in searched:
                continue
            searched.add((status.st_dev, status.st_ino))
            with os.scandir(folder / below) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".") and entry.name != "__MACOSX"]
        except OSError as error:
            log.warning("%s: cannot be searched (%s)", folder / below, error.strerror)
            continue
        for entry in visible:
            kind = folders if entry.is_dir(follow_symlinks=False) else links if entry.is_dir() else files
            kind.append(below / entry.name)
        links.sort()
    return sorted(files)


def is_video(path: Path) -> bool:
    """Whether a file is a video; damaged ones count, by their suffix or their first bytes.

    Files with a video's suffix are not opened. Of files with another well-known suffix (text, pictures, sound, arrays)
    only the first bytes are read, unless they are a video's; any other file is decoded, unless it begins as text.
    """
    if path.exists() and not path.is_file():
        return False  # reading a pipe or a socket would block
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    head = _head(path)
    begins_as_video = _begins_as_video(head)
    if suffix in _OTHER_SUFFIXES:
        return begins_as_video and holds_video(path)
    if not head.translate(None, _TEXT):
        return False
    return suffix in _SHARED_SUFFIXES or begins_as_video or holds_video(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _begins_as_video(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] not in _OTHER_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    if head[:4] == b"OggS":
        return any(mark in head for mark in _OGG_VIDEO)
    packets = any(head[at : at + 2 * size + 1 : size] == b"GGG" for at, size in _PACKETS)
    return packets or head[4:8] in (b"moov", b"mdat", b"wide") or head.startswith(_MAGIC)
