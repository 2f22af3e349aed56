"""Video in and out: what a driving is (`probe`), its frames one at a time (`FrameReader`), and the result.

A driving is a video in any container that PyAV reads, an animation (GIF, APNG, WebP), a folder of
pictures, or one picture. The work is in `probe.py`, `reader.py`, `writer.py` and `sound.py`.
"""

from __future__ import annotations

from .probe import FOLDER_FPS, probe
from .reader import FrameReader, as_rate, chosen_frames, folder_rate
from .sound import AudioSource
from .writer import FrameWriter, check_output, open_writer, output_kind

__all__ = [
    "FOLDER_FPS",
    "AudioSource",
    "FrameReader",
    "FrameWriter",
    "as_rate",
    "check_output",
    "chosen_frames",
    "folder_rate",
    "open_writer",
    "output_kind",
    "probe",
]
