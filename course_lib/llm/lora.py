"""The adapter: LoRA matrices beside the weights of the upper layers.

LoRA: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685. A weight matrix W stays as
it is; beside it stand two thin matrices, A and B, of a few rows or columns, and the layer gives W x + s B A x.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear
from torch import nn
from transformers import PreTrainedModel

from .fast.lora_linear import LoraLinear


def add_adapter(network: PreTrainedModel, layers: int, rank: int) -> PeftModel:
    """Put untrained LoRA matrices beside every linear layer of the upper `layers` layers."""
    decoder = network.get_decoder()
    depth = len(decoder.layers)
    linear = {
        name.rpartition(".")[2] for name, part in decoder.layers[-1].named_modules() if isinstance(part, nn.Linear)
    }
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=2 * rank,
        target_modules=sorted(linear),
        layers_to_transform=list(range(depth - min(layers, depth), depth)),
    )
    config._register_custom_module({nn.Linear: LoraLinear})  # PEFT's way to use another class for its layers
    with without_peft_warning():
        return get_peft_model(network, config)


def read_adapter(network: PreTrainedModel, folder: str | Path, name: str = "default") -> PeftModel:
    """Put the LoRA matrices beside a network's weights that were saved in a folder, in PEFT's format."""
    with without_peft_warning():
        return PeftModel.from_pretrained(network, folder, adapter_name=name)


@contextmanager
def without_peft_warning() -> Iterator[None]:
    """peft 0.21 asks transformers 5 for a property by its old name, which a learner cannot change: keep it quiet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


def adapted_network(adapter: PeftModel) -> PreTrainedModel:
    """The network inside an adapter's wrapper, with the adapter's matrices in it."""
    return cast(PreTrainedModel, adapter.get_base_model())


@torch.no_grad()
def weight_changes(adapter: PeftModel) -> pd.DataFrame:
    """How far training moved each weight matrix, as a share of its size.

    The Frobenius norm of the change over that of the weights: a row per layer of the whole network (0 where nothing
    was trained), a column per matrix.
    """
    rows = []
    for number, layer in enumerate(adapted_network(adapter).get_decoder().layers):
        for name, part in layer.named_modules():
            if isinstance(part, Linear):
                change, weights = part.get_delta_weight("default"), part.weight
                rows.append((number, name.rpartition(".")[2], (change.norm() / weights.float().norm()).item()))
    table = pd.DataFrame(rows, columns=["layer", "matrix", "change"])
    depth = range(adapter.config.num_hidden_layers)
    return table.pivot(index="layer", columns="matrix", values="change").reindex(depth, fill_value=0.0)
