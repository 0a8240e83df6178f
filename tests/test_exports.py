"""The public names: listed, sorted, documented, and nothing beside them."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import pytest

import captcha_async

PUBLIC_MODULES = ["captcha_async"] + [
    f"captcha_async.{name}"
    for name in ("errors", "services", "tasks", "wire", "emulator", "telemetry", "testing")
]


@pytest.fixture(params=PUBLIC_MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Return a module whose path is an API."""
    return importlib.import_module(request.param)


def test_the_list_is_complete() -> None:
    """`captcha_async.__all__` holds every public name that the package binds, and `__version__`."""
    bound = {
        name
        for name, value in vars(captcha_async).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    listed = set(captcha_async.__all__)
    assert bound <= listed
    assert all(hasattr(captcha_async, name) for name in listed)


def test_every_listed_name_exists(module: ModuleType) -> None:
    """`from … import *` works."""
    for name in module.__all__:
        assert hasattr(module, name)


def test_every_name_is_documented(module: ModuleType) -> None:
    """Every public class and function says what it is for, and so do its public methods."""
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{method}"


def test_the_version_is_the_installed_one() -> None:
    """`captcha_async.__version__` is what the package's metadata says."""
    metadata = pytest.importorskip("importlib.metadata")
    try:
        installed = metadata.version("captcha-async")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is not installed here")
    assert captcha_async.__version__ == installed
