"""One network seen as two: its lower layers, and its upper ones.

An adapter changes the upper layers only. So what the lower ones make of a text is the same in every epoch of a
training and for every adapted copy: they run once for all.
"""

import copy
from collections.abc import Sequence
from itertools import takewhile

from torch import Tensor, nn
from transformers import PreTrainedModel


def share_weights(network: PreTrainedModel) -> PreTrainedModel:
    """The same network with module objects of its own around the very same weights (no memory is copied)."""
    weights = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(weight): weight for weight in weights})


class Passthrough(nn.Module):
    """A layer that changes nothing."""

    def forward(self, hidden_states: Tensor, *_, **__) -> Tensor:
        return hidden_states


def split(network: PreTrainedModel, layers: int) -> tuple[nn.Module, nn.Module]:
    """Two views on one network without its head: its lower layers, and the upper `layers` of them.

    `network.get_decoder()` of tokens equals the second view, as `inputs_embeds`, of the first one's output.
    """
    decoder = network.get_decoder()
    cut = max(len(decoder.layers) - layers, 0)
    lower, upper = copy.copy(decoder), copy.copy(decoder)
    lower._modules, upper._modules = dict(decoder._modules), dict(decoder._modules)
    # Every layer keeps its place in the list: some models treat odd and even layers differently.
    nothing = Passthrough()
    lower.layers = nn.ModuleList([*decoder.layers[:cut], *[nothing] * (len(decoder.layers) - cut)])
    lower.norm = nothing
    upper.layers = nn.ModuleList([*[nothing] * cut, *decoder.layers[cut:]])
    return lower, upper


def upper_layers(networks: Sequence[PreTrainedModel]) -> int:
    """How many layers lie above those that hold the very same weights in all networks.

    Raises ValueError where not even the word vectors are the same: such networks have nothing to share.
    """
    parts = [[network.get_input_embeddings(), *network.get_decoder().layers] for network in networks]
    levels = list(zip(*parts, strict=True))
    shared = len(list(takewhile(lambda level: len({tuple(map(id, part.parameters())) for part in level}) == 1, levels)))
    if not shared:
        raise ValueError("These models are not copies of one base model: ask each of them by itself.")
    return len(levels) - shared
