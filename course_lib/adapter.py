"""The adapter: LoRA matrices beside the weights of the upper layers, and what they add to a layer's output.

LoRA: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685. A weight matrix W stays as
it is; beside it stand two thin ones, A and B, of a few rows or columns, and the layer gives W x + s B A x.
"""

from typing import Any, cast

import pandas as pd
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear
from torch import Tensor, nn
from transformers import PreTrainedModel


def add_adapter(network: PreTrainedModel, layers: int, rank: int) -> PeftModel:
    """Put untrained LoRA matrices beside every linear layer of the upper `layers` layers."""
    decoder = network.get_decoder()
    depth = len(decoder.layers)
    linear = {
        name.rpartition(".")[2] for name, part in decoder.layers[-1].named_modules() if isinstance(part, nn.Linear)
    }
    adapted = get_peft_model(
        network,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=rank,
            lora_alpha=2 * rank,
            target_modules=sorted(linear),
            layers_to_transform=list(range(depth - min(layers, depth), depth)),
        ),
    )
    for part in adapted.modules():
        if type(part) is Linear:
            part.__class__ = Adapted
    return adapted


def adapted_network(adapted: PeftModel) -> PreTrainedModel:
    """The network inside an adapted one, with the adapter's matrices in it."""
    return cast(PreTrainedModel, adapted.get_base_model())


class Adapted(Linear):
    """PEFT's adapted layer, with the same output in fewer steps.

    PEFT goes to float32 and back for the adapter, and makes what A and B add as large as the output before it adds it.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        down, up = (matrices["default"].weight for matrices in (self.lora_A, self.lora_B))
        return _Beside.apply(x, self.base_layer.weight, self.base_layer.bias, down, up * self.scaling["default"])


class _Beside(torch.autograd.Function):
    """W x + B A x for many x at once, and its gradients: of x, A and B, but not of the weights, which stay.

    A and B are kept in float32, where small steps of training count; the products are made in the number format of
    the weights.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, bias: Tensor | None, down: Tensor, up: Tensor) -> Tensor:
        rows, down, up = x.flatten(0, -2), down.to(x.dtype), up.to(x.dtype)
        between = rows @ down.T
        ctx.save_for_backward(rows, weights, down, up, between)
        return nn.functional.linear(rows, weights, bias).addmm_(between, up.T).unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        rows, weights, down, up, between = ctx.saved_tensors
        gradient = incoming[0].flatten(0, -2)
        of_between = gradient @ up
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (gradient @ weights).addmm_(of_between, down).unflatten(0, incoming[0].shape[:-1])
        # The thin factor first: the other way round, a CPU takes up to three times as long.
        return of_x, None, None, (of_between.T @ rows).float(), (between.T @ gradient).T.float()


@torch.no_grad()
def weight_changes(adapted: PeftModel) -> pd.DataFrame:
    """How far training moved each weight matrix, as a share of its size.

    The Frobenius norm of the change over that of the weights: a row a layer of the whole network (0 where nothing
    was trained), a column a matrix.
    """
    rows = []
    for number, layer in enumerate(adapted_network(adapted).get_decoder().layers):
        for name, part in layer.named_modules():
            if isinstance(part, Linear):
                moved, weights = part.get_delta_weight("default"), part.weight
                rows.append((number, name.rpartition(".")[2], (moved.norm() / weights.float().norm()).item()))
    table = pd.DataFrame(rows, columns=["layer", "matrix", "change"])
    depth = range(adapted.config.num_hidden_layers)
    return table.pivot(index="layer", columns="matrix", values="change").reindex(depth, fill_value=0.0)
