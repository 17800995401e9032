#!/usr/bin/env bash
# Takes structkd's Java to a machine that has a GPU but neither JDK nor network: see docs/gpu.md.
#
#   tools/java-on-gpu.sh pack                    in a checkout: makes the pieces .gpu/1, .gpu/2 and .gpu/3
#   bash .gpu/N/java-on-gpu.sh unpack            on the GPU machine, once for each piece, in any order
#   bash .gpu/N/java-on-gpu.sh run [PART]...     then: all parts, or those named
#
# Parts: doctor, golden (stored values), cuda-it (losses), train (trainings beside the CPU's), distill, bench.
#
# A piece has at most 56 MiB. The first holds Java, our classes and kernels, and is made anew after each change of
# them; the others hold LibTorch for GPUs, and stay until its version changes. The GPU machine needs the driver 580 or
# newer, and a python3 with the nvidia-* wheels that PyTorch 2.10 or newer for CUDA 13 depends on. Reads
#   STRUCTKD_GPU_ROOT    where unpack puts everything: ~/.cache/structkd/java-on-gpu
#   ARCHITECTURE         of GPUs that pack is for: 90, that of H100 and H200
#   DEVICE               that distill runs on: cuda
#   OUT                  where run leaves its logs and the bench's CSV file: the root
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=java-on-gpu.sh
pieces=3
most=$((56 << 20))        # bytes of a piece
chunk=$((most - (1 << 20))) # of LibTorch in a piece; the rest is for this script and sums
platform=linux-x86_64
torch=org/bytedeco/pytorch/$platform-gpu
architecture=${ARCHITECTURE:-90}
root=${STRUCTKD_GPU_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/structkd/java-on-gpu}
parts=(doctor golden cuda-it train distill bench)

complain() { echo "java-on-gpu: $*" >&2; exit 1; }
say() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }

# Compresses stdin, by level 6: by 2 all of it takes 193 MB, more than the pieces hold. The other machine has Python,
# but not always xz.
compress() { nice xz -T2 -6 --block-size=64MiB; }
decompress() {
  python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer, 1 << 20)'
}

# --- In a checkout ---

# Prints the jar whose path has this in it, of the class path in $app.classpath.
jar_of() {
  tr : '\n' <"$app.classpath" | grep -m 1 -e "$1" || complain "there is no jar $1 on the class path"
}

# LibTorch's two large libraries, with code for one architecture and without symbols for debuggers, into archive $1.
pack_libtorch() {
  local work library
  work=$(mktemp -d "$1.XXXXXX")
  unzip -q "$(jar_of "/pytorch-[^/]*-$platform-gpu\.jar")" "$torch/libtorch_cpu.so" "$torch/libtorch_cuda.so" -d "$work"
  tools/keep_gpu_code.py "$work/$torch/libtorch_cuda.so" "$architecture"
  for library in "$work/$torch"/*.so; do strip -s "$library"; done
  tar -C "$work" -c org | compress >"$work/archive"
  mv "$work/archive" "$1" # complete or absent, never half
  rm -r "$work"
}

# Natives, unpacked: those that JavaCPP would unpack into its cache, but for those that nobody here calls.
collect_natives() {
  unzip -q "$(jar_of "/javacpp-[^/]*-$platform\.jar")" '*.so' -d "$app/natives"
  unzip -q "$(jar_of "/openblas-[^/]*-$platform\.jar")" '*.so*' \
    -x '*/libjniopenblas_full.so' -d "$app/natives"
  # By this name, too, it is asked for; JavaCPP's cache has the same link.
  ln -s libopenblas.so.0 "$app/natives/org/bytedeco/openblas/$platform/libopenblas_nolapack.so.0"
  unzip -q "$(jar_of "/cuda-[^/]*-$platform\.jar")" '*/libjnicudart.so' -d "$app/natives"
  unzip -q "$(jar_of "/pytorch-[^/]*-$platform-gpu\.jar")" '*.so*' META-INF/maven/\* \
    -x "$torch/libtorch_cpu.so" "$torch/libtorch_cuda.so" -d "$app/natives"
}

