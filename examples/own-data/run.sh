#!/usr/bin/env bash
# From photographs and a teacher of one's own to a student that colours a photograph: by commands, then from
# Java. Everything that it makes lies in examples/own-data/target.
#
#   examples/own-data/run.sh [STEPS]    300
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ../../tools/common.sh
. ../../tools/setup.sh

steps=${1:-300}

structkd() {
  echo
  echo "\$ ./structkd $*"
  ../../structkd "$@"
}

(setup) # a JDK, if there is none; apart, since with another JAVA_HOME all would be built anew
rm -rf target/run
"$(find_jdk)/bin/java" PaintPhotos.java target/photos
structkd check-data landscapes.yaml
structkd recipes check landscapes.yaml
structkd distill --recipe landscapes.yaml --threads 1 --out target/run --steps "$steps"
structkd evaluate --weights target/run/distilled-1.safetensors
structkd predict target/photos/images/landscape-0000.jpg --weights target/run/distilled-1.safetensors \
  --out target/predicted.png
structkd example own-data "$steps"
