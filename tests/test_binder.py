"""The image that Binder or a JupyterHub builds, read from the recipe that repo2docker prints (Docker is not needed)."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import yaml

COURSE = Path(__file__).parents[1]
BINDER = COURSE / "binder"


@pytest.fixture(scope="module")
def recipe():
    if not importlib.util.find_spec("repo2docker") and not os.environ.get("CI"):
        pytest.skip("repo2docker is not installed here: pip install -r requirements-dev.txt")
    command = [
        sys.executable,
        "-m",
        "repo2docker",
        "--no-build",
        "--debug",
        "--user-id=1000",
        "--user-name=jovyan",
        ".",
    ]
    printed = subprocess.run(command, cwd=COURSE, capture_output=True, text=True, check=True)
    assert "conda environment for python=3.11" in printed.stderr
    return [line for line in printed.stdout.splitlines() if not line.startswith("#")]


def place(recipe, end):
    (number,) = [number for number, line in enumerate(recipe) if line.endswith(end)]
    return number


def test_files_then_packages_then_model_and_data(recipe):
    files = place(recipe, "src/ ${REPO_DIR}/")
    packages = place(recipe, '/bin/pip install --no-cache-dir -r "binder/requirements.txt"')
    model = place(recipe, "RUN ./binder/postBuild")
    assert files < packages < model
    users = [line for line in recipe[:model] if line.startswith("USER")]
    assert users[-1] == "USER ${NB_USER}"  # whose home holds the cache


def test_start_is_what_starts(recipe):
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in recipe
    for name in ("postBuild", "start"):
        assert os.access(BINDER / name, os.X_OK)
        assert (BINDER / name).read_text().splitlines()[2] == "set -euo pipefail"  # or an error would pass unseen


@pytest.mark.skipif(os.name == "nt", reason="a shell script, for the image's Linux")
@pytest.mark.parametrize(("cores", "threads"), [("1.0", "1"), ("0.5", "1"), ("3.0", "3")])
def test_start_computes_on_as_many_cores_as_the_hub_gives(cores, threads):
    command = [BINDER / "start", "printenv", "OMP_NUM_THREADS"]
    assert subprocess.check_output(command, env=os.environ | {"CPU_LIMIT": cores}, text=True).strip() == threads


def test_requirements_are_the_course_s_own_with_torch_for_the_cpu():
    lines = [line for line in (BINDER / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["--extra-index-url https://download.pytorch.org/whl/cpu", "-r ../requirements.txt"]
    assert re.search(r"^torch==", (COURSE / "requirements.txt").read_text(), flags=re.MULTILINE)


def test_post_build_does_what_make_does():
    makefile = (COURSE / "Makefile").read_text().replace(".venv/bin/", "")
    for line in (BINDER / "postBuild").read_text().splitlines()[3:]:
        assert f"\t{line.partition(' #')[0]}" in makefile


@pytest.mark.parametrize(
    ("page", "columns"),
    [
        ("README.md", {"minutes": "{:.1f} min", "GB": "{:.1f} GB"}),
        ("INSTRUCTORS.md", {"GB": "{:.1f} GB", "CPU seconds": "{:.0f}"}),
    ],
)
def test_the_tables_say_what_the_replay_measured(page, columns):
    measured = pd.read_csv(COURSE / "benchmarks" / "results" / "binder.csv")
    lessons = {path.stem for path in (COURSE / "notebooks").glob("*.ipynb")}
    assert all(set(rows["lesson"]) == lessons for _, rows in measured.groupby("format"))
    assert measured["GB"].max() < 2
    text = (COURSE / page).read_text(encoding="utf-8")
    for lesson, rows in measured.groupby("lesson"):
        (line,) = [line for line in text.splitlines() if re.match(rf"\| \[?{lesson[:2]} ", line)]
        cells = [" / ".join(shown.format(value) for value in rows[column]) for column, shown in columns.items()]
        assert line.endswith(f"| {' | '.join(cells)} |")
    assert f"One core, measured by `make binder`, {' / '.join(measured['format'].unique())}: " in text


def test_values_for_a_jupyterhub_keep_progress_and_hide_nothing():
    """Names and types: jupyterhub/values.schema.yaml of zero-to-jupyterhub-k8s, as of its commit 02dd73d."""
    text = (COURSE / "INSTRUCTORS.md").read_text(encoding="utf-8")
    values = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)[1])

    def part(**properties):
        required = list(properties)
        return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}

    string, number, size, whole = ({"type": kind} for kind in ("string", "number", ["number", "string"], "integer"))
    expected = part(
        image=part(name=string, tag=string),
        defaultUrl=string,
        memory=part(limit=size, guarantee=size),
        cpu=part(limit=number, guarantee=number),
        storage=part(capacity=string, homeMountPath=string),
        extraEnv={"type": "object", "additionalProperties": string},
    )
    cull = part(enabled={"type": "boolean"}, timeout=whole, every=whole)
    jsonschema.validate(values, part(singleuser=expected, cull=cull))
    user = values["singleuser"]
    assert (user["memory"]["limit"], user["cpu"]["limit"]) == ("2G", 1)
    volume = user["storage"]["homeMountPath"]
    assert volume.startswith("/home/jovyan/")  # over the home itself it would hide the course and its cache
    assert not (COURSE / Path(volume).name).exists()
    assert Path(user["extraEnv"]["COURSE_PROGRESS"]).parent == Path(volume)
    assert (COURSE / user["defaultUrl"].removeprefix("/lab/tree/")).is_file()