# The classes of the library, its tests and its bench, with our libraries of which those with kernels are for GPUs.
collect_classes() {
  local jar
  mkdir -p "$app"/{classes,jars}
  cp -r target/classes/. target/test-classes/. bench/target/classes/. "$app/classes"
  cp target/gpu-native/lib/libstructkd{_cuda,_torch_cuda}.so "$app/classes/org/structkd/$platform"
  cat "$app.classpath" <(echo :) bench/target/launch/classpath | tr : '\n' |
    grep '\.jar$' | grep -v -e "$platform" -e /org/structkd/ | sort -u | xargs cp -t "$app/jars"
  jar=$(sed -n 's/.*junit-platform-engine-\([0-9.]*\)\.jar.*/\1/p' "$app.tests")
  maven dependency:copy -Dartifact="org.junit.platform:junit-platform-console-standalone:$jar" \
    -DoutputDirectory="$PWD/$app/jars"
}

# A JRE with what else its libraries need: the other system may lack them, such as FreeType.
collect_jre() {
  local library
  "$JAVA_HOME/bin/jlink" --output "$app/jre" --strip-java-debug-attributes --no-header-files --no-man-pages \
    --add-modules java.desktop,java.sql,java.management,java.naming,java.net.http,jdk.management,jdk.unsupported,jdk.zipfs
  rm -f "$app/jre/lib"/lib{awt_xawt,jawt,splashscreen,jsound}.so # need X11 or ALSA
  mkdir "$app/system"
  for library in "$app/jre/lib"/*.so; do ldd "$library"; done | sed -n 's:.*=> \(/[^ ]*\) .*:\1:p' | sort -u |
    grep -v -e "^$PWD/" -e '/lib\(c\|m\|dl\|pthread\|rt\|gcc_s\|stdc++\)\.so' | xargs cp -Lt "$app/system"
}

pack() {
  local libtorch version piece
  cd "$here/.."
  . tools/common.sh
  . tools/setup.sh
  . tools/build.sh
  app=target/java-on-gpu/app
  rm -rf "$app" .gpu
  mkdir -p "$app" "$structkd_cache"
  setup
  build_project bench # and so the library
  maven test-compile dependency:build-classpath -Dmdep.outputFile="$PWD/$app.tests"
  maven -Pgpu dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$PWD/$app.classpath"
  say "library, tests and bench are built"
  build_kernels "$architecture"
  say "kernels are built"
  version=$(jar_of "/pytorch-[^/]*-$platform-gpu\.jar" | sed 's:.*/pytorch-\(.*\)-linux.*:\1:')
  libtorch=$structkd_cache/libtorch-$version-sm_$architecture.tar.xz
  [ -e "$libtorch" ] || pack_libtorch "$libtorch"
  say "LibTorch is packed"
  collect_classes
  collect_natives
  collect_jre
  git rev-parse HEAD >"$app/commit"
  for ((piece = 1; piece <= pieces; piece++)); do mkdir -p ".gpu/$piece"; done
  tar -C "$app" -c . | compress >.gpu/1/app.tar.xz
  split --bytes=$chunk --numeric-suffixes=1 --suffix-length=1 "$libtorch" .gpu/libtorch.
  # Full chunks are the pieces that change rarely; the last one fills the first piece.
  mv .gpu/libtorch.1 .gpu/2
  mv .gpu/libtorch.2 .gpu/3
  mv .gpu/libtorch.3 .gpu/1
  for piece in .gpu/?; do
    [ -d "$piece" ] || complain "LibTorch does not fit into $pieces pieces: $(stat -c %s "$libtorch") bytes"
    cp "$here/$script" "$piece"
    stat -c %s "$libtorch" >"$piece/libtorch.bytes"
    (cd "$piece" && sha256sum -- *.* >sums)
    [ "$(du -sb "$piece" | cut -f1)" -le $most ] || complain "$piece has $(du -sb "$piece" | cut -f1) bytes, at most $most"
  done
  du -sb .gpu/?
  say "packed"
}

# --- On the GPU machine ---

