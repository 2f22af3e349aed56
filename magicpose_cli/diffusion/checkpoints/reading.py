"""Opens a checkpoint file: names and shapes at once, tensors when asked for, mapped from the disk and not copied.

Nothing in a file is executed: safetensors, or torch's weights-only loader.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...errors import ModelError

TORCH_SUFFIXES = (".th", ".pth", ".pt", ".ckpt", ".bin")
SUFFIXES = (".safetensors", *TORCH_SUFFIXES)


class Shapes(dict[str, tuple[int, ...]]):
    """Name of each tensor under a prefix of a file -> its shape; asking for one that is not there is an error.

    Args:
        shapes: by name without prefix.
        place: the file, and the prefix that was taken off.

    Raises:
        ModelError: a tensor that is asked for is missing.
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], place: tuple[str, str] = ("", "")) -> None:
        super().__init__(shapes)
        self.place = place

    def __missing__(self, name: str) -> tuple[int, ...]:
        raise ModelError(
            expected=f"each tensor of a checkpoint in {self.place[0]}",
            found=f"missing {self.place[1]}{name}",
            remedy="Give the file as it was released.",
        )


_LIGHTNING = (
    # Stable Diffusion's own .ckpt files name this class in their training state: it stands in, and does nothing
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
)


class _Ignored:
    """Stands in for a class of the training program, whose state is of no use here."""


class Checkpoint:
    """A file of named tensors, with or without the ``state_dict`` that some programs wrap around them.

    Args:
        path: ``.safetensors``, or a torch file by any usual suffix.

    Raises:
        ModelError: not there, not such a file, or one that only running its code could read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise _unreadable(path, "nothing there", "Give the path of a checkpoint file.")
        if path.suffix.lower() not in SUFFIXES:
            raise _unreadable(path, "another kind of file", f"Known suffixes: {', '.join(SUFFIXES)}.")
        tensors = self._mapped()
        self.shapes = {name: tuple(t.shape) for name, t in tensors.items()}
        self.dtypes: dict[str, torch.dtype] = {name: t.dtype for name, t in tensors.items()}
        if not self.shapes:
            raise _unreadable(path, "no tensors in it", "Give the path of a checkpoint file.")

    def under(self, prefix: str) -> Shapes:
        """Shapes of the tensors whose names begin with a prefix, which is taken off."""
        own = {n.removeprefix(prefix): s for n, s in self.shapes.items() if n.startswith(prefix)}
        return Shapes(own, (self.path.name, prefix))

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Map the tensors whose names begin with a prefix, which is taken off.

        The memory they fill is the file's pages, given back when nothing holds the tensors any more: one network
        at a time keeps a conversion at about one network's size.
        """
        return {name.removeprefix(prefix): t for name, t in self._mapped().items() if name.startswith(prefix)}

    def _mapped(self) -> dict[str, Tensor]:
        if self.path.suffix.lower() != ".safetensors":
            return _tensors_of(_load_torch(self.path))
        try:
            with safe_open(self.path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError) as error:
            raise _unreadable(self.path, _first_line(error), "Download it again.") from None


def _load_torch(path: Path) -> Any:
    stand_ins: list[Any] = [(_Ignored, name) for name in _LIGHTNING]
    try:
        with torch.serialization.safe_globals(stand_ins):
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except RuntimeError as error:
                if "mmap" not in str(error):
                    raise
                # files from before torch 1.6 cannot be mapped: they fill the memory with their whole size
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None:
            raise _unreadable(path, "another kind of file", "Download it again.") from None
        found = f"objects that only running code could read ({named[1]})"
        raise _unreadable(path, found, "Get it as .safetensors, or save its tensors alone.") from None
    except Exception as error:  # a pickle cut short fails in any of Python's ways
        raise _unreadable(path, f"a damaged file ({type(error).__name__})", "Download it again.") from None


def _tensors_of(value: Any) -> dict[str, Tensor]:
    if isinstance(value, dict):
        value = value.get("state_dict", value)
    if not isinstance(value, dict):
        return {}
    return {str(name): t for name, t in value.items() if isinstance(t, Tensor)}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _unreadable(path: Path, found: str, remedy: str) -> ModelError:
    return ModelError(expected=f"a checkpoint in {path}", found=found, remedy=remedy)


def read_embedding(path: Path) -> Tensor:
    """Read an embedding of the empty prompt, ``(1 n d)``, from safetensors, a torch file, ``.npy`` or ``.npz``.

    A file of several arrays must call it ``prompt_embeds``.

    Raises:
        ModelError: no such array in it.
    """
    if not path.is_file():
        raise ModelError(
            expected=f"an embedding of the empty prompt in {path}", found="no file", remedy="Check the path."
        )
    if path.suffix.lower() in (".npy", ".npz"):
        arrays = _numpy_arrays(path)
    elif path.suffix.lower() in TORCH_SUFFIXES:
        loaded = _load_torch(path)
        arrays = {"prompt_embeds": loaded} if isinstance(loaded, Tensor) else _tensors_of(loaded)
    else:
        arrays = Checkpoint(path).tensors()
    found = arrays.get("prompt_embeds", next(iter(arrays.values())) if len(arrays) == 1 else None)
    if found is None or found.dim() not in (2, 3) or (found.dim() == 3 and len(found) != 1):
        shapes = {name: tuple(t.shape) for name, t in list(arrays.items())[:5]}
        raise ModelError(
            expected=f"one array (1 tokens width) in {path}, alone or called prompt_embeds",
            found=str(shapes or "none"),
            remedy="Save the text encoder's last hidden state of the empty prompt.",
        )
    if not bool(torch.isfinite(found).all()):
        raise ModelError(
            expected=f"numbers in {path}", found="NaN or infinity", remedy="Compute the embedding again."
        )
    return found.reshape(1, *found.shape[-2:]).float().clone()


def _numpy_arrays(path: Path) -> dict[str, Tensor]:
    import numpy as np

    try:
        value = np.load(path, allow_pickle=False)
        if isinstance(value, np.ndarray):
            return {"prompt_embeds": torch.from_numpy(value)}
        with value:
            return {name: torch.from_numpy(value[name]) for name in value.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, _first_line(error), "Give a .safetensors, .npy or .npz file.") from None
