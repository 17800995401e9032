#!/usr/bin/env python3
"""What several files name has one version: each artifact and plugin of the poms (one project cannot take them from
another that its users lack), LibTorch in Python's requirements, and nvcc, which must be that of the CUDA preset."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POMS = [
    "pom.xml",
    "bench/pom.xml",
    "examples/plain-java/pom.xml",
    "examples/own-data/pom.xml",
    "examples/serving/pom.xml",
]
POM = "{http://maven.apache.org/POM/4.0.0}"


def main():
    versions = defaultdict(lambda: defaultdict(list))  # of what, by version: the files that say so
    for name in POMS:
        project = ElementTree.parse(ROOT / name).getroot()
        properties = {p.tag.removeprefix(POM): p.text for p in project.iterfind(f"{POM}properties/*")}
        properties["project.version"] = project.findtext(f"{POM}version")

        def value_of(text):
            while match := re.search(r"\$\{([\w.]+)\}", text):
                text = text.replace(match[0], properties[match[1]])
            return text

        if name == "pom.xml":
            versions["structkd"][properties["project.version"]].append(name)
        for element in project.iter():
            version = element.findtext(f"{POM}version")
            if element is project or version is None:
                continue
            what = element.findtext(f"{POM}artifactId") or element.tag.removeprefix(POM)
            versions[what][value_of(version)].append(name)

    libtorch = next(iter(versions["pytorch"])).split("-")[0]
    cuda = next(iter(versions["cuda"])).split("-")[0]
    python = (ROOT / "bench/python/requirements-cpu.txt").read_text()
    nvcc = (ROOT / "tools/requirements-nvcc.txt").read_text()
    versions["torch"] = {libtorch: ["pom.xml"]}
    versions["torch"].setdefault(re.search(r"^torch==([\d.]+)", python, re.M)[1], []).append("requirements-cpu.txt")
    versions["nvcc"] = {cuda: ["pom.xml"]}
    versions["nvcc"].setdefault(re.search(r"^nvidia-cuda-nvcc==(\d+\.\d+)", nvcc, re.M)[1], []).append("requirements-nvcc.txt")

    differing = {what: said for what, said in versions.items() if len(said) > 1}
    for what, said in sorted(differing.items()):
        print(f"{what} has several versions: " + "; ".join(f"{v} in {', '.join(files)}" for v, files in said.items()))
    return 1 if differing else 0


sys.exit(main())
