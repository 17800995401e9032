#!/usr/bin/env bash
# What to do with a GPU while there is one, the most important first: are the kernels right, do the operators and Java
# work on it, and only then how fast is it.
#
#   tools/gpu-visit.sh [STEP]...    all steps, or those named: kernels, operators, java, times, baselines
#
# A step that fails does not end the visit. One whose needs are missing is skipped and says so. Needs what
# ./cppbuild.sh --gpu-check needs. Reads
#   OUT                  where logs and tables go: target/gpu-visit
#   PYTHON               for operators and baselines, with PyTorch 2.10 or newer for CUDA 13: python3
#   STRUCTKD_GPU_ROOT    where tools/java-on-gpu.sh has unpacked its pieces: that script's own place
#   LIMIT_S              seconds that each of the two tables of times may take: 300
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/nvcc.sh

case ${1:-} in
  -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit ;;
esac
steps=(kernels operators java times baselines)
[ $# -gt 0 ] || set -- "${steps[@]}"
for step; do
  [[ " ${steps[*]} " = *" $step "* ]] || fail "there is no step $step, there are: ${steps[*]}"
done

python=${PYTHON:-python3}
limit=${LIMIT_S:-300}
java=${STRUCTKD_GPU_ROOT:-$structkd_cache/java-on-gpu}
mkdir -p "${OUT:=target/gpu-visit}"
OUT=$(cd "$OUT" && pwd)
export OUT STRUCTKD_GPU_ROOT=$java

# Each says what is missing, or nothing.
missing() {
  case $1 in
    operators | baselines)
      "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null ||
        echo "$python has no PyTorch that sees the GPU; PYTHON names another one"
      ;;
    java) [ -e "$java/libtorch" ] || echo "no pieces of tools/java-on-gpu.sh are unpacked in $java" ;;
    times) [ -x target/gpu-check/lib/structkd_cuda_bench ] || echo "the step kernels has not built the bench" ;;
  esac
}

do_step() {
  case $1 in
    kernels) ./cppbuild.sh --gpu-check --quick --limit-s 60 ;;
    operators) "$python" bench/python/gpu_compare.py --no-times ;;
    java) tools/java-on-gpu.sh run ;;
    times) target/gpu-check/lib/structkd_cuda_bench --limit-s "$limit" --csv "$OUT/kernels.csv" ;;
    baselines) "$python" bench/python/gpu_compare.py --no-checks --seconds "$limit" --csv "$OUT/pytorch.csv" ;;
  esac
}

has_gpu || fail "no GPU answers on this machine: nvidia-smi -L lists none"
nvidia-smi >"$OUT/nvidia-smi.txt"
failed=()
for step; do
  reason=$(missing "$step")
  if [ -n "$reason" ]; then
    echo "== $step: skipped, $reason"
    continue
  fi
  echo "== $step"
  result=passed
  do_step "$step" >"$OUT/$step.log" 2>&1 || { result=FAILED && failed+=("$step"); }
  tail -n 20 "$OUT/$step.log"
  echo "== $step: $result, $SECONDS s since the beginning"
done
echo "logs and tables: $OUT"
[ ${#failed[@]} = 0 ] || fail "these steps failed: ${failed[*]}"
