"""Files: written whole or not at all, and read back with errors that name them."""

from __future__ import annotations

import gc
import hashlib
import resource
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from crossdiff.checkpoint import save_state
from crossdiff.errors import InputError
from crossdiff.files import (
    decoding,
    disk_message,
    load_npy,
    load_npz,
    npz_names,
    read_json,
    read_record,
    save_npy,
    save_npz,
    sha256,
    write_atomically,
    write_json,
    write_text,
)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def half(tmp):
        tmp.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_text_is_utf8(tmp_path):
    write_text(tmp_path / "a" / "b" / "c.txt", "Schritt für Schritt 走る")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes().decode() == "Schritt für Schritt 走る"
    write_json(tmp_path / "d.json", {"走る": [1, None]})
    assert read_json(tmp_path / "d.json") == {"走る": [1, None]}


class Litter:
    """Garbage whose end runs Python code, so that threads change wherever the collector happens to run."""

    def __init__(self):
        self.ring = self

    def __del__(self):
        sum(range(50))


@pytest.mark.parametrize("kind", ["npy", "npz", "mapped"])
def test_threads_read_arrays_at_the_same_time(tmp_path, kind):
    x = np.arange(6).reshape(2, 3)
    path = tmp_path / ("x.npz" if kind == "npz" else "x.npy")
    save_npz(path, x=x) if kind == "npz" else save_npy(path, x)

    def read(_):
        Litter()
        return load_npz(path)["x"] if kind == "npz" else load_npy(path, mapped=kind == "mapped")

    before, switching = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            read_back = list(pool.map(read, range(2000)))
    finally:
        gc.set_threshold(*before)
        sys.setswitchinterval(switching)
    assert all(np.array_equal(y, x) for y in read_back)


