"""What several tests share: the real model, also in float32, a model tuned once, and a count of faults."""

import copy

import pytest
import torch

from course_lib import FineTuned, load_model, load_task


class Fault:
    """`with fault:` around each trial of a fault: it is survived if nothing is raised."""

    tried = survived = 0

    def __enter__(self):
        self.tried += 1

    def __exit__(self, kind, *_):
        self.survived += kind is None


@pytest.fixture
def fault(request):
    yield (fault := Fault())
    name = request.node.name.removeprefix("test_").replace("_", " ")
    line = f"{fault.tried:4} {fault.survived:4} {fault.tried - fault.survived:4}  {name}"
    request.node.user_properties.append(("faults: tried, survived, lost", [name, line]))


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    """Each test begins with no progress."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(scope="session")
def model():
    return load_model()


@pytest.fixture(scope="session")
def exact(model):
    """The model in float32, where rounding does not hide a mistake."""
    network = copy.deepcopy(model.network).to(torch.float32)
    return model.with_network(network)


@pytest.fixture(scope="session")
def pottery():
    return load_task("roman-pottery")


@pytest.fixture(scope="session")
def tuned(pottery):
    """Tuned on a third of the pottery questions: enough to answer unlike the base model."""
    part = pottery.train[:48]
    return FineTuned(epochs=2, prompt=pottery.prompt, random_state=0).fit(part["input"], part["output"])
