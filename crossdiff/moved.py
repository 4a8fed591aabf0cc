"""Old dotted paths of public modules and functions, which work with a warning for one release."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULES = {
    "crossdiff.evaluation.evaluators": "crossdiff.evaluators.evaluators",
    "crossdiff.evaluation.networks": "crossdiff.evaluators.networks",
    "crossdiff.evaluation.parts": "crossdiff.evaluators.body_parts",
    "crossdiff.evaluation.released": "crossdiff.evaluators.released",
    "crossdiff.evaluation.scores": "crossdiff.evaluation.metrics",
    "crossdiff.evaluation.sharing": "crossdiff.evaluators.shared_captions",
    "crossdiff.evaluation.training": "crossdiff.evaluators.training",
    "crossdiff.evaluation.words": "crossdiff.evaluators.words",
    "crossdiff.pipeline.imports": "crossdiff.pipeline.importing.imports",
    "crossdiff.pipeline.people": "crossdiff.pipeline.tracks.people",
    "crossdiff.pipeline.stages": "crossdiff.pipeline.summaries",
    "crossdiff.studies.recipe": "crossdiff.workflows.recipe",
    "crossdiff.viewing.motion_files": "crossdiff.data.motion_files",
    "crossdiff.viewing.sheet": "crossdiff.viewing.render",
    "crossdiff.viewing.view": "crossdiff.viewing.player.view",
    "crossdiff.workflows.reporting": "crossdiff.workflows.callbacks",
}
# Module -> old name -> new name in the same module.
NAMES = {
    "crossdiff.annotations": {"read_captions": "read_caption_csv"},
    "crossdiff.annotations.captions": {"read_captions": "read_caption_csv"},
    "crossdiff.data.batch": {"Crop": "ClipWindow"},
    "crossdiff.data.captions": {"read_captions": "read_caption_file"},
    "crossdiff.evaluation.result": {"Table": "ScoreTable"},
    "crossdiff.pipeline.ledger": {"Video": "VideoRecord"},
    "crossdiff.representation.features2d": {"joints_to_features": "joints_to_features_2d"},
    "crossdiff.representation.features3d": {"joints_to_features": "joints_to_features_3d"},
    "crossdiff.workflows.recipe": {"Recipe": "TrainingRecipe"},
}


def install() -> None:
    """Let imports find modules by their old paths."""
    if not any(isinstance(finder, _MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(_MovedFinder())


def moved_names(module: str) -> Callable[[str], object]:
    """The `__getattr__` of a module with renamed attributes."""

    def getattr_(name: str) -> object:
        new = NAMES[module].get(name)
        if new is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        _warn(f"{module}.{name}", f"{module}.{new}")
        return getattr(sys.modules[module], new)

    return getattr_


class _MovedFinder(MetaPathFinder):
    """The last finder, which is only asked for modules that do not exist."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _MovedLoader()) if fullname in MODULES else None


class _MovedLoader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new path in place of the empty one."""
        old = module.__name__
        _warn(old, MODULES[old])
        sys.modules[old] = import_module(MODULES[old])


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is now {new}; the old name will be removed in the next release", DeprecationWarning, stacklevel=3
    )
