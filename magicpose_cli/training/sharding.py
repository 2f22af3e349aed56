"""Weights spread over processes by accelerate's FSDP 2, where one process cannot hold a model and its optimizer.

What a process holds is then a part of each weight. To look at the model, or to write it, all processes gather its
weights at the same time, and so call these functions together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator, DistributedType, PartialState
from accelerate.utils import is_torch_version
from diffusers.models.attention import BasicTransformerBlock
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.distributed.tensor import DTensor, distribute_tensor

from ..diffusion.pipeline import MagicPosePipeline
from ..errors import OptionError, RecipeError
from .stage import Stage

TRIED_TORCH = "2.14"
"""Older ones leave a block that is computed anew in backward as if its forward had not ended."""


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether each process holds a part of the weights only."""
    return accelerator.distributed_type == DistributedType.FSDP


def check_sharding(accelerator: Accelerator, stage: Stage, name: str) -> None:
    """Refuse what cannot train with its weights spread.

    Args:
        accelerator: as it was launched.
        stage: what would train.
        name: the stage's.

    Raises:
        OptionError: FSDP 1, a way of spreading that is not accelerate's FSDP, or a torch that it was not tried with.
        RecipeError: a stage, an optimizer or dropped conditions that do not go with it.
    """
    kind = accelerator.distributed_type
    if kind in (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise OptionError(
            expected="processes that each hold the whole model (accelerate's DDP), or FSDP 2",
            found=kind.value,
            remedy="Run accelerate config again without it.",
        )
    if not is_sharded(accelerator):
        return
    if not accelerator.is_fsdp2:
        raise OptionError(
            expected="FSDP version 2", found="version 1", remedy="Add --fsdp_version 2 to accelerate launch."
        )
    if not is_torch_version(">=", TRIED_TORCH):
        raise OptionError(
            expected=f"torch {TRIED_TORCH} or newer under FSDP, with which it was tried",
            found=torch.__version__,
            remedy="Upgrade torch, or train without FSDP.",
        )
    plugin: Any = accelerator.state.fsdp_plugin
    if plugin.activation_checkpointing or isinstance(plugin.cpu_offload, CPUOffloadPolicy):
        raise OptionError(
            expected="FSDP without fsdp_activation_checkpointing and fsdp_offload_params",
            found="one of them",
            remedy="Leave it out; gradient_checkpointing in the recipe saves the memory of activations.",
        )
    remedy = "Train without FSDP; gradient_checkpointing and accumulate save memory too."
    if name in ("vae", "base", "distill"):
        raise RecipeError(
            expected="a stage that trains in parts under FSDP (appearance, pose, motion)",
            found=name,
            remedy=remedy,
        )
    if stage.settings.mixed_precision == "fp16":  # accelerate would take a gradient's scale off twice
        raise RecipeError(
            expected='mixed_precision = "bf16" or "no" under FSDP',
            found="fp16",
            remedy="Change it in the recipe.",
        )
    if stage.settings.optimizer != "adamw":  # a step of Muon looks at whole matrices
        raise RecipeError(
            expected='optimizer = "adamw" under FSDP', found=stage.settings.optimizer, remedy=remedy
        )
    if stage.may_skip_parameters:  # a process would wait for weights that another does not ask for
        raise RecipeError(
            expected="drop_conditions = 0 under FSDP", found="a share of them dropped", remedy=remedy
        )


def plan_sharding(accelerator: Accelerator) -> None:
    """Settle what accelerate leaves to a configuration: what is gathered as one, and in which format."""
    plugin: Any = accelerator.state.fsdp_plugin
    plugin.auto_wrap_policy = transformer_auto_wrap_policy  # by the loss's own `_no_split_modules`
    plugin.transformer_cls_names_to_wrap = None
    plugin.reshard_after_forward = True
    # autocast chooses what is computed in bf16, as without FSDP; a policy would round noise, loss and weights too
    plugin.mixed_precision_policy = None
    plugin.cpu_ram_efficient_loading = False  # each process has read its own weights
    plugin.state_dict_config = plugin.optim_state_dict_config = None
    plugin.set_state_dict_type("FULL_STATE_DICT")
    # between the passes that share a batch too: else each process keeps whole gradients until the last
    accelerator.gradient_state.plugin_kwargs["sync_each_batch"] = True


def share_spread_weights(pipeline: MagicPosePipeline) -> None:
    """Let a pipeline hold no weights but those that accelerate spread: UNet and adapter shared the whole ones."""
    if not pipeline.network.has_motion:
        return
    held = dict(pipeline.network.unet.named_parameters())
    for network in (pipeline.unet, pipeline.motion_adapter):
        for name, _ in list(network.named_parameters()):
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, held[name])


