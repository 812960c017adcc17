"""Fine-tuning with LoRA, fast enough for a laptop. Read plain.py first: this does the same, and a test shows it.

Three things save time. The lower layers are not trained, so their output for an example is computed once and kept
(fast/trunk.py, fast/layers.py). A batch is one row of tokens, which holds the prompts' common beginning once
(fast/packing.py). And the last layer's MLP, the head and the loss look at the answers' tokens alone (fast/loss.py).
"""

import functools
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from .bars import progress_bar
from .chat import Tokens
from .fast.layers import share_weights, split, with_parts
from .fast.loss import mean_answer_loss
from .fast.packing import IGNORED, pack
from .fast.trunk import run_trunk
from .lora import adapted_network, add_adapter, without_peft_warning
from .memory import enough_memory, give_back_memory
from .model import LanguageModel


@enough_memory()
def fine_tune(
    model: LanguageModel,
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    layers: int,
    rank: int,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> tuple[PeftModel, list[float]]:
    """Train an adapter for the upper `layers` layers to give each answer after its prompt.

    Returns the adapter and the loss of every step: the mean over the answers' tokens, in nats. The network of `model`
    is not touched, not even while this runs: the adapted one has modules of its own around the same weights, so an
    interrupt leaves everything as it was. The random states of Python, NumPy and torch (CPU and CUDA) are put back.
    Where accelerate has started several processes, each takes its share of every batch, and all end with the same
    weights.
    """
    give_back_memory()
    with _random_states_kept():
        set_seed(seed)  # for the matrices A; B begins at zero
        adapter = add_adapter(share_weights(model.network), layers, rank)
        network = adapted_network(adapter)
        _lower, upper = split(network, layers)
        beginning, examples = run_trunk(model, layers, prompts, answers)
        losses = _train(
            UpperLayers(upper, network.get_output_embeddings()),
            examples,
            functools.partial(pack, beginning),
            epochs,
            learning_rate,
            batch_size,
            seed,
            use_cpu=model.device.type == "cpu",
        )
    give_back_memory()
    return adapter.eval(), losses


def _train(
    upper: "UpperLayers",
    examples: list[dict[str, Tensor]],
    collate: Callable[[list[dict[str, Tensor]]], dict[str, Any]],
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    use_cpu: bool,
) -> list[float]:
    """Run the Trainer of transformers over the examples; returns the loss of every step."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    steps = epochs * -(-len(examples) // batch_size)
    with tempfile.TemporaryDirectory() as folder, progress_bar(steps, "Fine-tuning") as advance:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=epochs,
            learning_rate=learning_rate,
            warmup_steps=0.1,
            per_device_train_batch_size=max(batch_size // processes, 1),
            remove_unused_columns=False,
            dataloader_pin_memory=False,  # with a GPU the states lie on it already
            seed=seed,
            use_cpu=use_cpu,
            ddp_find_unused_parameters=False,  # every step uses them all
            logging_steps=1,
            disable_tqdm=True,
            save_strategy="no",
            report_to="none",
        )
        arguments._n_gpu = min(arguments.n_gpu, 1)  # otherwise one process would give each GPU a batch of its own
        callbacks: list[TrainerCallback] = [_ProgressBar(advance)]
        with without_peft_warning():
            trainer = Trainer(upper, arguments, train_dataset=examples, data_collator=collate, callbacks=callbacks)
            trainer.remove_callback(PrinterCallback)
            trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


class UpperLayers(nn.Module):
    """The upper layers, the head and the loss on the answers' tokens: what the Trainer trains."""

    accepts_loss_kwargs = False  # otherwise the Trainer takes the mean for a sum and multiplies it

    def __init__(self, decoder: nn.Module, head: nn.Module):
        super().__init__()
        *others, last = cast(nn.ModuleList, decoder.layers)
        self.decoder = with_parts(decoder, layers=nn.ModuleList([*others, LastLayer(last)]))
        self.head = head

    def forward(self, states: Tensor, labels: Tensor, **layout: Any) -> dict[str, Tensor]:
        """`states` (1, T, width) from the trunk; `labels` (1, T): next tokens or IGNORED; `layout`: see packing.py."""
        is_answer = labels[0] != IGNORED
        positions = is_answer.nonzero()[:, 0]
        hidden = self.decoder(inputs_embeds=states, use_cache=False, answer_positions=positions, **layout)
        return {"loss": mean_answer_loss(hidden.last_hidden_state[0, positions], self.head, labels[0, positions])}


class LastLayer(nn.Module):
    """The last layer, with its MLP at the answers' positions only: nothing reads its output at the others."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, hidden_states: Tensor, answer_positions: Tensor, **kwargs: Any) -> Any:
        mlp = getattr(self.layer, "mlp", None)
        if not isinstance(mlp, nn.Module):  # where it has another name, it runs at all positions
            return self.layer(hidden_states, **kwargs)
        return with_parts(self.layer, mlp=AtPositions(mlp, answer_positions))(hidden_states, **kwargs)


class AtPositions(nn.Module):
    """A module that runs at some positions (n,) of a row; elsewhere its output is zero."""

    def __init__(self, module: nn.Module, positions: Tensor):
        super().__init__()
        self.module = module
        self.positions = positions

    def forward(self, states: Tensor) -> Tensor:
        found = self.module(states[:, self.positions])
        return torch.zeros_like(states).index_copy(1, self.positions, found)


class _ProgressBar(TrainerCallback):
    """Advances the bar after every step of the Trainer."""

    def __init__(self, advance: Callable[[str], None]):
        self.advance = advance

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.advance(f"loss {logs['loss']:.2f}")


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Put the global random states of Python, NumPy and torch back afterwards: the Trainer seeds them all."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)
