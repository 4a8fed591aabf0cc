"""Exporting many motions in several formats; one that fails does not stop the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from crossdiff.data.motion_files import read_motion
from crossdiff.data.plausible import check_leg
from crossdiff.errors import ClipError, CrossDiffError, InputError, MissingDependencyError
from crossdiff.export.arrays import write_csv, write_npz
from crossdiff.export.biomechanics import write_angles, write_trc
from crossdiff.export.bvh import BLENDER_FPS, PER_METRE, Unit, write_bvh
from crossdiff.export.clean import SIGMA, Cleaned, clean_motion
from crossdiff.export.glb import write_glb
from crossdiff.export.rig import JOINT_NAMES, Names, Rig, resample_rig
from crossdiff.export.smpl import body_motion, load_skin, rest_body, write_obj_sequence, write_smpl
from crossdiff.files import decoding
from crossdiff.progress import track
from crossdiff.representation.physics import FEWEST_FRAMES, MEASURES
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Motion3D
from crossdiff.wording import Failures, counted

Format = Literal["bvh", "glb", "npz", "csv", "trc", "angles", "smpl"]
FORMATS: tuple[Format, ...] = get_args(Format)
# NAME.csv and NAME.npz would clash with the formats csv and npz; AMASS's name for the second.
_ENDINGS = {name: f".{name}" for name in FORMATS} | {"angles": "_angles.csv", "smpl": "_poses.npz"}


@dataclass(frozen=True)
class ExportOptions:
    """Formats of an export, and how motions are cleaned up.

    formats: the formats to write.
    smooth, foot_lock: see `clean_motion`.
    unit: unit of length of BVH files.
    fps: frames a second of all files; None: 24 in BVH files, as Blender assumes, and the motion's in all others.
    names: what the joints are called, except in the formats angles and smpl; see `JOINT_NAMES`.
    body_model: a model of the SMPL family (.npz), whose mean body the format smpl uses.
    mesh: also write its skin as OBJ files.
    """

    formats: tuple[Format, ...]
    smooth: bool = False
    foot_lock: bool = True
    unit: Unit = "m"
    body_model: Path | None = None
    mesh: bool = False
    fps: float | None = None
    names: Names = "humanml3d"

    def __post_init__(self) -> None:
        if not self.formats or (unknown := [f for f in self.formats if f not in FORMATS]):
            got = ", ".join(unknown) if self.formats else "none"
            raise InputError(f"format: expected one or more of {', '.join(FORMATS)}, got {got}")
        if self.unit not in PER_METRE:
            raise InputError(f"unit: expected one of {', '.join(PER_METRE)}, got {self.unit!r}")
        if self.names not in JOINT_NAMES:
            raise InputError(f"names: expected one of {', '.join(JOINT_NAMES)}, got {self.names!r}")
        if self.fps is not None and not 1 <= self.fps <= 1000:
            raise InputError(f"fps: expected 1 to 1000, got {self.fps:g}")
        if (self.body_model or self.mesh) and "smpl" not in self.formats:
            raise InputError("a body model and its mesh belong to the format smpl; add --format smpl")
        if self.mesh and self.body_model is None:
            raise MissingDependencyError(
                "--mesh needs a body model, which may not be redistributed: register at https://mano.is.tue.mpg.de, "
                "download 'Extended SMPL+H model', and name its file with --body-model smplh/female/model.npz"
            )


@dataclass
class ExportSummary(Failures):
    """The output folder or file, the exported motions with their measures, and the reasons of those that failed."""

    out: Path
    options: ExportOptions
    done: dict[str, Cleaned] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = ", ".join(self.options.formats)
        failed = f"; {len(self.failed)} failed" if self.failed else ""
        return f"{counted(len(self.done), 'motion')} exported as {kinds} to {self.out}{failed}"

    def measures(self) -> list[str]:
        """A line for each motion: its displacement by rigid bones, and its measures before and after."""
        return [f"{name}: {_measured(cleaned)}" for name, cleaned in self.done.items()]

    def what_failed(self) -> str:
        return f"{counted(len(self.failed), 'motion')} could not be exported"

    def has_results(self) -> bool:
        return bool(self.done)


# Left out of the printed line: they also count toes that swing past the floor, which no foot lock should hold.
_NOT_PRINTED = ("skating_share", "skating_speed")


def _measured(cleaned: Cleaned) -> str:
    parts = ["no foot in contact"]
    if cleaned.contact_speed is not None:
        parts = ["speed of feet in contact {:.1f} -> {:.1f} cm/s".format(*cleaned.contact_speed)]
    for name, measure in MEASURES.items():
        if name in _NOT_PRINTED:
            continue
        before, after = getattr(cleaned.before, name), getattr(cleaned.after, name)
        unit, digits = (f" {measure.unit}" if measure.unit else ""), 2 if measure.unit != "m/s³" else 0
        parts.append(f"{measure.title.lower()} {before:.{digits}f} -> {after:.{digits}f}{unit}")
    moved = f"rigid bones moved joints by {1000 * cleaned.mean_moved:.1f} mm (at most {1000 * cleaned.most_moved:.0f})"
    return "; ".join([*parts, moved])


def export_motions(motions: Sequence[Path], out: Path, options: ExportOptions) -> ExportSummary:
    """Read each motion, clean it up, and write it in every format under its file's name.

    out: a folder; or, for one motion in one format, a file with this format's suffix.
    InputError if two motions would be written to one file, or one onto itself. Motions that fail are listed in
    `failed`; the others are written.
    """
    targets = _targets(motions, out, options)
    write_body = _BodyWriter(options) if "smpl" in options.formats else None
    summary = ExportSummary(out, options)
    for path in track(list(motions), "export"):
        try:
            with decoding(path, "a motion that can be exported"):
                cleaned = clean_motion(read_exportable(path), SIGMA if options.smooth else 0.0, options.foot_lock)
        except MissingDependencyError:
            raise
        except CrossDiffError as error:
            summary.failed[path.name] = str(error)
            continue
        for kind in options.formats:
            target = targets[path, kind]
            fps = (BLENDER_FPS if kind == "bvh" else cleaned.rig.fps) if options.fps is None else options.fps
            rig = resample_rig(cleaned.rig, fps)
            if kind == "smpl" and write_body is not None:
                write_body(rig, target)
            else:
                write_rig(replace(rig, names=JOINT_NAMES[options.names]), target, kind, options.unit)
        summary.done[path.stem] = cleaned
    return summary


def write_rig(rig: Rig, path: Path, kind: Format, unit: Unit = "m") -> None:
    """Write one file of a format other than smpl."""
    if kind == "bvh":
        write_bvh(rig, path, unit)
    elif kind == "glb":
        write_glb(rig, path, path.stem)
    elif kind == "npz":
        write_npz(rig, path)
    elif kind == "csv":
        write_csv(rig, path)
    elif kind == "trc":
        write_trc(rig, path)
    elif kind == "angles":
        write_angles(rig, path)
    else:
        raise InputError(f"{path}: smpl is written by `write_smpl`")


class _BodyWriter:
    """Writes rigs as SMPL parameters of one body, and optionally its meshes."""

    def __init__(self, options: ExportOptions) -> None:
        self.body = rest_body(options.body_model)
        self.skin = load_skin(options.body_model) if options.mesh and options.body_model is not None else None

    def __call__(self, rig: Rig, path: Path) -> None:
        motion = body_motion(rig, self.body)
        write_smpl(motion, path)
        if self.skin is not None:
            write_obj_sequence(self.skin, motion, path.with_name(path.stem.removesuffix("_poses") + "_mesh"))


def is_file_name(out: Path) -> bool:
    """Whether an output is meant as a file: it has the suffix of a format and is no folder."""
    return format_of(out) is not None and not out.is_dir()


def format_of(out: Path) -> Format | None:
    """The format that a file's suffix stands for."""
    return next((kind for kind in FORMATS if out.suffix.lower() == f".{kind}"), None)


