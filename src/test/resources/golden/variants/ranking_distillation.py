"""Ranking distillation, restated."""
import numpy as np

from pieces import best, candidates, case, drawn, formula, gumbel


def ranking_distillation(
    S, T, rated=None, preset=None, top=10, sharpness=1.0, slope=0.1, samples=100, start=1000, seed=0, step=0
):
    users, items = S.shape
    if preset == "by_position":
        samples = 0
    noise = gumbel(seed, step, 0, S.shape)
    allowed = candidates(S, rated)
    a = np.exp(-np.arange(1, top + 1) / sharpness)
    a = a / a.sum()
    loss = 0
    for u in range(users):
        sample = drawn(np.ones(items), allowed[u], samples, noise[u])
        for k, item in enumerate(best(T[u], allowed[u], top)):
            b = 1
            if samples > 0 and step >= start:
                above = sum(S[u, j].real > S[u, item].real for j in sample)
                b = max(0, np.tanh(slope * (items * above // len(sample) - k)))
            loss = loss + a[k] * b * np.log(1 + np.exp(-S[u, item]))
    return loss / users


def cases():
    rated = [[0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0], [1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1], [0] * 11]
    for seed, (name, options) in enumerate([
        ("ranking_by_position", dict(preset="by_position", top=4, sharpness=2.0)),
        ("ranking_all", dict(preset="by_position", top=20)),
        ("ranking_discrepancy", dict(preset="released", top=5, slope=0.3, samples=7, start=2, seed=3, step=5)),
        ("ranking_before_start", dict(preset="released", top=3, start=9, step=8)),
    ]):
        inputs = {"S": formula((3, 11), seed + 2), "T": formula((3, 11), seed + 6)}
        if options["preset"] == "released":
            inputs["rated"] = rated
        yield case(name, ranking_distillation, inputs, options)
