#!/usr/bin/env bash
# Binder's steps without Docker (`make binder`): the last commit in a new folder, its packages in a new environment,
# postBuild, and then, with the network off, one core and 2 GB for the server and the kernel together, every lesson.
# Needs Linux and root (for a network namespace and a control group).
set -euo pipefail
here=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone --quiet "$here" "$folder/course"
"${PYTHON:-python3}" -m venv "$folder/environment"
export PATH=$folder/environment/bin:$PATH COURSE_CACHE=$folder/cache JUPYTER_CONFIG_DIR=$folder/jupyter
cd "$folder/course"
pip install --quiet -r binder/requirements.txt
./binder/postBuild
unshare --net bash -c "ip link set lo up && exec python '$here/benchmarks/binder.py' '$here'"
