"""Prints what TensorBoard reads in a folder of runs: run, tag, step and value, a line each."""

import sys

from tensorboard.backend.event_processing import event_multiplexer

runs = event_multiplexer.EventMultiplexer(size_guidance={"tensors": 0, "scalars": 0})
runs.AddRunsFromDirectory(sys.argv[1])
runs.Reload()
for run, content in sorted(runs.Runs().items()):
    for tag in sorted(content["scalars"]):
        for event in runs.Scalars(run, tag):
            print(run, tag, event.step, "%.9g" % event.value)
