#!/bin/sh
# Trains the bundled teacher anew: about five minutes on two idle cores. Another kind of processor gives
# other weights of about the same worth; the test of predict and evaluate says within what band.
#
#   src/main/data/make_teacher.sh
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
run=$root/runs/bundled-teacher
"$root/structkd" distill --recipe fashion-teacher --seeds 1 --out "$run"
cp "$run/alone-1.safetensors" "$root/src/main/resources/org/structkd/model/fashion-teacher.safetensors"
