"""What papers print for TikTok's ten test videos (DisCo's protocol), row by row, with its source and its protocol.

Values go by the keys of `score`, in its units. "PSNR" in these papers is the wrapped one, except in DisCo's CVPR table
and in Animate-X's column with a star, which are corrected.
"""

from __future__ import annotations

from dataclasses import dataclass

KEYS = ("fid", "ssim_disco", "psnr_disco", "psnr", "lpips_disco", "l1_disco", "face_cos", "fid_vid", "fvd")
"""The columns, as MagicPose's Table 1 has them, with the corrected PSNR beside the wrapped one and FVD at the end."""

_L1_UNIT = 1e-4  # as the tables print it
_DISCO = "DisCo (CVPR 2024), Tables 1 and 4"
_BOTH = "MagicPose (ICML 2024), Table 1; corrected PSNR and FVD: DisCo (CVPR 2024), Tables 1 and 4"
_CHAMP, _ANIMATE_X = "Champ, Table 1", "Animate-X, Tables 6 and 7"
_GIVEN_TRUTH = "sees the true frames as its driving"


@dataclass(frozen=True)
class Published:
    """One row.

    Attributes:
        method: its name, with what tells it from others of its paper.
        source: where the numbers are printed.
        size_px: side of the square at which frames were compared; None where it is not known.
        size_inferred: the source does not say the size: its L1 is only believable at this one.
        values: by key of `score`, in its units; what was not printed is not there.
        note: what a reader must know besides.
    """

    method: str
    source: str
    size_px: int | None
    size_inferred: bool
    values: dict[str, float]
    note: str = ""

    @property
    def l1_levels(self) -> float | None:
        """L1 as a mean difference of 0..255, which does not depend on the size; None where it is not known."""
        if self.size_px is None or "l1_disco" not in self.values:
            return None
        return self.values["l1_disco"] * self.size_px**2


def _row(
    method: str,
    source: str,
    size_px: int | None,
    printed: tuple[float | None, ...],
    note: str = "",
    inferred: bool = False,
) -> Published:
    """A row from its printed values in the order of `KEYS`, L1 in units of 1E-04."""
    values = {key: value for key, value in zip(KEYS, printed, strict=True) if value is not None}
    if "l1_disco" in values:
        values["l1_disco"] *= _L1_UNIT
    return Published(method, source, size_px, inferred, values, note)


_NO = None  # not printed
# fmt: off
PUBLISHED = (
    _row("FOMM", _BOTH, 256, (85.03, .648, 29.01, 17.26, .335, 3.61, .190, 90.09, 405.22), _GIVEN_TRUTH),
    _row("MRAA", _BOTH, 256, (54.47, .672, 29.39, 18.14, .296, 3.21, .337, 66.36, 284.82), _GIVEN_TRUTH),
    _row("TPS", _BOTH, 256, (53.78, .673, 29.18, 18.32, .299, 3.23, .280, 72.55, 306.17), _GIVEN_TRUTH),
    _row("DreamPose", _DISCO, 256, (79.46, .509, _NO, 13.19, .450, 6.91, _NO, 80.51, 551.56)),
    _row("DreamPose, CFG", _DISCO, 256, (72.62, .511, _NO, 12.82, .442, 6.88, _NO, 78.77, 551.02)),
    _row("DisCo without pretraining", _DISCO, 256, (61.06, .631, _NO, 15.38, .317, 4.46, _NO, 73.29, 366.39)),
    _row("DisCo, pretrained on TikTok", _BOTH, 256, (50.68, .648, 28.81, 15.62, .309, 4.27, _NO, 69.68, 353.35)),
    _row("DisCo, HAP", _DISCO, 256, (38.19, .663, _NO, 16.32, .291, 3.69, _NO, 61.88, 286.91)),
    _row("DisCo, HAP and CFG", _BOTH, 256, (30.75, .668, 29.03, 16.55, .292, 3.78, .166, 59.90, 292.80)),
    _row("DisCo+", _DISCO, 256, (28.31, .674, _NO, 16.68, .285, 3.69, _NO, 55.17, 267.75), "600 more videos"),
    _row("MagicPose", "MagicPose (ICML 2024), Table 1", 512, (25.50, .752, 29.53, _NO, .292, .81, .426, 46.30, _NO)),
    _row("MagicAnimate", _CHAMP, 256, (_NO, .714, 29.16, _NO, .239, 3.13, _NO, 21.75, 179.07), inferred=True),
    _row("Animate Anyone", _CHAMP, None, (_NO, .718, 29.56, _NO, .285, _NO, _NO, _NO, 171.90)),
    _row("Champ, fine-tuned", _CHAMP, 256, (_NO, .802, 29.91, _NO, .234, 2.94, _NO, 21.07, 160.82), inferred=True),
    _row("UniAnimate", _ANIMATE_X, 256, (_NO, .811, 30.77, 20.58, .231, 2.66, _NO, _NO, 148.06), inferred=True),
    _row("Animate-X", _ANIMATE_X, 256, (52.81, .806, 30.78, 20.77, .232, 2.70, _NO, 14.82, 139.01), inferred=True),
    _row("MusePose", _ANIMATE_X, 256, (_NO, .744, _NO, 17.67, .297, 3.86, _NO, _NO, 215.72), inferred=True),
    _row("MimicMotion", _ANIMATE_X, 256, (_NO, .601, _NO, 14.44, .414, 5.85, _NO, _NO, 232.95), inferred=True),
    _row("ControlNeXt", _ANIMATE_X, 256, (_NO, .615, _NO, 13.83, .416, 6.20, _NO, _NO, 326.57), inferred=True),
    _row(
        "StableAnimator", "a summary of StableAnimator's paper: second hand", 256,
        (_NO, _NO, 30.81, _NO, _NO, 2.87, _NO, _NO, 140.62),
        "its CSIM of 0.831 is another measure than Face-Cos", inferred=True,
    ),
)
# fmt: on

SOURCES = tuple(dict.fromkeys(row.source for row in PUBLISHED))
"""All sources, each once."""
