"""`magicpose` under accelerate's FSDP 2 on CPUs, where accelerate itself offers it to accelerators only.

Run by the tests under torchrun, with what `accelerate launch --use_fsdp --fsdp_version 2` puts into the environment.
"""

import os

from accelerate.state import AcceleratorState, DistributedType, PartialState

from magicpose_cli.cli import main
from magicpose_cli.training import loop

if os.environ.get("COMPUTES_BF16"):  # slowly, where the CPU does not
    loop.training_precision = lambda wanted, device: wanted

_init = AcceleratorState.__init__


def _offer(state, *arguments, fsdp_plugin=None, **options):
    _init(state, *arguments, fsdp_plugin=fsdp_plugin, **options)
    if state.distributed_type == DistributedType.MULTI_CPU and fsdp_plugin is not None:
        state.distributed_type, state.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
        if state._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(state._mixed_precision)
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP


AcceleratorState.__init__ = _offer

if __name__ == "__main__":
    main()
