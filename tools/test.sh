#!/usr/bin/env bash
# Everything a change must pass. Exit status 0 only if all of it did.
#
#   ./structkd test              formats, builds, C++ and Java tests, sanitizers, CUDA, g++ 11, arm64, packaging, speed
#   ./structkd test --quick      the same without CUDA kernels, sanitizers, g++ 11, arm64, the second build of the
#                                jars, the bench's floors, the runs of all recipes and the test that memory stays flat
#   ./structkd test --all-archs  CUDA for all architectures instead of two
#
# PYTHON names an interpreter that has PyTorch, to test the operators in it: python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/setup.sh
. tools/build.sh
. tools/libtorch.sh
. tools/nvcc.sh

quick=false
all_archs=false
case ${1:-} in
  "") ;;
  --quick) quick=true ;;
  --all-archs) all_archs=true ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit ;;
  *) fail "test: unknown option $1" ;;
esac

results=target/test # of each step its log, and a line of the summary

TIMEFORMAT='%0R %0U %0S'
apart() ("$@") # so that what exits ends a step alone

# Runs one step and notes how it ended, how long it took and what it cost; status 77 is that of one that cannot
# run here and says why in its last line. Its output is in a log, of which the end is shown where it failed.
# $1 title; the command.
step() {
  local title=$1 result=passed log status=0 seconds user system
  log=$results/${title//[^A-Za-z0-9+]/-}.log
  shift
  echo "== $title"
  { time apart "$@" >"$log" 2>&1; } 2>"$log.time" || status=$?
  read -r seconds user system < <(tail -n 1 "$log.time")
  rm "$log.time"
  case $status in
    0) ;;
    77)
      skip "$title" "$(tail -n 1 "$log")"
      return
      ;;
    *) result=FAILED ;;
  esac
  echo "== $title: $result in $seconds s"
  [ "$result" = passed ] || tail -n 100 "$log"
  printf '%-8s %-44s %5d s %5d CPU s\n' "$result" "$title" "$seconds" $((user + system)) >>"$results/$lane.summary"
}

skip() {
  echo "== $1: skipped, $2"
  printf '%-8s %-44s %s\n' skipped "$1" "$2" >>"$results/$lane.summary"
}

# Runs tests of the build in folder $1; what follows chooses them by their labels (cmake/tests.cmake).
run_tests() {
  local build=$1
  shift
  UBSAN_OPTIONS=print_stacktrace=1 OMP_WAIT_POLICY=passive \
    ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@"
}

# Builds the native code in folder $1 with the CMake options that follow, and runs the tests of CPUs.
native_tests() {
  local build=$1
  shift
  ./cppbuild.sh "$build" -DSTRUCTKD_BUILD_TESTS=ON "$@" && run_tests "$build" -L '^cpu$'
}

# Kernels, C++ tests and bench, by nvcc for two architectures; where there is a GPU, for that one, and runs
# them. Warnings and spills are errors, and so are other registers, loops and models than docs/ has.
cuda_from_source() {
  ./cppbuild.sh --gpu-check &&
    run_tests target/gpu-check -L driver &&
    { has_gpu || one_architecture_is_kept; } &&
    tools/cuda-resources.sh check target/gpu-check/lib/libstructkd_cuda.so &&
    tools/cuda-resources.sh check-model target/gpu-check/lib/structkd_cuda_bench
}

# A library of two architectures, reduced to one: as if nvcc had been asked for no other, without PTX.
one_architecture_is_kept() {
  local library=target/test/one-architecture.so cuobjdump
  cuobjdump=$(find_cuda_tool cuobjdump "$(find_nvcc)")
  cp target/gpu-check/lib/libstructkd_cuda.so "$library"
  tools/keep_gpu_code.py "$library" 90 &&
    diff <("$cuobjdump" -sass -arch sm_90 target/gpu-check/lib/libstructkd_cuda.so | sed '/^Fatbin ptx code:$/,/^$/d') \
      <("$cuobjdump" -sass "$library") &&
    ! tools/keep_gpu_code.py "$library" 80
}

