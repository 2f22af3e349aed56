"""Keeps the chatter of MediaPipe's native code off stderr without losing anything else."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_KNOWN = (
    b"Created TensorFlow Lite XNNPACK delegate",
    b"All log messages before absl::InitializeLog()",
    b"inference_feedback_manager.cc",
    b"landmark_projection_calculator.cc",
    b"gl_context",
)


@contextmanager
def filtered() -> Iterator[None]:
    """Catch what is written to file descriptor 2 inside the block, and pass on all but the known lines.

    The libraries write there directly and offer no switch. While the block runs, stderr is no terminal, so
    keep it short.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught:
                if not any(known in line for known in _KNOWN):
                    os.write(2, line)
