#!/usr/bin/env bash
# Everything a change must pass. Exit status 0 only if all of it did.
#
#   ./structkd test              formats, builds, C++ and Java tests, sanitizers, CUDA, g++ 11, arm64, packaging, speed
#   ./structkd test --quick      the same without sanitizers, races, memory counts, CUDA, g++ 11, arm64, the second
#                                build of the jars and the bench's floors
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

summary=()
failed=0

# Runs one step, with its output also in target/test/, and notes how it ended; status 77 is that of one that
# cannot run here and says why in its last line. $1 title; the command.
step() {
  local title=$1 result=passed start=$SECONDS log status=0
  log=target/test/${title//[^A-Za-z0-9+]/-}.log
  shift
  echo
  echo "== $title"
  "$@" 2>&1 | tee "$log" || status=$?
  case $status in
    0) ;;
    77)
      skip "$title" "$(tail -n 1 "$log")"
      return
      ;;
    *) result=FAILED failed=1 ;;
  esac
  summary+=("$(printf '%-8s %-44s %4d s' "$result" "$title" $((SECONDS - start)))")
}

skip() { summary+=("$(printf '%-8s %-44s %s' skipped "$1" "$2")"); }

# Runs tests of the build in folder $1; what follows chooses them.
run_tests() {
  local build=$1
  shift
  UBSAN_OPTIONS=print_stacktrace=1 OMP_WAIT_POLICY=passive \
    ctest --test-dir "$build" --output-on-failure --no-tests=error "$@"
}

# Builds the native code in folder $1 with the CMake options that follow, and runs its tests but for those
# of emulated kernels.
native_tests() {
  local build=$1
  shift
  ./cppbuild.sh "$build" -DSTRUCTKD_BUILD_TESTS=ON "$@" && run_tests "$build" -LE 'emulat|races|memory'
}

# Kernels, C++ tests and bench, by nvcc for two architectures; where there is a GPU, for that one, and runs
# them. Warnings and spills are errors, and so are other registers, loops and models than docs/ has.
cuda_from_source() {
  ./cppbuild.sh --gpu-check &&
    ctest --test-dir target/gpu-check --output-on-failure --no-tests=error -R structkd_cuda_open &&
    tools/cuda-resources.sh check target/gpu-check/lib/libstructkd_cuda.so &&
    tools/cuda-resources.sh check-model target/gpu-check/lib/structkd_cuda_bench
}

cuda_for_all_architectures() {
  ./cppbuild.sh --cuda target/cuda && tools/cuda-resources.sh check target/cuda/lib/libstructkd_cuda.so
}

# The CUDA kernels as a library for the CPU, which Java's tests run, too: the tests of every backend, and
# those of the emulator.
emulated_tests() {
  ./cppbuild.sh target/emulated -DSTRUCTKD_LIBTORCH= -DSTRUCTKD_BUILD_TESTS=ON \
    -DSTRUCTKD_CUDA_EMULATED=ON "$@" && run_tests target/emulated -L emulat
}

# The emulator finds what it must under sanitizers, and they find nothing in the kernels. In the build of
# the sanitized C++ tests, so that what both need is compiled once.
emulated_sanitized() { run_tests target/native-sanitize -L emulator --parallel 2; }

# What autograd, bad input and each loss promise, with all CPU tensors sent through the CUDA kernels.
java_tests_emulated() {
  mvn -B --no-transfer-progress surefire:test -Dstructkd.cuda=emulated \
    -Dtest='AutogradTest,BadInputTest,ShapesTest,LabelsTest,ViewsTest,*LossTest,GlobalStructural*Test,ObjectiveTest,DoctorTest'
}

# -Xcheck:jni only prints what it finds. It also finds the JDK's own drawing of text, whose frames begin
# with sun: not ours to mend.
java_tests() {
  mvn -B --no-transfer-progress verify &&
    if jni_misuse target/test/Java-*.log; then
      fail "-Xcheck:jni found misuse of JNI, see above"
    fi
}

jni_misuse() {
  awk '/in native method|^WARNING: JNI/ {
         finding = $0
         getline
         if ($0 !~ /^\tat sun\./) { print finding; print; found = 1 }
       }
       END { exit !found }' "$@"
}

# Distils for a few steps as a newcomer would: it must end with a table and a report.
distill_runs() {
  local out=target/test/distill.out run=target/test/distill
  rm -rf "$run"
  ./structkd distill --steps=20 --seeds=1 --test-scenes=50 --out="$run" | tee "$out" &&
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

# Nonsense on the command line ends with status 2.
example_refuses() {
  local status=0
  ./structkd example "$@" || status=$?
  [ "$status" = 2 ] || fail "example $* ended with status $status, expected 2"
}

# A compiler and Debian's name of its package; installs it where possible.
have_compiler() { command -v "$1" >/dev/null || apt_install "$2" 2>/dev/null; }

# The kernels on another processor: compiled, not run.
arm64_compiles() {
  CXX=aarch64-linux-gnu-g++ CC=aarch64-linux-gnu-gcc ./cppbuild.sh target/native-arm64 -DSTRUCTKD_LIBTORCH= \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
}

setup tests
build
mkdir -p target/test

step "C++ format" tools/format.sh --check
step "C++ tests, release" native_tests target/native
if ! $quick; then
  step "C++ tests, ASan and UBSan" native_tests target/native-sanitize \
    -DSTRUCTKD_LIBTORCH= -DSTRUCTKD_CUDA_EMULATED=ON -DSTRUCTKD_SANITIZE=address,undefined,bounds-strict
  step "CUDA kernels emulated: ASan and UBSan" emulated_sanitized
  step "CUDA: build from source, GPU check" cuda_from_source
  # Where there is a GPU, that step ran them.
  has_gpu || step "CUDA: C++ tests on a GPU" target/gpu-check/lib/structkd_cuda_tests --gtest_filter='*/cuda'
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
fi
if $quick; then
  step "CUDA kernels emulated: C++ tests" emulated_tests
else
  step "CUDA kernels emulated: C++ tests" emulated_tests -DSTRUCTKD_CUDA_INSTRUMENTED=ON
  step "CUDA kernels emulated: races" run_tests target/emulated -L races --parallel 2
  step "CUDA kernels emulated: memory counts" run_tests target/emulated -L memory
fi
step "CUDA kernels emulated: launches" tools/cuda-resources.sh check-launches
step "Java tests, format, jars" java_tests
step "CUDA kernels emulated: Java tests" java_tests_emulated
if at_least "$(libtorch_version_of "$(installed_torch)/include")" 2.10; then
  step "Python: operators in PyTorch" "${PYTHON:-python3}" bench/python/gpu_compare.py --device cpu --quick
else
  skip "Python: operators in PyTorch" "${PYTHON:-python3} has no PyTorch of 2.10 or newer; PYTHON names another one"
fi
step "Launcher" launcher_behaves
step "Distil for a few steps" distill_runs
step "Example: distil for a few steps" example_runs
step "Bench: format and tests" maven -f bench/pom.xml verify # after the example, which installs the library
step "Libraries: paths, symbols, GLIBC" tools/check-libraries.sh
if ! $quick; then
  step "Jars are reproducible" tools/check-reproducible.sh
  # A case that other programs disturb is measured once more, then skipped: the log says so.
  step "Speed beside LibTorch" ./structkd bench --quick --gate
fi

echo
echo "== Summary (logs in target/test)"
printf '%s\n' "${summary[@]}"
if [ "$failed" = 0 ]; then echo "All passed in $SECONDS s."; else echo "FAILED."; fi
exit "$failed"
