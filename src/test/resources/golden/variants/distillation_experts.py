"""Distillation experts, restated."""
import numpy as np

from pieces import case, expert_error, expert_shapes, formula, gumbel, parameters


def distillation_experts(lists, p, experts=30, begin=1.0, end=1e-10, annealing=10_000, step=0):
    temperature = begin * (end / begin) ** min(1, step / annealing)
    errors = []
    for place, (s, t) in enumerate(lists):
        noise = gumbel(0, step, place, (len(t), experts))
        errors.append(expert_error(s, t, p, "", temperature, noise))
    return np.mean(errors)


def cases():
    for seed, (name, sizes, inner, out, options) in enumerate([
        ("experts", [4], 3, 5, dict(experts=4)),
        ("experts_lists", [5, 3], 2, 6, dict(experts=3, begin=2.0, end=0.5, annealing=10, step=4)),
        ("experts_of_equal_size", [3], 4, 4, dict(experts=2, step=12, annealing=10, end=0.1)),
        ("experts_alone", [4], 3, 2, dict(experts=1, step=2)),
    ]):
        hidden = inner // 2 if inner == out else (inner + out) // 2
        p, params = parameters(expert_shapes("", options["experts"], inner, hidden, out), amplitude=0.6)
        inputs = {f"S{i}": formula((n, inner), seed + i + 1) for i, n in enumerate(sizes)}
        inputs |= {f"T{i}": formula((n, out), seed + i + 5) for i, n in enumerate(sizes)}

        def loss(*tensors, n=len(sizes), p=p, **o):
            return distillation_experts(list(zip(tensors[:n], tensors[n:])), p, **o)

        yield case(name, loss, inputs, options, params=params)