def test_arrays_come_back(tmp_path):
    x = np.arange(6).reshape(2, 3)
    save_npy(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(load_npy(tmp_path / "x.npy"), x)
    np.testing.assert_array_equal(load_npy(tmp_path / "x.npy", mapped=True), x)
    save_npz(tmp_path / "x.npz", x=x, name=np.array("walk"))
    assert npz_names(tmp_path / "x.npz") == ["x", "name"]
    assert load_npz(tmp_path / "x.npz").keys() == {"x", "name"}
    assert str(load_npz(tmp_path / "x.npz", ["name"])["name"]) == "walk"
    with pytest.raises(InputError, match=r"x\.npz: lacks y, z; it holds x, name"):
        load_npz(tmp_path / "x.npz", ["y", "x", "z"])


def test_objects_are_neither_written_nor_read(tmp_path):
    thing = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        save_npy(tmp_path / "x.npy", thing)
    assert not list(tmp_path.iterdir())
    np.save(tmp_path / "x.npy", thing)
    np.savez(tmp_path / "x.npz", x=thing)
    with pytest.raises(InputError, match=r"x\.npy: not a plain numpy array"):
        load_npy(tmp_path / "x.npy")
    with pytest.raises(InputError, match=r"x\.npz: not a readable npz file"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("load", [load_npy, partial(load_npy, mapped=True), load_npz, npz_names, read_json])
def test_missing_files_folders_and_other_kinds_are_named(tmp_path, load):
    with pytest.raises(InputError, match="nothing: no such file"):
        load(tmp_path / "nothing")
    contents = {"empty": b"", "text": b"hello", "binary": b"\xff\xfe\x00", "zip": b"PK\x03\x04", "pickle": b"\x80\x04."}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            load(tmp_path / name)


def test_npy_and_npz_under_each_others_name(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy: .*npz archive"):
        load_npy(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy: not a plain"):
        load_npy(tmp_path / "a.npy", mapped=True)
    np.save(tmp_path / "b.npy", np.zeros(3))
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    for load in (load_npz, npz_names):
        with pytest.raises(InputError, match=r"b\.npz: .*single array"):
            load(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as z:
        z.writestr("readme.txt", "no arrays here")
    with pytest.raises(InputError, match=r"c\.npz: lacks x"):
        load_npz(tmp_path / "c.npz", ["x"])


def test_members_that_are_no_arrays_or_would_fill_the_memory_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as z:
        z.writestr("x.npy", "no array")
    with pytest.raises(InputError, match=r"a\.npz: not a readable npz file \(x is no array\)"):
        load_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as z, z.open("x.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(2**20))
    with pytest.raises(InputError, match=r"b\.npz: .*x\.npy would expand to 0\.3 GB"):
        npz_names(tmp_path / "b.npz")


@contextmanager
def no_file_larger_than(size):
    """As on a disk that is full: writing beyond it fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


_X = torch.arange(50_000).float()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save_state(path, {"x": _X, "steps": [1]}),
        lambda path: write_atomically(path, lambda tmp: save_file({"x": _X}, tmp)),
        lambda path: save_npy(path, _X.numpy()),
        lambda path: save_npz(path, x=np.random.default_rng(0).random(50_000)),
        lambda path: write_json(path, list(range(50_000))),
    ],
    ids=["torch", "safetensors", "npy", "npz", "json"],
)
def test_a_full_disk_is_one_line_that_names_file_and_disk_and_the_old_file_stays(tmp_path, write, capsys):
    path = tmp_path / "a.npy"  # numpy adds this suffix to others
    path.write_text("old")
    with no_file_larger_than(100_000), pytest.raises(OSError, match="too large") as raised:
        write(path)
    assert raised.value.filename == str(path)
    said = disk_message(raised.value)
    assert said.startswith(f"{path}: not written: File too large (") and " MB free on the disk at /" in said
    assert said.endswith("make space, then run the same command again") and "\n" not in said
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    gc.collect()
    assert "Traceback" not in capsys.readouterr().err
    write(path)
    assert path.stat().st_size > 100_000


def test_other_errors_of_the_file_system_name_the_path():
    assert disk_message(PermissionError(13, "Permission denied", "/x")) == (
        "/x: Permission denied; check the path, its permissions and the free space"
    )
    assert disk_message(OSError("odd")).startswith("the file system: odd;")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyError("xy"), "x.bvh: not a BVH file (KeyError: 'xy')"),
        (RecursionError(), "x.bvh: not a BVH file (RecursionError)"),
        (MemoryError(), "x.bvh: not a BVH file (it needs more memory than there is)"),
        (ValueError("two\nlines\x1b[2J"), "x.bvh: not a BVH file (two lines\\x1b[2J)"),
        (FileNotFoundError(), "x.bvh: no such file"),
        (InputError("x.bvh: is blue"), "x.bvh: is blue"),
    ],
)
def test_whatever_a_parser_raises_becomes_one_line_that_names_the_file(raised, said):
    with pytest.raises(InputError) as caught, decoding("x.bvh", "a BVH file"):
        raise raised
    assert str(caught.value) == said
    with pytest.raises(KeyboardInterrupt), decoding("x.bvh", "a BVH file"):
        raise KeyboardInterrupt


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(place=st.integers(0, 700), change=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_an_input_error_or_still_readable(tmp_path, place, change, cut):
    x = np.random.default_rng(0).integers(0, 9, size=200)
    for name, save, load in (("x.npy", save_npy, load_npy), ("x.npz", lambda p, a: save_npz(p, x=a), load_npz)):
        path = tmp_path / name
        save(path, x)
        content = bytearray(path.read_bytes())
        place = min(place, len(content) - 1)
        content[place] ^= change
        path.write_bytes(content[: place if cut else None])
        try:
            load(path)
        except InputError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("damaged", [b"a: [", b"\xff\xfe", b"a word", b""])
def test_a_damaged_record_is_none(tmp_path, damaged):
    (tmp_path / "a.yaml").write_bytes(damaged)
    assert read_record(tmp_path / "a.yaml") == read_record(tmp_path / "none.yaml") == {}
    write_text(tmp_path / "a.yaml", "a: 1\n")
    assert read_record(tmp_path / "a.yaml") == {"a": 1}


def test_the_hash_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"walk")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"walk").hexdigest()
