#!/bin/sh
# Makes the bundled images, src/main/resources/org/structkd/data/fashion-mnist-subset, again.
#
#   src/main/data/make_subset.sh [DIR]
#
# DIR holds the four IDX files of Fashion-MNIST. Without it they come out of Debian's package
# dataset-fashion-mnist (0.0~git20200523.55506a9-1), fetched into a temporary folder and not
# installed. What is chosen: FashionSubsetMaker. Equal input gives equal bytes with one zlib;
# another zlib may pack the same content in other bytes (FashionSubsetTest checks the content).
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
subset=$root/src/main/resources/org/structkd/data/fashion-mnist-subset
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

if [ $# -gt 0 ]; then
  source=$(cd "$1" && pwd)
else
  (cd "$build" && apt-get download dataset-fashion-mnist)
  dpkg-deb -x "$build"/dataset-fashion-mnist_*.deb "$build"
  source=$build/usr/share/datasets/fashion-mnist
fi

# Only the JDK is needed: the reader knows nothing of LibTorch.
javac -d "$build/classes" -sourcepath "$root/src/main/java:$root/src/test/java" \
  "$root/src/test/java/org/structkd/data/FashionSubsetMaker.java"
java -cp "$build/classes" org.structkd.data.FashionSubsetMaker "$source" "$subset"
ls -l "$subset"
