"""The collector's script as a module, for tests of its parts."""

import importlib.util
import sys
from functools import cache
from types import ModuleType

from support.repository import ROOT

FILE = ROOT / "templates" / "guest" / "collector.py"


@cache
def collector_script() -> ModuleType:
    """The module."""
    spec = importlib.util.spec_from_file_location("ccgpu_collector", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
