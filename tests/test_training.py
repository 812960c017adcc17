"""Training: it learns, leaves the base model alone, and its adapters are read by PEFT elsewhere.

That losses, gradients and weights are those of plain.py is shown in test_plain.py.
"""

import hashlib
import json
from types import SimpleNamespace
from weakref import WeakKeyDictionary

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from course_lib import FineTuned, Prompt, ZeroShot, load_task
from course_lib.approaches import FEWEST_TO_CHOOSE_BY, _a_quarter
from course_lib.llm.bundled import HUB_ID, bundled_model
from course_lib.llm.chat import encode_answer
from course_lib.llm.fast import trunk
from course_lib.llm.fast.trunk import run_trunk
from course_lib.llm.training import MOST_EPOCHS, PATIENCE, EarlyStopping, choose_steps


def fingerprint(network):
    digest = hashlib.sha256()
    for name, weights in network.named_parameters():
        digest.update(name.encode())
        digest.update(weights.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def few(exact, pottery):
    """Ten examples of unlike length, as prompts and answers."""
    approach = FineTuned(prompt=pottery.prompt, model=exact)
    part = pottery.train[:10]
    return approach.encode_prompts(part["input"]), [encode_answer(exact, answer) for answer in part["output"]]


def test_the_lower_layers_run_once_for_an_example_and_are_the_same_in_any_company(exact, few, monkeypatch):
    prompts, answers = few
    monkeypatch.setattr(trunk, "_kept", WeakKeyDictionary())
    _, alone = run_trunk(exact, 10, prompts[:3], answers[:3])
    _, more = run_trunk(exact, 10, prompts, answers)
    assert all(one["states"] is other["states"] for one, other in zip(alone, more, strict=False))
    monkeypatch.setattr(trunk, "_kept", WeakKeyDictionary())
    _, together = run_trunk(exact, 10, prompts, answers)
    for one, other in zip(more, together, strict=True):
        torch.testing.assert_close(one["states"], other["states"], atol=1e-3, rtol=1e-3)
        assert torch.equal(one["labels"], other["labels"])
    _, elsewhere = run_trunk(exact, 12, prompts, answers)
    assert not torch.allclose(elsewhere[0]["states"], together[0]["states"], atol=0.1)
    monkeypatch.setattr(trunk, "KEEP", 0)
    run_trunk(exact, 10, prompts, answers)
    assert not trunk._kept[exact.network]


def test_only_the_upper_layers_get_an_adapter(tuned):
    changes = tuned.weight_changes()
    assert (changes.loc[:19] == 0).all(axis=None)
    assert (changes.loc[20:] > 0).all(axis=None)
    assert tuned.trained_parameters_ == sum(p.numel() for p in tuned.adapter_.parameters() if p.requires_grad)


def test_training_is_seeded_and_learns(pottery, tuned):
    part = pottery.train[:16]
    one, again, other = (
        FineTuned(layers=2, epochs=1, prompt=pottery.prompt, random_state=seed)
        .fit(part["input"], part["output"])
        .losses_
        for seed in (0, 0, 1)
    )
    assert again == one != other
    assert len(tuned.losses_) == 2 * 48 / 8
    assert sum(tuned.losses_[6:]) < 0.8 * sum(tuned.losses_[:6])  # the second time round it knows more


# Early stopping: for how many steps to train


@pytest.fixture(scope="module")
def finds(model):
    """Sixteen descriptions of two kinds of finds, as prompts and answers; every fourth is to choose by."""
    task = load_task("pottery-finds")
    rows = [row for row in task.train if row["output"] in ("lamp", "tile")][:16]
    approach = FineTuned(prompt=Prompt("Lamp or tile?", ("lamp", "tile")), model=model)
    prompts = approach.encode_prompts([row["input"] for row in rows])
    return prompts, [encode_answer(model, row["output"]) for row in rows], [place % 4 == 0 for place in range(16)]


SETTINGS = {"layers": 2, "rank": 4, "learning_rate": 2e-3, "batch_size": 4}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_chosen_steps_are_twice_those_to_the_best_epoch_of_the_history(model, finds, seed):
    steps, history = choose_steps(model, *finds, **SETTINGS, seed=seed)
    assert list(history.columns) == ["share", "loss"]
    assert history.index.tolist() == [3 * epoch for epoch in range(1, len(history) + 1)]  # 12 examples, 4 a step
    assert history["share"].between(0, 1).all()
    assert (history["loss"] > 0).all()
    epochs = [(row.share, -row.loss) for row in history.itertuples()]
    best = epochs.index(max(epochs))
    assert steps == 2 * history.index[best]
    assert steps % 2 == 0
    assert len(history) == min(best + 1 + PATIENCE, MOST_EPOCHS)  # it went on so long, and no longer
    again = choose_steps(model, *finds, **SETTINGS, seed=seed)
    assert again[0] == steps
    assert again[1].equals(history)


def watched(epochs):
    """What EarlyStopping makes of epochs, each given as how many of four tokens are right, and how surely."""
    expected = torch.zeros(4, dtype=torch.long)
    shown = {}

    def at_answers(states):
        right, sureness = shown["epoch"]
        logits = torch.tensor([[sureness, 0.0]] * right + [[0.0, sureness]] * (4 - right))
        return logits, expected

    upper = SimpleNamespace(at_answers=at_answers, head=lambda hidden: hidden)
    watch, control = EarlyStopping(upper, [{"states": None}]), SimpleNamespace(should_training_stop=False)
    for number, shown["epoch"] in enumerate(epochs, start=1):
        watch.on_epoch_end(None, SimpleNamespace(global_step=10 * number), control)
        if control.should_training_stop:
            break
    return watch.best_step, len(watch.history)


@pytest.mark.parametrize(
    ("epochs", "best_step", "seen"),
    [
        ([(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)], 40, 4),  # it goes on while more is right
        ([(1, 1.0), (3, 1.0), (2, 1.0), (2, 1.0), (2, 1.0), (4, 1.0)], 20, 5),  # three epochs without, and it ends
        ([(1, 1.0), (3, 1.0), (2, 1.0), (2, 1.0), (4, 1.0)], 50, 5),  # two are borne with
        ([(3, 1.0), (3, 1.0), (3, 1.0), (3, 1.0)], 10, 4),  # of equals the first
        ([(3, 1.0), (3, 2.0), (3, 1.5)], 10, 3),  # surer where it is wrong: more loss
        ([(4, 1.0), (4, 2.0), (4, 3.0)], 30, 3),  # surer where it is right: less loss
        ([(0, 2.0), (0, 1.0), (0, 0.5)], 30, 3),  # nothing right, but less and less wrong
    ],
)
def test_training_stops_when_the_development_cases_stop_gaining(epochs, best_step, seen):
    assert watched(epochs) == (best_step, seen)


def test_without_a_number_of_epochs_the_steps_are_chosen_and_all_examples_are_trained_on(pottery):
    part = pottery.train[:16]
    settings = {"layers": 2, "prompt": pottery.prompt, "random_state": 0}
    tuned = FineTuned(**settings).fit(part["input"], part["output"])
    assert tuned.epochs is None
    assert tuned.steps_ % 2 == 0
    assert len(tuned.losses_) == tuned.steps_
    assert tuned.steps_ / 2 in tuned.history_.index
    fixed = FineTuned(epochs=3, **settings).fit(part["input"], part["output"])
    assert len(fixed.losses_) == fixed.steps_ == 3 * 2
    assert fixed.history_ is None


def test_with_too_few_examples_to_choose_by_there_are_eight_epochs(pottery):
    few = pottery.train[: FEWEST_TO_CHOOSE_BY - 1]
    for batch_size, steps in ((8, 8), (4, 16)):
        tuned = FineTuned(layers=1, batch_size=batch_size, prompt=pottery.prompt, random_state=0)
        tuned.fit(few["input"], few["output"])
        assert len(tuned.losses_) == tuned.steps_ == steps
        assert tuned.history_ is None


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_is_even_over_the_labels(seed):
    answers = ["a"] * 8 + ["b"] * 16 + ["c"] * 4
    drawn = _a_quarter(answers, True, seed)
    assert [sum(drawn[:8]), sum(drawn[8:24]), sum(drawn[24:])] == [2, 4, 1]
    assert drawn == _a_quarter(answers, True, seed) != _a_quarter(answers, True, seed + 1)
    assert sum(_a_quarter(list("abcdefgh"), False, seed)) == 2


def test_the_base_model_is_shared_and_never_changed(model, pottery):
    before = fingerprint(model.network)
    questions = pottery.test["input"][:4]
    asked = ZeroShot(prompt=pottery.prompt).predict(questions)
    part = pottery.train[:8]
    tuned = FineTuned(layers=2, epochs=1, prompt=pottery.prompt).fit(part["input"], part["output"])
    tuned.predict(questions)
    assert fingerprint(model.network) == before
    assert (ZeroShot(prompt=pottery.prompt).predict(questions) == asked).all()
    memory = {weights.data_ptr() for weights in model.network.parameters()}
    own = [name for name, weights in tuned.adapter_.named_parameters() if weights.data_ptr() not in memory]
    assert own
    assert all("lora_" in name for name in own)


# peft 0.21 asks transformers 5 for a property by its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_a_saved_adapter_is_read_by_plain_peft_on_the_unsplit_model(exact, tuned, pottery, tmp_path):
    """In float32: in bfloat16 a batch rounds otherwise than a single prompt, and now and then a word changes."""
    questions = pottery.test["input"][:4]
    tuned.save(tmp_path)
    loaded = FineTuned(prompt=pottery.prompt, model=exact).load(tmp_path)
    kept, trained = (dict(one.adapter_.named_parameters()) for one in (loaded, tuned))
    assert all(torch.equal(kept[name].float(), trained[name].float()) for name in trained if "lora_" in name)
    expected = loaded.predict(questions)
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= saved
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == HUB_ID
    fresh = AutoModelForCausalLM.from_pretrained(bundled_model(), dtype=torch.float32)
    plain = PeftModel.from_pretrained(fresh, tmp_path).eval()
    answers = []
    for prompt in loaded.encode_prompts(questions):
        tokens = torch.tensor([prompt])
        written = plain.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=32,
            do_sample=False,
            pad_token_id=exact.tokenizer.eos_token_id,
        )
        answers.append(exact.tokenizer.decode(written[0, len(prompt) :], skip_special_tokens=True).strip())
    assert answers == expected.tolist()
    assert answers != ZeroShot(prompt=pottery.prompt, model=exact).predict(questions).tolist()


def test_odd_numbers_of_examples_and_layers(model, pottery):
    part = pottery.train[:3]
    whole = FineTuned(layers=99, epochs=2, prompt=pottery.prompt).fit(part["input"], part["output"])
    assert (whole.weight_changes() > 0).all(axis=None)
