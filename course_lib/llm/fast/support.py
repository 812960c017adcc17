"""Which networks the fast paths serve, found by computing: whatever they give must be what the network gives."""

import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel

from ..memory import is_out_of_memory
from .attention import NAME as ATTENTION
from .head import Head
from .layers import split

__all__ = ["ATTENTION", "is_supported", "speed_up_head"]


@torch.inference_mode()
def is_supported(network: PreTrainedModel) -> bool:
    """Whether lower and upper layers, and a beginning held apart, give what the whole network gives.

    Some networks have a norm or a factor in a place of their own, and would give something else without a word.
    """
    tokens = torch.arange(1000, 1016, device=network.device)[None]
    try:
        logits = network(tokens).logits
        in_two = _logits_in_two_parts(network, tokens)
        after_prefix = _logits_after_prefix(network, tokens, 8)
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return _are_close(in_two, logits) and _are_close(after_prefix, logits[:, 8:])


def _logits_in_two_parts(network: PreTrainedModel, tokens: torch.Tensor) -> torch.Tensor:
    lower, upper = split(network, network.config.num_hidden_layers // 2)
    states = lower(tokens, use_cache=False).last_hidden_state
    return network.get_output_embeddings()(upper(inputs_embeds=states, use_cache=False).last_hidden_state)


def _logits_after_prefix(network: PreTrainedModel, tokens: torch.Tensor, size: int) -> torch.Tensor:
    begin, rest = tokens[:, :size], tokens[:, size:]
    prefix = DynamicCache(config=network.config)
    network(begin, past_key_values=prefix)
    positions = torch.arange(size, tokens.shape[1], device=network.device)
    return network(
        rest,
        attention_mask=(positions <= positions[:, None])[None, None],
        position_ids=positions[None],
        past_key_values=DynamicCache(config=network.config),
        prefix=prefix,
    ).logits


def _are_close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return float((found - expected).norm() / expected.norm()) < 0.1


def speed_up_head(network: PreTrainedModel) -> None:
    """Replace a plain head without bias by one that gives the same in less time."""
    head = network.get_output_embeddings()
    if type(head) is nn.Linear and head.bias is None:
        network.set_output_embeddings(Head.like(head))
