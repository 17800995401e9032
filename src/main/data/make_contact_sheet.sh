#!/bin/sh
# Draws docs/images/fashion-scenes.png: the first 8 scenes of each split and their labels.
#
#   src/main/data/make_contact_sheet.sh
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# Only the JDK is needed: composing scenes knows nothing of LibTorch.
javac -d "$build" -sourcepath "$root/src/main/java:$root/src/test/java" \
  "$root/src/test/java/org/structkd/data/ContactSheet.java"
java -cp "$build:$root/src/main/resources" org.structkd.data.ContactSheet \
  "$root/docs/images/fashion-scenes.png"
