"""One module for each family. The top of ../capture.py says what a module holds."""

import importlib
import pkgutil


def family(model_type):
    """The module of the family that config.json calls `model_type`."""
    return importlib.import_module("." + model_type.replace("-", "_"), __name__)


def fixtures():
    """{name: (config.json, seed, layout)} of all families."""
    found = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(__path__)):
        own = getattr(importlib.import_module("." + module, __name__), "FIXTURES", {})
        assert not found.keys() & own.keys(), "two fixtures have one name"
        found |= own
    return found
