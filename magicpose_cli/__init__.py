"""magicpose: one picture of a person, one video of somebody moving, one video of the person moving that way.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .diffusion.pipeline import MagicPosePipeline
    from .evaluation import score
    from .pose.sequence import PoseSequence

__version__ = "0.1.0"
__all__ = ["MagicPosePipeline", "PoseSequence", "__version__", "score"]

_HOMES = {
    "MagicPosePipeline": ".diffusion.pipeline",
    "PoseSequence": ".pose.sequence",
    "score": ".evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __name__), name)
