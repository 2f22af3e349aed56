"""Where model files and other assets lie."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ModelError

FULL_MODEL = "magicpose"
EMBEDDED_MODEL = "mini"
SD15 = "sd15"
"""In place of a model, to time: one of Stable Diffusion 1.5's size with random weights."""


def assets_dir() -> Path:
    """The assets that travel with the program: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"


def cache_dir() -> Path:
    """Where the program keeps what it does not want to fetch or compute twice: ``$MAGICPOSE_HOME``, by default
    ``~/.cache/magicpose``."""
    home = os.environ.get("MAGICPOSE_HOME")
    return Path(home) if home else Path.home() / ".cache" / "magicpose"


def models_dir() -> Path:
    """Where installed models lie: ``models`` in `cache_dir`."""
    return cache_dir() / "models"


def installed_models() -> dict[str, Path]:
    """Names of the models at hand and their folders; the embedded one is always among them."""
    found = {EMBEDDED_MODEL: assets_dir() / "models" / EMBEDDED_MODEL}
    if models_dir().is_dir():
        found |= {p.name: p for p in sorted(models_dir().iterdir()) if (p / "model_index.json").is_file()}
    return found


def find_model(name_or_dir: str | None) -> Path:
    """Find a model's folder.

    Args:
        name_or_dir: an installed model's name, a folder, or None for the best at hand: the full model where it
            is installed, else the embedded one.

    Raises:
        ModelError: neither a known name nor a model's folder.
    """
    models = installed_models()
    if name_or_dir is None:
        return models.get(FULL_MODEL, models[EMBEDDED_MODEL])
    if name_or_dir in models:
        return models[name_or_dir]
    folder = Path(name_or_dir)
    if not (folder / "model_index.json").is_file():
        found = (
            f"a folder without model_index.json ({folder})"
            if folder.is_dir()
            else f"neither ({name_or_dir!r})"
        )
        raise ModelError(
            expected="a model's folder or the name of an installed model",
            found=found,
            remedy=f"Installed models: {', '.join(models)}; or give the path of a folder in diffusers layout.",
        )
    return folder