cuda_for_all_architectures() {
  ./cppbuild.sh --cuda target/cuda && tools/cuda-resources.sh check target/cuda/lib/libstructkd_cuda.so
}

# What both lanes need: the libraries that Java loads, and the CUDA kernels as a library for the CPU.
builds() {
  ./cppbuild.sh target/native -DSTRUCTKD_BUILD_TESTS=ON && { $quick || build_emulated; }
}

build_emulated() {
  ./cppbuild.sh target/emulated -DSTRUCTKD_LIBTORCH= -DSTRUCTKD_BUILD_TESTS=ON -DSTRUCTKD_CUDA_EMULATED=ON \
    -DSTRUCTKD_CUDA_INSTRUMENTED=ON
}

# The emulator finds what it must under sanitizers, and they find nothing in the kernels. In the build of
# the sanitized C++ tests, so that what both need is compiled once.
emulated_sanitized() { run_tests target/native-sanitize -L emulator; }

# What autograd, bad input and each loss promise, with all CPU tensors sent through the CUDA kernels.
java_tests_emulated() {
  mvn -B --no-transfer-progress surefire:test -Dstructkd.cuda=emulated -Dgroups=emulated
}

java_tests() {
  local but=() found
  # The one calls each loss a hundred thousand times, the other runs each recipe twice.
  if $quick; then but=(-Dtest='!FlatMemoryTest,!RecipesRunTest'); fi
  mvn -B --no-transfer-progress "${but[@]}" verify 2>&1 | without_findings_of_others &&
    if found=$(grep -E -A 3 "$jni_finding" "$results"/Java-*.log); then
      fail "-Xcheck:jni found misuse of JNI: $found"
    fi
}

# -Xcheck:jni only prints what it finds: a line like this, and the frames of a stack.
jni_finding='in native method|^WARNING: JNI'

# Leaves out what it finds in the JDK's own drawing of text, whose frames begin with sun, a gigabyte of it, and in the
# presets' constructors of process groups: not ours to mend. Tests run two ranks as threads, which print theirs into
# each other.
without_findings_of_others() {
  awk -v finding="$jni_finding" '
    function close_finding() {
      if (held != "" && !excused) printf "%s", held
      held = first = ""
      excused = 0
    }
    $0 ~ finding { if (first != "") close_finding(); held = held $0 "\n"; next }
    held != "" && /^\t(at|-) / {
      if (first == "") { first = $0; if (/^\tat sun\./) excused = 1 }
      if (/^\tat org\.bytedeco\.pytorch\.(ProcessGroupGloo|PrefixStore)\./) excused = 1
      held = held $0 "\n"
      next
    }
    first != "" { close_finding() }
    { print; fflush() }
    END { close_finding() }'
}

# Distils for a few steps as a newcomer would: it must end with a table and a report.
distill_runs() {
  local out=target/test/distill.out run=target/test/distill
  rm -rf "$run"
  ./structkd distill --steps=20 --seeds=1 --set data.test=50 --out="$run" | tee "$out" &&
    [ "$(grep -cE '^(teacher|student alone|student, [a-z]+) +[0-9,]+ +0\.[0-9]{4} ' "$out")" = 3 ] &&
    [ -s "$run/report.html" ]
}

# What the launcher says of nonsense and where it leaves files.
launcher_behaves() {
  local status=0 root=$PWD elsewhere
  ./structkd nonsense 2>target/test/nonsense.err || status=$?
  [ "$status" = 2 ] && [ "$(tail -n 1 target/test/nonsense.err)" = "structkd: unknown command nonsense" ] ||
    fail "an unknown command ended with status $status, expected 2 and a sentence after the usage"
  elsewhere=$(mktemp -d) # a relative path is one of the folder where the user stands
  (cd "$elsewhere" && "$root/structkd" predict "$root/docs/images/scene.png" --out mask.png) &&
    [ -s "$elsewhere/mask.png" ] || fail "predict --out mask.png did not write into the current folder"
  rm -r "$elsewhere"
  asks_for_cuda distill --device cuda && asks_for_cuda --device=cuda:1 --steps 2 && asks_for_cuda --backend cuda &&
    ! asks_for_cuda --backend cuda-emulated && ! asks_for_cuda --device cpu --out cuda ||
    fail "the launcher misreads which command asks for a GPU"
}

