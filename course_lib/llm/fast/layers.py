"""One network seen as two: its lower layers and its upper layers.

An adapter changes the upper layers only. So what the lower ones make of a text is the same in every epoch of a
training and for every adapted copy: they run once for all.
"""

import copy
from collections.abc import Sequence
from itertools import takewhile

from torch import Tensor, nn
from transformers import PreTrainedModel


def share_weights(network: PreTrainedModel) -> PreTrainedModel:
    """The same network with modules of its own around the very same weights: no memory is copied."""
    weights = [*network.parameters(), *network.buffers()]
    return copy.deepcopy(network, {id(weight): weight for weight in weights})


def split(network: PreTrainedModel, layers: int) -> tuple[nn.Module, nn.Module]:
    """Two views on one network without its head: its lower layers, and the upper `layers` of them.

    `upper(inputs_embeds=lower(tokens).last_hidden_state)` gives what `network.get_decoder()(tokens)` gives.
    """
    decoder = network.get_decoder()
    cut = max(len(decoder.layers) - layers, 0)
    # Every layer keeps its place in the list: some models treat odd and even layers differently.
    nothing = Passthrough()
    lower_layers = [*decoder.layers[:cut], *[nothing] * (len(decoder.layers) - cut)]
    upper_layers = [*[nothing] * cut, *decoder.layers[cut:]]
    lower = with_parts(decoder, layers=nn.ModuleList(lower_layers), norm=nothing)
    upper = with_parts(decoder, layers=nn.ModuleList(upper_layers))
    return lower, upper


def with_parts(module: nn.Module, **parts: nn.Module) -> nn.Module:
    """A view on a module in which some parts are replaced; the module itself stays as it is."""
    view = copy.copy(module)
    view._modules = {**module._modules, **parts}
    return view


class Passthrough(nn.Module):
    """A layer that changes nothing."""

    def forward(self, hidden_states: Tensor, *_, **__) -> Tensor:
        return hidden_states


def layers_above_shared(networks: Sequence[PreTrainedModel]) -> int:
    """How many layers lie above those that hold the very same weights in all networks.

    Raises ValueError where not even the token embeddings are the same: such networks have nothing to share.
    """
    parts = [[network.get_input_embeddings(), *network.get_decoder().layers] for network in networks]
    levels = list(zip(*parts, strict=True))
    shared = len(list(takewhile(lambda level: len({tuple(map(id, part.parameters())) for part in level}) == 1, levels)))
    if not shared:
        raise ValueError("These models are not copies of one base model: ask each of them by itself.")
    return len(levels) - shared
