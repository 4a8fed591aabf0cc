"""Old dotted paths lead to the new ones, and say so."""

import sys
from importlib import import_module

import pytest

from crossdiff.moved import MODULES, NAMES


@pytest.mark.parametrize("old", MODULES)
def test_an_old_module_is_the_new_one(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MODULES[old]}"):
        module = import_module(old)
    assert module is import_module(MODULES[old])
    assert module.__name__ == module.__spec__.name == MODULES[old]


@pytest.mark.parametrize(("module", "old"), [(module, old) for module, names in NAMES.items() for old in names])
def test_an_old_name_is_the_new_one(module, old):
    home = import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{module}.{old} is now {module}.{NAMES[module][old]}"):
        value = getattr(home, old)
    assert value is getattr(home, NAMES[module][old])
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = home.nothing


def test_functions_of_the_api_are_found_by_their_old_paths():
    from crossdiff.viewing.motion_files import read_motion
    from crossdiff.viewing.sheet import render_sheet
    from crossdiff.viewing.view import Shown, write_view

    assert read_motion.__module__ == "crossdiff.data.motion_files"
    assert render_sheet.__module__ == "crossdiff.viewing.render"
    assert {write_view.__name__, Shown.__name__} == {"write_view", "Shown"}