unpack() {
  (cd "$here" && sha256sum -c --quiet sums) || complain "$here is damaged: copy it again"
  mkdir -p "$root/chunks"
  cp "$here/$script" "$root"
  cp "$here"/libtorch.[1-9] "$root/chunks"
  if [ -e "$here/app.tar.xz" ]; then
    rm -rf "$root/app"
    mkdir "$root/app"
    decompress <"$here/app.tar.xz" | tar -x -C "$root/app"
    say "Java is there"
  fi
  if [ "$(cat "$root"/chunks/* | wc -c)" = "$(cat "$here/libtorch.bytes")" ]; then
    rm -rf "$root/libtorch"
    mkdir "$root/libtorch"
    cat "$root"/chunks/* | decompress | tar -x -C "$root/libtorch"
    rm "$root"/chunks/*
    say "LibTorch is there"
  fi
}

# LibTorch's own folder comes first: another LibTorch has libraries of the same names. Then CUDA's of Python, and at
# last what the other system may lack.
set_environment() {
  local cuda ours
  cuda=$(python3 -c 'import glob, importlib.util
found = importlib.util.find_spec("nvidia")
print(":".join(sorted(d for f in (found.submodule_search_locations if found else []) for d in glob.glob(f + "/*/lib"))))')
  ours=$root/app/natives/$torch:$root/app/natives/org/bytedeco/openblas/$platform
  export LD_LIBRARY_PATH=$ours:$cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}:$root/app/system
  export OMP_WAIT_POLICY=passive
  ln -sf "$root/libtorch/$torch"/*.so "$root/app/natives/$torch"
}

# Prints what of LibTorch's libraries the linker does not find here.
unresolved() {
  (cd "$root/app/natives/$torch" && ldd -r libtorch.so libtorch_cuda_linalg.so libjnitorch.so libjnitorch_cuda.so 2>&1) |
    grep -E 'not found|undefined' | sort -u || true
}

# Starts class $2 with what follows, for at most $1 seconds.
java_() {
  timeout "$1" "$root/app/jre/bin/java" -Xmx2g -Djava.awt.headless=true -Dorg.bytedeco.javacpp.cachedir="$root/cache" \
    -Dorg.bytedeco.javacpp.maxbytes=0 -Dorg.bytedeco.javacpp.maxphysicalbytes=0 \
    -cp "$root/app/classes:$root/app/natives:$root/app/jars/*" "${@:2}"
}
structkd() { java_ "$1" org.structkd.cli.Main "${@:2}"; }

# Runs tests of class $2; that all were skipped is a failure.
tests() {
  java_ "$1" org.junit.platform.console.ConsoleLauncher execute --select-class "$2" --disable-banner \
    --disable-ansi-colors --details=tree >"$logs/tests.log" && status=0 || status=$?
  cat "$logs/tests.log"
  [ "$status" = 0 ] && ! grep -q '^\[ *0 tests successful' "$logs/tests.log"
}

part() {
  case $1 in
    doctor) structkd 60 doctor ;;
    golden) structkd 90 verify-golden "$root/app/classes/golden/golden.json" --backend cuda ;;
    cuda-it) tests 180 org.structkd.loss.CudaIT ;;
    train) tests 240 org.structkd.run.CudaTrainingIT ;;
    distill)
      rm -rf "$root/run"
      structkd 120 distill --recipe "$root/app/classes/recipe/kernels.yaml" --seeds 1 --out "$root/run" \
        --device "${DEVICE:-cuda}"
      ;;
    bench) java_ 150 org.structkd.bench.BenchMain --device cuda --quick --csv "$logs/java.csv" ;;
  esac
}

run() {
  local what status=0 missing
  [ -d "$root/app" ] && [ -d "$root/libtorch" ] || complain "a piece is missing: unpack all $pieces"
  [ $# -gt 0 ] || set -- "${parts[@]}"
  for what; do
    [[ " ${parts[*]} " = *" $what "* ]] || complain "there is no part $what, there are: ${parts[*]}"
  done
  logs=${OUT:-$root}
  set_environment
  cd "$root"
  nvidia-smi -L 2>/dev/null || echo "java-on-gpu: no driver answers on this machine"
  echo "commit $(cat app/commit)"
  missing=$(unresolved)
  [ -z "$missing" ] || printf 'The linker does not find %d libraries and symbols, such as\n%s\n' \
    "$(wc -l <<<"$missing")" "$(head -n 12 <<<"$missing")"
  for what; do
    if part "$what" >"$logs/$what.log" 2>&1; then say "$what: OK"; else status=1 && say "$what: FAILED"; fi
    tail -n 15 "$logs/$what.log"
  done
  return $status
}

case ${1:-} in
  pack | unpack) "$1" ;;
  run) "$@" ;;
  -h | --help) sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
  *) complain "expected pack, unpack or run; --help says more" ;;
esac