def _targets(motions: Sequence[Path], out: Path, options: ExportOptions) -> dict[tuple[Path, Format], Path]:
    """The file of each motion in each format; InputError if one would be written twice, or onto a motion."""
    if is_file_name(out):
        if len(motions) > 1 or len(options.formats) > 1:
            many = counted(len(motions), "motion") + " in " + counted(len(options.formats), "format")
            raise InputError(f"{out}: one file cannot hold {many}; name a folder with --out")
        if not _ENDINGS[options.formats[0]].endswith(out.suffix.lower()):
            raise InputError(f"{out}: is no name of a file in the format {options.formats[0]}; change one of them")
        targets = {(path, kind): out for path in motions for kind in options.formats}
    else:
        targets = {(path, kind): out / f"{path.stem}{_ENDINGS[kind]}" for path in motions for kind in options.formats}
    counts = Counter(path.resolve() for path in targets.values())
    if twice := sorted(path.name for path, count in counts.items() if count > 1):
        raise InputError(f"several motions would be written to {', '.join(twice)}; export them in separate calls")
    if onto := sorted(str(p) for p in motions if p.resolve() in counts):
        raise InputError(f"{', '.join(onto)}: would be overwritten; name another folder with --out")
    return targets


def read_exportable(path: Path) -> Motion3D:
    """Read a motion of the 22 joints; InputError if it is too short or not of a person's size."""
    motion = read_motion(path)
    if motion.skeleton != HUMANML3D:
        raise InputError(f"{path}: motions of the KIT skeleton cannot be exported; give one of {HUMANML3D.name}")
    if len(motion.joints) < FEWEST_FRAMES:
        raise InputError(f"{path}: {len(motion.joints)} frames, need {FEWEST_FRAMES} or more; choose a longer motion")
    try:
        check_leg(motion.joints, HUMANML3D)
    except ClipError as error:
        raise InputError(f"{path}: {error}") from None
    return motion
