"""The appearance bank and multi-source self-attention (paper 4.2, Eq. 3).

The appearance net reads the reference picture; what its self-attention layers are given (the output of each
transformer block's first norm) is the bank. In the UNet, queries come from the frame that is denoised and keys
and values from the frame's own tokens followed by the bank's, through the UNet's own projections, in one softmax:

    appearance net:  norm1(y) ──┬─> self-attention ──> ...            (WriteBank: plain, and keeps norm1(y))
                                └───────── bank ───────┐
    UNet:            norm1(x) ──> Q;  [norm1(x), norm1(y)] ──> K, V   (ReadBank)

Both are attention processors, installed by name and removable: no layer of the UNet is changed.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor
from torch.nn import functional

Bank = dict[str, Tensor]
"""Attention layer name -> norm1 output ``(b n d)`` of the appearance net."""


def _attend(
    attn: Attention, hidden_states: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None
) -> Tensor:
    batch, _, _ = hidden_states.shape
    query = attn.to_q(hidden_states)
    query, key, value = (x.unflatten(2, (attn.heads, -1)).transpose(1, 2) for x in (query, key, value))
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    out = out.transpose(1, 2).reshape(batch, -1, attn.heads * out.shape[-1]).to(hidden_states.dtype)
    return attn.to_out[1](attn.to_out[0](out))


class WriteBank:
    """Processor of an appearance-net self-attention: plain attention that keeps its input, ``(b n d)``."""

    def __init__(self) -> None:
        self.tokens: Tensor | None = None

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        self.tokens = hidden_states
        return _attend(attn, hidden_states, attn.to_k(hidden_states), attn.to_v(hidden_states))


class ReadBank:
    """Processor of a UNet self-attention: Eq. 3 while it holds tokens ``(b n d)``, plain attention without.

    The UNet's batch is ``(b f)``: each sample's bank serves its f frames, and is projected once for all of them; where
    nothing trains, once for all calls that read the same bank: a timestep's windows.
    `scale` multiplies the weight of each of the bank's tokens in the softmax; 1 is the paper's.
    """

    def __init__(self) -> None:
        self.tokens: Tensor | None = None
        self.scale = 1.0
        self._projected: tuple[Tensor, Tensor, Tensor] | None = None
        """Tokens, and the keys and values made of them."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        key, value = attn.to_k(hidden_states), attn.to_v(hidden_states)
        bias = None
        if self.tokens is not None:
            frames = hidden_states.shape[0] // self.tokens.shape[0]
            # Eq. 3: K = [W_k x, W_k y], V = [W_v x, W_v y]
            reference_key, reference_value = self._project(attn, self.tokens)
            key = torch.cat([key, _for_frames(reference_key, frames)], dim=1)
            value = torch.cat([value, _for_frames(reference_value, frames)], dim=1)
            if self.scale != 1:
                bias = key.new_zeros(1, key.shape[1])
                bias[:, hidden_states.shape[1] :] = math.log(self.scale)
        return _attend(attn, hidden_states, key, value, bias)

    def _project(self, attn: Attention, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():
            return attn.to_k(tokens), attn.to_v(tokens)
        if self._projected is None or self._projected[0] is not tokens:
            self._projected = tokens, attn.to_k(tokens), attn.to_v(tokens)
        return self._projected[1:]

    def forget(self) -> None:
        """Let go of the last bank."""
        self.tokens, self._projected = None, None


def _for_frames(shared: Tensor, frames: int) -> Tensor:
    """``(b n d)`` to ``(b*f n d)``, each row for its f frames; of one row no copy is made."""
    return shared.expand(frames, -1, -1) if len(shared) == 1 else shared.repeat_interleave(frames, dim=0)


def is_spatial_self_attention(name: str) -> bool:
    """Whether an attention layer (by its processor's name) takes part in the bank: not text, not temporal."""
    return name.endswith("attn1.processor") and "motion_modules" not in name


Kind = TypeVar("Kind", WriteBank, ReadBank)


def _installed(network: Any, kind: type[Kind]) -> dict[str, Kind]:
    """A network's processors of a kind by layer: those that another link has put there serve this one too."""
    there = network.attn_processors
    ours = {
        name: processor if isinstance(processor, kind) else kind()
        for name, processor in there.items()
        if is_spatial_self_attention(name)
    }
    network.set_attn_processor({**there, **ours})  # it empties the dictionary that it is handed
    return ours


class BankLink:
    """Joins an appearance net to a UNet: installs the processors, moves banks across, takes them out again.

    Several links may share a network, as pipelines of the same components do: each hands over what it reads.

    Args:
        appearance_unet: the network that reads the reference.
        unet: the network that denoises; a UNet2DConditionModel or a UNetMotionModel.

    Raises:
        ValueError: the two have different self-attention layers.
    """

    def __init__(self, appearance_unet: Any, unet: Any) -> None:
        writing = [name for name in appearance_unet.attn_processors if is_spatial_self_attention(name)]
        reading = [name for name in unet.attn_processors if is_spatial_self_attention(name)]
        if set(writing) != set(reading):
            odd = sorted(set(writing) ^ set(reading))
            raise ValueError(f"the appearance net and the UNet differ in their self-attention layers: {odd}")
        self._networks = (appearance_unet, unet)
        self._writers = _installed(appearance_unet, WriteBank)
        self._readers = _installed(unet, ReadBank)

    def collect(self) -> Bank:
        """Take what the appearance net's last call wrote; what the UNet still holds of the one before goes."""
        self.forget()
        bank = {name: writer.tokens for name, writer in self._writers.items() if writer.tokens is not None}
        for writer in self._writers.values():
            writer.tokens = None
        return bank

    def hand_over(self, bank: Bank | None, scale: float = 1.0) -> None:
        """Let the UNet's next calls read this bank; None, or a scale of 0, makes it the plain UNet."""
        for name, reader in self._readers.items():
            reader.tokens = None if bank is None or scale == 0 else bank[name]
            reader.scale = scale

    def forget(self) -> None:
        """Let go of the bank that the UNet holds, and of what was made of it."""
        for reader in self._readers.values():
            reader.forget()

    def remove(self) -> None:
        """Give both networks stock attention back."""
        self.forget()
        for network in self._networks:
            network.set_attn_processor(
                {
                    name: AttnProcessor2_0() if is_spatial_self_attention(name) else processor
                    for name, processor in network.attn_processors.items()
                }
            )


def join_references(bank: Bank) -> Bank:
    """Let r pictures of one person serve as one reference: ``(r n d)`` to ``(1 r*n d)``, tokens side by side."""
    return {name: tokens.flatten(0, 1)[None] for name, tokens in bank.items()}
