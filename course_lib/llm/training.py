"""Fine-tuning with LoRA, fast enough for a laptop. Read plain.py first: this does the same, and a test shows it.

Three things save time. The lower layers are not trained, so their output for an example is computed once and kept
(fast/trunk.py, fast/layers.py). A batch is one row of tokens, which holds the prompts' common beginning once
(fast/packing.py). And the last layer's MLP, the head and the loss look at the answers' tokens alone (fast/loss.py).
"""

import functools
import math
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pandas as pd
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

# Early stopping. With fewer epochs of patience, an unlucky one ends it; after so many epochs at a constant rate no task
# of this course gained more.
PATIENCE, MOST_EPOCHS, WARM_UP = 3, 12, 8


@enough_memory()
def fine_tune(
    model: LanguageModel,
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    layers: int,
    rank: int,
    steps: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> tuple[PeftModel, list[float]]:
    """Train an adapter for the upper `layers` layers, in `steps` steps, to give each answer after its prompt.

    The learning rate rises over the first tenth of the steps to its peak, and then falls to 0 in a line. Returns the
    adapter and the loss of every step: the mean over the answers' tokens, in nats. The network of `model` is not
    touched, not even while this runs: the adapted one has modules of its own around the same weights, so an interrupt
    leaves everything as it was. The random states of Python, NumPy and torch (CPU and CUDA) are put back. Where
    accelerate has started several processes, each takes its share of every batch, and all end with the same weights.
    """
    give_back_memory()
    with _random_states_kept():
        adapter, upper = _untrained(model, layers, rank, seed)
        beginning, examples = run_trunk(model, layers, prompts, answers)
        losses = _train(upper, examples, functools.partial(pack, beginning), steps, learning_rate, batch_size, seed)
    give_back_memory()
    return adapter.eval(), losses


@enough_memory()
def choose_steps(
    model: LanguageModel,
    prompts: Sequence[Tokens],
    answers: Sequence[Tokens],
    is_development: Sequence[bool],
    layers: int,
    rank: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> tuple[int, pd.DataFrame]:
    """For how many steps to train on all the examples, by early stopping on a part of them.

    An adapter is trained on the others at a constant rate until, after PATIENCE epochs, the share of the part's tokens
    that the model would write has not grown (of equals the one with less loss), or for MOST_EPOCHS. The rate of
    `fine_tune` falls to 0, so its mean is half the peak: twice as many steps as to the best epoch move the weights as
    far. Returns them, and the share and the loss of each epoch: a row each, by steps.
    """
    give_back_memory()
    with _random_states_kept():
        _, upper = _untrained(model, layers, rank, seed)
        beginning, examples = run_trunk(model, layers, prompts, answers)
        collate = functools.partial(pack, beginning)
        chosen_by = [example for example, part in zip(examples, is_development, strict=True) if part]
        others = [example for example, part in zip(examples, is_development, strict=True) if not part]
        watch = EarlyStopping(
            upper, [collate(chosen_by[at : at + batch_size]) for at in range(0, len(chosen_by), batch_size)]
        )
        steps = MOST_EPOCHS * -(-len(others) // batch_size)
        _train(upper, others, collate, steps, learning_rate, batch_size, seed, watch)
    give_back_memory()
    return 2 * watch.best_step, pd.DataFrame(watch.history).set_index("step")


def _untrained(model: LanguageModel, layers: int, rank: int, seed: int) -> tuple[PeftModel, "UpperLayers"]:
    """A new adapter around the weights of `model`, and the part of its network that is trained."""
    set_seed(seed)  # for the matrices A; B begins at zero
    adapter = add_adapter(share_weights(model.network), layers, rank)
    network = adapted_network(adapter)
    _lower, upper = split(network, layers)
    return adapter, UpperLayers(upper, network.get_output_embeddings())


def _train(
    upper: "UpperLayers",
    examples: list[dict[str, Tensor]],
    collate: Callable[[list[dict[str, Tensor]]], dict[str, Any]],
    steps: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    watch: "EarlyStopping | None" = None,
) -> list[float]:
    """Run the Trainer of transformers over the examples; returns the loss of every step.

    With `watch` the learning rate stays at its peak, and training may stop early.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    with (
        tempfile.TemporaryDirectory() as folder,
        progress_bar(steps, "Choosing the steps" if watch else "Fine-tuning") as advance,
    ):
        arguments = TrainingArguments(
            folder,
            max_steps=steps,
            learning_rate=learning_rate,
            lr_scheduler_type="constant_with_warmup" if watch else "linear",
            warmup_steps=WARM_UP if watch else 0.1,  # steps, or a share of them
            per_device_train_batch_size=max(batch_size // processes, 1),
            remove_unused_columns=False,
            dataloader_pin_memory=False,  # with a GPU the states lie on it already
            seed=seed,
            use_cpu=examples[0]["states"].device.type == "cpu",
            ddp_find_unused_parameters=False,  # every step uses them all
            logging_steps=1,
            disable_tqdm=True,
            save_strategy="no",
            report_to="none",
        )
        arguments._n_gpu = min(arguments.n_gpu, 1)  # otherwise one process would give each GPU a batch of its own
        callbacks: list[TrainerCallback] = [_ProgressBar(advance), *([watch] if watch else [])]
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
        hidden, expected = self.at_answers(states, labels, **layout)
        return {"loss": mean_answer_loss(hidden, self.head, expected)}

    def at_answers(self, states: Tensor, labels: Tensor, **layout: Any) -> tuple[Tensor, Tensor]:
        """The last layer's states (answer tokens, width) from which the head predicts, and the right tokens."""
        is_answer = labels[0] != IGNORED
        positions = is_answer.nonzero()[:, 0]
        hidden = self.decoder(inputs_embeds=states, use_cache=False, answer_positions=positions, **layout)
        return hidden.last_hidden_state[0, positions], labels[0, positions]


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


class EarlyStopping(TrainerCallback):
    """Stops the Trainer when development batches stop gaining; `history` has a row for every epoch."""

    def __init__(self, upper: UpperLayers, batches: list[dict[str, Any]]):
        self.upper = upper
        self.batches = batches
        self.history: list[dict[str, float]] = []
        self.best_step, self.best, self.epochs_since = 1, (0.0, -math.inf), 0

    @torch.no_grad()
    def on_epoch_end(self, args, state, control, **kwargs):
        right = total = loss = 0.0
        for batch in self.batches:
            hidden, expected = self.upper.at_answers(**batch)
            logits = self.upper.head(hidden).float()
            right += (logits.argmax(-1) == expected).sum().item()
            loss += nn.functional.cross_entropy(logits, expected, reduction="sum").item()
            total += len(expected)
        self.history.append({"step": state.global_step, "share": right / total, "loss": loss / total})
        self.epochs_since += 1
        if (right / total, -loss / total) > self.best:
            self.best_step, self.best, self.epochs_since = state.global_step, (right / total, -loss / total), 0
        control.should_training_stop = self.epochs_since >= PATIENCE


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
