#!/bin/sh
# Takes the bundled Landsat scene and its elevation out of Debian's package r-cran-stars again.
#
#   src/main/data/make_landsat.sh
#
# The package (0.6-0-4) is fetched into a temporary folder and not installed. The files stay as they
# are; LandsatTest knows their sums.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
scene=$root/src/main/resources/org/structkd/data/landsat
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

(cd "$build" && apt-get download r-cran-stars)
dpkg-deb -x "$build"/r-cran-stars_*.deb "$build"
for file in L7_ETMs.tif olinda_dem_utm25s.tif; do
  cp "$build/usr/lib/R/site-library/stars/tif/$file" "$scene/$file"
done
ls -l "$scene"