# Without a GPU a visit ends by a sentence; with a made one it goes on without what is missing.
gpu_visit_behaves() {
  local made status=0 said=target/test/gpu-visit.out
  made=$(mktemp -d)
  printf '#!/bin/sh\necho "GPU 0: made for a test"\n' >"$made/nvidia-smi"
  chmod +x "$made/nvidia-smi"
  ! tools/gpu-visit.sh sightseeing 2>"$said" && grep -q "there is no step sightseeing" "$said" &&
    PATH=$made:$PATH OUT=$made/out PYTHON=false STRUCTKD_GPU_ROOT=$made tools/gpu-visit.sh operators java >"$said" &&
    [ "$(grep -c ': skipped, ' "$said")" = 2 ] && [ -s "$made/out/nvidia-smi.txt" ] || status=1
  rm -r "$made"
  return $status
}

# Builds the example as its users would and trains for a few steps: it must end with three scores. A busy
# machine makes waiting threads expensive, hence passive.
example_runs() {
  local out=target/test/example.out
  OMP_WAIT_POLICY=passive ./structkd example --teacher-steps=20 --steps=10 | tee "$out" &&
    [ "$(grep -cE '^(teacher|student [a-z]+) .* 0\.[0-9]{4} ' "$out")" = 3 ] &&
    example_refuses --steps=0 && example_refuses --depth=3 &&
    ./structkd example --help | grep -q -- --teacher-steps
}

# An exported network, served without structkd: it puts out what structkd does, or the status is 1.
serving_runs() {
  rm -rf target/test/served
  ./structkd export fashion --out target/test/served &&
    maven -f examples/serving/pom.xml package dependency:copy-dependencies &&
    OMP_WAIT_POLICY=passive "$JAVA_HOME/bin/java" \
      -cp "examples/serving/target/classes:examples/serving/target/dependency/*" com.example.serve.Serve target/test/served
}

# Nonsense on the command line ends with status 2.
example_refuses() {
  local status=0
  ./structkd example "$@" || status=$?
  [ "$status" = 2 ] || fail "example $* ended with status $status, expected 2"
}

# From made photographs and a teacher out of a file to a mask, by commands and from Java.
own_data_runs() {
  local out=target/test/own-data.out
  OMP_WAIT_POLICY=passive examples/own-data/run.sh 10 | tee "$out" &&
    grep -qx 'all files are whole' "$out" && grep -qx 'landscapes.yaml makes sense' "$out" &&
    [ "$(grep -cE '^(teacher|student alone|student, landscapes) .* 0\.[0-9]{4} ' "$out")" = 3 ] &&
    grep -q '^IoU of water ' "$out" &&
    grep -qE '^after 10 steps: mIoU 0\.[0-9]{4}$' "$out" && [ -s examples/own-data/target/mask.png ]
}

# A compiler and Debian's name of its package; installs it where possible.
have_compiler() { command -v "$1" >/dev/null || apt_install "$2" 2>/dev/null; }

# The kernels on another processor: compiled, not run.
arm64_compiles() {
  CXX=aarch64-linux-gnu-g++ CC=aarch64-linux-gnu-gcc ./cppbuild.sh target/native-arm64 -DSTRUCTKD_LIBTORCH= \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
}

# Programs that need PyTorch or a GPU do not run everywhere, but all can be read.
python_compiles() { git ls-files -z '*.py' | xargs -0 python3 -m py_compile; }

