"""For programs that load through diffusers alone: the file to name as its ``custom_pipeline``.

    DiffusionPipeline.from_pretrained(DIR, custom_pipeline=".../custom_pipeline.py", trust_remote_code=True)

diffusers copies this file elsewhere before it imports it, so it imports by the package's name.
"""

from magicpose_cli.diffusion.pipeline import MagicPosePipeline

__all__ = ["MagicPosePipeline"]
