"""The motion module: AnimateDiff's temporal layers inside the UNet (paper 4.4 and appendix C).

`UNetMotionModel` places them after each block. Two things differ from diffusers' way of building it: the weights
are shared with the UNet and the adapter they come from (no second copy in memory, and training the adapter trains
the network), and the temporal layers normalise each frame by itself, as AnimateDiff does.
"""

from __future__ import annotations

from accelerate import init_empty_weights
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from torch import Tensor, nn


class PerFrameGroupNorm(nn.GroupNorm):
    """GroupNorm over each frame of ``(b c f h w)``, where diffusers would take statistics across frames."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        batch, _, frames, _, _ = hidden_states.shape
        each_frame = hidden_states.transpose(1, 2).flatten(0, 1)
        return super().forward(each_frame).unflatten(0, (batch, frames)).transpose(1, 2)


def with_motion(unet: UNet2DConditionModel, motion_adapter: MotionAdapter) -> UNetMotionModel:
    """Build the UNet with temporal layers from a UNet and a motion adapter, sharing their parameters.

    Returns:
        A model on ``(b c f h w)`` whose parameters are the very tensors of the two arguments.

    Raises:
        ValueError: the adapter was made for another arrangement of blocks.
    """
    with init_empty_weights(include_buffers=False):
        model = UNetMotionModel.from_unet2d(unet, motion_adapter, load_weights=False)
    # the adapter's blocks carry the names that the motion model gives them
    shared = {**unet.state_dict(keep_vars=True), **motion_adapter.state_dict(keep_vars=True)}
    model.load_state_dict(shared, strict=True, assign=True)
    for name, module in list(model.named_modules()):
        if name.endswith("norm") and isinstance(module, nn.GroupNorm) and ".motion_modules." in name:
            _use_per_frame_norm(model, name, module)
    return model.train(unet.training)


def _use_per_frame_norm(model: nn.Module, name: str, norm: nn.GroupNorm) -> None:
    per_frame = PerFrameGroupNorm(norm.num_groups, norm.num_channels, eps=norm.eps, device="meta")
    per_frame.weight, per_frame.bias = norm.weight, norm.bias  # the same parameters, under the same names
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, per_frame)


def silence(motion_adapter: MotionAdapter) -> None:
    """Zero each temporal layer's output projection, so that training starts from the pipeline without motion.

    AnimateDiff does so before training; diffusers' fresh adapters do not.
    """
    for name, module in motion_adapter.named_modules():
        if name.endswith("proj_out"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
