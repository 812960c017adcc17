"""The model: fetched once, checked, shared, and replaceable; and what is said when it cannot be had."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen3Config,
)

from course_lib import load_model, wheels
from course_lib.llm import bundled
from course_lib.llm import model as model_module
from course_lib.llm.bundled import HUB_ID, bundled_model, is_intact
from course_lib.llm.chat import conversation, encode
from course_lib.llm.inference import generate
from course_lib.llm.model import best_dtype
from course_lib.wheels import FetchError, PackagedFile, Wheel, sha256

CONVERTED = bundled_model()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_network(monkeypatch):
    """pip may look nowhere."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


def test_it_answers(model):
    prompt = encode(model, conversation("", [], "What is the capital of France?"))
    assert "Paris" in generate(model, [prompt])[0]


def test_it_is_loaded_once_and_copies_as_itself(model):
    assert load_model() is model
    assert copy.deepcopy(model) is model
    assert copy.copy(model) is model
    pickled = pickle.dumps(model)
    assert len(pickled) < 1000
    assert pickle.loads(pickled) is model


def test_number_format_is_one_that_the_processor_computes_in(monkeypatch):
    for units, dtype in (({"avx2": True, "amx_bf16": False}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda units=units: units)
        assert best_dtype("cpu") == dtype


SMALL = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "max_position_embeddings": 256}


@pytest.mark.parametrize(
    ("config", "can"),
    [
        (LlamaConfig(**SMALL, intermediate_size=128, num_key_value_heads=2), True),
        (Qwen3Config(**SMALL, intermediate_size=128, num_key_value_heads=2, head_dim=16), True),
        (MistralConfig(**SMALL, intermediate_size=128, num_key_value_heads=2), True),
        (GPTNeoXConfig(**SMALL, intermediate_size=128), False),  # its last norm has another name
        (GPT2Config(n_embd=64, n_layer=4, n_head=4), False),
        (GPTNeoConfig(hidden_size=64, num_layers=4, attention_types=[[["global"], 4]], num_heads=4), False),
    ],
    ids=lambda one: getattr(one, "model_type", str(one)),
)
def test_a_model_that_cannot_be_divided_is_refused_and_not_asked_wrongly(tmp_path, config, can):
    torch.manual_seed(0)
    config.vocab_size = 49152
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(CONVERTED / name, tmp_path)
    if can:
        assert load_model(str(tmp_path)).network.config.model_type == config.model_type
    else:
        with pytest.raises(FetchError, match=r"is built in a way that .* Take one that is built like Llama"):
            load_model(str(tmp_path))


def test_a_pickle_never_loses_an_adapter_in_silence(tuned):
    with pytest.raises(TypeError, match=r"A pickle would lose .* save\(folder\)"):
        pickle.dumps(tuned)


@pytest.mark.parametrize("shape", [(3, 576), (2, 5, 576), (0, 576)])
def test_the_head_is_the_usual_product_the_other_way_round(exact, shape):
    head = exact.network.get_output_embeddings()
    states = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    logits = head(states)
    torch.testing.assert_close(logits, torch.nn.functional.linear(states, head.weight), atol=1e-4, rtol=1e-4)
    assert logits.shape == (*shape[:-1], exact.network.config.vocab_size)


def test_any_local_folder_can_be_named_and_by_the_environment(model, monkeypatch):
    folder = str(bundled_model())
    other = load_model(folder)
    assert other is not model
    monkeypatch.setenv("COURSE_MODEL", folder)
    assert load_model() is other
    prompt = encode(model, conversation("", [], "What is the capital of France?"))
    assert generate(other, [prompt]) == generate(model, [prompt])


def test_a_name_that_does_not_exist_is_said_in_a_sentence():
    with pytest.raises(FetchError, match=r"The model './no/such/model' is not a folder .* Check the name"):
        load_model("./no/such/model")


def test_code_that_comes_with_a_model_is_never_run_nor_asked_about(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}')
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(FetchError, match="Code from a model's repository is never run here"):
        load_model(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["truncated", "altered", "file missing", "hashes missing"])
def test_damage_to_the_cache_is_noticed(tmp_path, damage, fault):
    for name, content in (("model.safetensors", b"weights" * 1000), ("tokenizer.json", b"{}")):
        (tmp_path / name).write_bytes(content)
    hashes = {path.name: sha256(path) for path in tmp_path.iterdir()}
    (tmp_path / "sha256.json").write_text(json.dumps(hashes))
    assert is_intact(tmp_path)
    if damage == "truncated":
        os.truncate(tmp_path / "model.safetensors", 1000)
    elif damage == "altered":
        with (tmp_path / "model.safetensors").open("r+b") as file:
            file.seek(3000)
            file.write(b"damage")
    else:
        (tmp_path / ("tokenizer.json" if damage == "file missing" else "sha256.json")).unlink()
    with fault:
        assert not is_intact(tmp_path)


def test_a_damaged_cache_is_fetched_again(empty_cache, fault):
    cached = Path(shutil.copytree(CONVERTED, empty_cache / CONVERTED.name))
    before = sha256(cached / "model.safetensors")
    os.truncate(cached / "model.safetensors", 1000)
    with fault:
        assert bundled_model() == cached
        assert sha256(cached / "model.safetensors") == before
        assert [path.name for path in cached.parent.iterdir() if path.suffix != ".lock"] == [cached.name]


def test_two_notebooks_may_start_at_once_with_an_empty_cache(tmp_path, fault):
    code = "from course_lib.llm.bundled import bundled_model, is_intact; assert is_intact(bundled_model())"
    environment = os.environ | {"COURSE_CACHE": str(tmp_path / "à la maison")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes) for _ in range(2)]
    said = [process.communicate() for process in both]
    with fault:
        assert [process.returncode for process in both] == [0, 0], said
        # Once for both, so one conversion too: what was downloaded is gone after it.
        assert sum(out.count("Downloading") for out, _ in said) == 1


def test_without_network_the_remedy_is_named(empty_cache, no_network):
    with pytest.raises(FetchError, match=r"could not be downloaded .* run: python -m course_lib fetch"):
        bundled_model()


def test_an_installed_package_is_used_where_it_lies(empty_cache, no_network, tmp_path, monkeypatch):
    package = tmp_path / "site" / "some_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "data.txt").write_text("real")
    monkeypatch.syspath_prepend(package.parent)
    wheel = Wheel("some-package==1", "0" * 64, "Data")
    file = PackagedFile(wheel, "some_package/data.txt", sha256(package / "data.txt"))
    assert wheels.fetch(file) == [package / "data.txt"]
    shutil.rmtree(package)
    with pytest.raises(FetchError):
        wheels.fetch(file)


def test_without_pip_the_hub_is_asked(empty_cache, monkeypatch):
    asked = []

    def refuse(source, **_):
        asked.append(source)
        raise OSError("no network")

    monkeypatch.setattr(bundled, "has_pip", lambda: False)
    monkeypatch.setattr(model_module.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(FetchError, match="hub"):
        model_module._load.__wrapped__(bundled.NAME)
    assert asked == [HUB_ID]