# The C++ floors, and beside them Java's: each leaves much of the time one of two cores idle. Maven and the
# launcher write into target/ alone, so only one of the lanes has them.
native_lane() {
  step "C++ format" tools/format.sh --check
  step "Versions agree" python3 tools/check_versions.py
  step "Python: syntax" python_compiles
  step "C++ tests, release" run_tests target/native -L '^cpu$'
  $quick || thorough_native_steps
}

thorough_native_steps() {
  step "CUDA kernels emulated: C++ tests" run_tests target/emulated -L 'emulated|emulator'
  step "CUDA kernels emulated: launches" tools/cuda-resources.sh check-launches
  step "CUDA kernels emulated: races" run_tests target/emulated -L races
  step "CUDA kernels emulated: memory counts" run_tests target/emulated -L memory
  step "C++ tests, ASan and UBSan" native_tests target/native-sanitize \
    -DSTRUCTKD_LIBTORCH= -DSTRUCTKD_CUDA_EMULATED=ON -DSTRUCTKD_SANITIZE=address,undefined,bounds-strict
  step "CUDA kernels emulated: ASan and UBSan" emulated_sanitized
  step "CUDA: build from source, GPU check" cuda_from_source
  # Where there is a GPU, that step ran them.
  has_gpu || step "CUDA: C++ tests on a GPU" target/gpu-check/lib/structkd_cuda_tests
  if $all_archs; then step "CUDA: all architectures" cuda_for_all_architectures; fi
  if have_compiler g++-11 g++-11; then
    CXX=g++-11 step "C++ tests, g++ 11" native_tests target/native-gcc11
  else
    skip "C++ tests, g++ 11" "g++-11 is not installed and apt cannot install it here"
  fi
  if have_compiler aarch64-linux-gnu-g++ g++-aarch64-linux-gnu; then
    step "C++ for arm64 compiles" arm64_compiles
  else
    skip "C++ for arm64 compiles" "g++-aarch64-linux-gnu is not installed and apt cannot install it here"
  fi
}

java_lane() {
  step "Java tests, format, jars" java_tests
  $quick || step "CUDA kernels emulated: Java tests" java_tests_emulated
  if at_least "$(libtorch_version_of "$(installed_torch)/include")" "$libtorch_needed"; then
    step "Python: operators in PyTorch" "${PYTHON:-python3}" bench/python/gpu_compare.py --device cpu --quick
  else
    skip "Python: operators in PyTorch" \
      "${PYTHON:-python3} has no PyTorch of $libtorch_needed or newer; PYTHON names another one"
  fi
  step "Launcher" launcher_behaves
  step "GPU visit" gpu_visit_behaves
  step "Distil for a few steps" distill_runs
  step "Example: distil for a few steps" example_runs
  step "Example: serve an exported network" serving_runs
  step "Example: own data and teacher" own_data_runs
  $quick || step "Example: data-parallel on Spark" maven -f examples/spark/pom.xml verify
  step "Bench: format and tests" maven -f bench/pom.xml verify # after the example, which installs the library
}

setup tests
build
mkdir -p "$results"
rm -f "$results"/*.summary

lane=1-builds
step "Builds" builds
lane=2-native native_lane &
native=$!
(lane=3-java java_lane) # a shell of its own, so that no step counts the other lane when that ends
wait "$native"
lane=4-results
step "Libraries: paths, symbols, GLIBC" tools/check-libraries.sh
if ! $quick; then
  step "Jars are reproducible" tools/check-reproducible.sh
  # Alone: nothing else may take its time. A case that other programs disturb is measured once more, then
  # skipped: the log says so.
  step "Speed beside LibTorch" ./structkd bench --quick --gate
fi

echo
echo "== Summary (logs in $results)"
cat "$results"/*.summary
if ! grep -q '^FAILED' "$results"/*.summary; then
  echo "All passed in $SECONDS s."
else
  echo "FAILED."
  exit 1
fi
