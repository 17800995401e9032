#!/usr/bin/env bash
# The class, source and javadoc jars of target/ have the same bytes when built again from another folder.
# (The native jar is not promised: JavaCPP generates its bridge in the order of reflection.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh

copy=target/reproducible
rm -rf "$copy"
mkdir -p "$copy"
cp pom.xml "$copy"
mkdir "$copy/src"
cp -r src/main "$copy/src"
(cd "$copy" && mvn -B -q --no-transfer-progress package -Dnative.skip -DskipTests)

result=0
for jar in "$copy"/target/*.jar; do
  case $jar in
    *-linux-x86_64.jar) ;;
    *) cmp "$jar" "target/$(basename "$jar")" && echo "$(basename "$jar"): same bytes" || result=1 ;;
  esac
done
exit "$result"