def part_after_forward(module: nn.Module, pipeline: MagicPosePipeline) -> None:
    """Let each block go after its forward pass, but for two that stay gathered until backward.

    They are the loss itself, with what is in no block, and the appearance net's last transformer block. FSDP gathers a
    block again when a gradient reaches its output; nothing reads that one's: the gradient comes by the bank, which took
    its first norm.
    """
    ups = pipeline.appearance_unet.up_blocks.modules()
    staying = (module, [block for block in ups if isinstance(block, BasicTransformerBlock)][-1])
    for part in _spread_parts(module):
        part.set_reshard_after_forward(part not in staying, recurse=False)


def _spread_parts(module: nn.Module) -> list[FSDPModule]:
    return [part for part in module.modules() if isinstance(part, FSDPModule)]


@contextmanager
def whole_weights(module: nn.Module, pipeline: MagicPosePipeline) -> Iterator[None]:
    """Within the block every process has all weights, for calls that do not train; a module not spread is left."""
    parts = _spread_parts(module)
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()
        if parts:
            part_after_forward(module, pipeline)


def standalone(pipeline: MagicPosePipeline, module: nn.Module) -> MagicPosePipeline | None:
    """Gather a pipeline with whole weights on the CPU of the main process; None in the others.

    Args:
        pipeline: whose shape it takes.
        module: the loss that this pipeline's network is part of, spread.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    gathered: Any = get_model_state_dict(module, options=options)
    if not PartialState().is_main_process:
        return None
    parts = dict(pipeline.components)
    joined = "unet" if pipeline.network.has_motion else "motion_adapter"  # the joined network has both
    for name, held_as in {
        "unet": "unet",
        "motion_adapter": joined,
        "appearance_unet": "appearance_unet",
        "pose_controlnet": "pose_controlnet",
    }.items():
        if parts[name] is not None:
            parts[name] = _twin(parts[name], gathered, f"network.{held_as}.")
    alone = MagicPosePipeline(**parts, sampling=pipeline.sampling.model_dump())
    alone.prompt_embeds = pipeline.prompt_embeds
    return alone


def _twin(network: Any, gathered: dict[str, Tensor], prefix: str) -> Any:
    """A network of the same shape with the weights that are kept under the same names behind a prefix."""
    with torch.device("meta"):
        twin = type(network).from_config(network.config)
    twin.load_state_dict({key: gathered[prefix + key] for key in twin.state_dict()}, assign=True)
    return twin


class ShardedAverage(EMAModel):
    """diffusers' average of weights, of which each process keeps its part; the main process's state has the whole."""

    shadow_params: list[Tensor]

    def state_dict(self) -> dict[str, Any]:
        """As `EMAModel`'s, with the whole average on the CPU; to be called by all processes."""
        state = super().state_dict()
        is_main, whole = PartialState().is_main_process, []
        for part in state["shadow_params"]:
            gathered = part.full_tensor() if isinstance(part, DTensor) else part
            if is_main:  # one copy for all
                whole.append(gathered.cpu())
        return {**state, "shadow_params": whole}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a whole average; each process keeps its part."""
        parts = self.shadow_params
        super().load_state_dict(state_dict)
        pairs = zip(self.shadow_params, parts, strict=True)
        self.shadow_params = [_spread_as(whole, part) for whole, part in pairs]


def _spread_as(whole: Tensor, part: Tensor) -> Tensor:
    whole = whole.to(part.device)
    if not isinstance(part, DTensor):
        return whole
    return distribute_tensor(whole, part.device_mesh, part.placements, src_data_rank=None)
