# Builds what is out of date, and starts java. Sourced after common.sh and setup.sh.
#
# A stamp (a hash of sources and settings) tells whether a build is needed: Maven alone takes ten seconds
# to find out that there is nothing to do.

launch=target/launch # stamp, class path and java of the last build

hash_of_sources() {
  echo "$(hash_files pom.xml cppbuild.sh tools/libtorch.sh tools/nvcc.sh src/main)" \
    "${JAVA_HOME:-} ${CXX:-} ${LIBTORCH_HOME:-}"
}

# True if folder $1 holds the result of a build with stamp $2 that still can start.
is_current() {
  local jar jars
  [ "$(cat "$1/stamp" 2>/dev/null)" = "$2" ] && [ -x "$(cat "$1/java")" ] || return 1
  IFS=: read -ra jars <"$1/classpath" || true
  for jar in "${jars[@]}"; do [ -e "$jar" ] || return 1; done
}

# Quiet unless it fails: Maven's own reports are for people who call Maven.
maven() {
  "${MAVEN:-mvn}" -B -q --no-transfer-progress "$@" ||
    fail "the build failed; without a network, the first build cannot fetch its dependencies"
}

# Writes what is needed to start java later: $1 folder, $2 stamp; further arguments go to Maven.
record_launch() {
  local folder=$1 stamp=$2
  shift 2
  maven "$@" dependency:build-classpath -Dmdep.outputFile="$PWD/$folder/classpath" \
    -DincludeScope=runtime
  echo "$JAVA_HOME/bin/java" >"$folder/java"
  echo "$stamp" >"$folder/stamp"
}

# Compiles the library and its natives into target/classes.
build() {
  local stamp
  stamp=$(hash_of_sources)
  if is_current "$launch" "$stamp"; then return; fi
  mkdir -p "$launch"
  exec 9>"$launch/lock"
  flock 9 # a second terminal waits, and then finds the work done
  if ! is_current "$launch" "$stamp"; then
    setup
    echo "structkd: building" >&2
    rm -f "$launch/stamp"
    record_launch "$launch" "$stamp" process-classes >&2
  fi
  exec 9>&-
}

# True if a command's arguments ask for tensors of a GPU.
asks_for_cuda() { [[ " $* " =~ \ --(device[=\ ]cuda(:[0-9]+)?|backend[=\ ]cuda)\  ]]; }

# Beside what build makes, what CUDA tensors need, in a launch folder of its own: LibTorch for GPUs (460 MB, fetched
# once) and our kernels for this machine's GPU.
build_for_gpu() {
  local stamp libraries
  build
  stamp="$(hash_of_sources) gpu"
  launch=target/launch-gpu
  libraries=$launch/classes/org/structkd/linux-x86_64
  if is_current "$launch" "$stamp"; then return; fi
  mkdir -p "$libraries"
  exec 9>"$launch/lock"
  flock 9
  if ! is_current "$launch" "$stamp"; then
    setup
    echo "structkd: building for this GPU" >&2
    rm -f "$launch/stamp"
    build_kernels native
    cp target/gpu-native/lib/libstructkd{_cuda,_torch_cuda}.so "$libraries"
    record_launch "$launch" unfinished -Pgpu >&2
    printf ':%s' "$PWD/$launch/classes" >>"$launch/classpath"
    echo "$stamp" >"$launch/stamp"
  fi
  exec 9>&-
}

# Builds the kernels for GPUs of one compute capability, such as 90, or of this machine's.
build_kernels() {
  mkdir -p target/launch
  ./cppbuild.sh target/gpu-native -DSTRUCTKD_CUDA=ON -DSTRUCTKD_CUDA_ARCHITECTURES="$1" >target/launch/kernels.log 2>&1 ||
    { tail -n 20 target/launch/kernels.log >&2; fail "the kernels cannot be built: target/launch/kernels.log"; }
}

# Starts main class $3 from classes in folder $2, with the class path recorded in folder $1, where the user
# stands.
start() {
  local folder=$PWD/$1 classes=$PWD/$2 main=$3 root=$PWD
  shift 3
  cd "$caller"
  # LibTorch's memory is not on Java's heap: JavaCPP must not hold it against the heap's limit.
  exec "$(cat "$folder/java")" -Dorg.bytedeco.javacpp.maxbytes=0 \
    -Dorg.bytedeco.javacpp.maxphysicalbytes=0 -Dstructkd.root="$root" -cp "$classes:$(cat "$folder/classpath")" "$main" "$@"
}

# True if a command's arguments ask what it does: then nothing is built anew.
asks_for_help() { [[ " $* " =~ " -h "|" --help " ]]; }

# Builds the project in folder $1, which uses the library as any user would: from the local Maven repository.
# maven_profile, such as -Pgpu, is for both builds.
build_project() {
  local project=$1 stamp library launch=$1/target/launch profile=${maven_profile:-}
  stamp="$(hash_of_sources) $(hash_files "$project") $profile"
  if is_current_project "$launch" "$stamp"; then return; fi
  mkdir -p target/launch "$launch"
  exec 9>target/launch/lock
  flock 9
  if ! is_current_project "$launch" "$stamp"; then
    setup
    echo "structkd: building the library and $project" >&2
    rm -f "$launch/stamp"
    library="$(hash_of_sources) $profile"
    is_installed "$library" ||
      maven install $profile -Dmaven.test.skip -Dmaven.javadoc.skip -Dspotless.check.skip >&2
    record_launch "$launch" "$stamp" $profile -f "$project/pom.xml" package -Dmaven.test.skip >&2
    hash_installed "$launch" >"$launch/library"
    printf '%s\n' "$library" "$launch" >target/launch/installed
  fi
  exec 9>&-
}

# Builds the project in folder $1 and starts it. Its pom names the class to start in the property main.class.
start_project() {
  local project=$1 main launch=$1/target/launch
  shift
  [ -e "$project/pom.xml" ] || fail "there is no project $project in this version"
  { asks_for_help "$@" && [ -e "$launch/stamp" ]; } || build_project "$project"
  main=$(sed -n 's:.*<main.class>\(.*\)</main.class>.*:\1:p' "$project/pom.xml")
  start "$launch" "$project/target/classes" "$main" "$@"
}

# The local Maven repository serves all checkouts: another one may have installed its library since.
is_current_project() {
  is_current "$1" "$2" && [ "$(cat "$1/library" 2>/dev/null)" = "$(hash_installed "$1")" ]
}

# True if the last project that was built found the library of stamp $1 in the local repository, and it is
# still there.
is_installed() {
  local stamp by
  { IFS= read -r stamp && IFS= read -r by; } 2>/dev/null <target/launch/installed || return 1
  [ "$stamp" = "$1" ] && [ "$(cat "$by/library" 2>/dev/null)" = "$(hash_installed "$by")" ]
}

# One hash over our own jars on the class path of folder $1.
hash_installed() {
  tr : '\n' <"$1/classpath" | grep /org/structkd/ | xargs sha256sum | sha256sum | cut -d' ' -f1
}
