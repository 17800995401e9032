"""Hierarchical topology distillation, restated: pair by pair. Means are constant for the gradient."""
import numpy as np

from pieces import case, expert_error, expert_shapes, formula, gumbel, length, parameters


def cosine(a, b):
    return a @ b / (length(a, 0)[0] * length(b, 0)[0])


def groups(t, p, prefix, first):
    return [first + int(np.argmax(p[prefix + "gate_weight"] @ row + p[prefix + "gate_bias"])) for row in t]


def first_of_each(rows, names):
    return rows if names is None else rows[[i for i, name in enumerate(names) if name not in names[:i]]]


def hierarchical_topology(
    su, si, tu, ti, p, users=None, items=None, preset=None, groups_=0, balance=0.5, temperature=0.1, step=0
):
    su, tu = (first_of_each(x, users) for x in (su, tu))
    si, ti = (first_of_each(x, items) for x in (si, ti))
    s, t = np.concatenate([su, si]), np.concatenate([tu, ti])
    z = groups(tu, p, "user_", 0) + groups(ti, p, "item_", groups_)
    topology = 0
    for i in range(len(s)):
        for j in range(len(s)):
            of_teacher = cosine(t[i], t[j])
            if z[i] == z[j] and of_teacher > 0:
                topology = topology + (cosine(s[i], s[j]) - of_teacher) ** 2
        for g in set(z):
            members = [k for k in range(len(s)) if z[k] == g]
            mean_s, mean_t = s[members].real.mean(0), t[members].mean(0)
            topology = topology + (cosine(mean_s, s[i]) - cosine(mean_t, t[i])) ** 2
    assignment = 0
    for stream, (prefix, x, y) in enumerate([("user_", su, tu), ("item_", si, ti)]):
        noise = gumbel(0, step, stream, (len(y), groups_))
        assignment = assignment + expert_error(x, y, p, prefix, temperature, noise)
    return balance * topology + (1 - balance) * assignment


def cases():
    for seed, (name, inner, out, users, items, options) in enumerate([
        ("topology", 3, 5, None, None, dict(preset="second_as_given", groups=2)),
        ("topology_alone", 2, 4, None, None, dict(preset="second_as_given", groups=3, balance=1.0, step=3)),
        ("topology_unique", 4, 3, [7, 2, 7, 2, 9], [1, 1, 4, 0, 4], dict(preset="second", groups=2, temperature=0.7)),
    ]):
        count, hidden = options["groups"], (inner + out) // 2
        shapes = expert_shapes("user_", count, inner, hidden, out)
        p, params = parameters(shapes | expert_shapes("item_", count, inner, hidden, out), amplitude=0.6)
        inputs = {"S.user_embedding": formula((5, inner), seed + 1), "S.item_embedding": formula((5, inner), seed + 2)}
        inputs |= {"T.user_embedding": formula((5, out), seed + 5), "T.item_embedding": formula((5, out), seed + 6)}
        if users:
            inputs |= {"users": users, "items": items}

        def loss(su, si, tu, ti, users=None, items=None, groups=0, p=p, **o):
            names = [None if x is None else list(x) for x in (users, items)]
            return hierarchical_topology(su, si, tu, ti, p, *names, groups_=groups, **o)

        yield case(name, loss, inputs, options, params=params)
