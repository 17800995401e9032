"""The adversarial feature loss, restated, where student and teacher have maps of one size."""
import numpy as np

from pieces import case, formula, parameters

WIDTH = 64


def convolved(x, weight, bias, stride=1):
    """Square odd kernels, whose padding keeps the size."""
    padding = weight.shape[2] // 2
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    H, W = ((n - 2 * padding - 1) // stride + 1 for n in x.shape[2:])
    out = 0
    for i, j in np.ndindex(weight.shape[2:]):
        window = x[:, :, i : i + stride * (H - 1) + 1 : stride, j : j + stride * (W - 1) + 1 : stride]
        out = out + np.einsum("oc,bchw->bohw", weight[:, :, i, j], window)
    return out + bias[:, None, None]


def leaky(x):
    return np.where(x.real > 0, x, 0.1 * x)


def adversarial_feature(students, teachers, p, feature_weight, adversarial_weight, regions=None):
    loss = 0
    for scale, (s, t) in enumerate(zip(students, teachers)):
        name = f"discriminators.scale{scale}_"
        g = convolved(s, p[f"connectors.scale{scale}.weight"], np.zeros(t.shape[1]))
        gap = g - t
        gap = np.where(gap.real > 0, gap, -gap)
        x = leaky(convolved(g, p[name + "first.weight"], p[name + "first.bias"]))
        x = leaky(convolved(x, p[name + "second.weight"], p[name + "second.bias"], stride=2))
        judged = convolved(x, p[name + "last.weight"], p[name + "last.bias"])
        loss += feature_weight * gap.mean() - adversarial_weight * judged.mean()
    return loss


def cases():
    for seed, (students, teachers, options) in enumerate([
        ([(2, 3, 3, 4)], [(2, 2, 3, 4)], dict(feature_weight=0.1, adversarial_weight=0.001)),
        ([(2, 2, 4, 3), (2, 3, 2, 1)], [(2, 3, 4, 3), (2, 5, 2, 1)], dict(feature_weight=0.5, adversarial_weight=2.0)),
    ]):
        shapes = {}
        for scale, (s, t) in enumerate(zip(students, teachers)):
            name = f"discriminators.scale{scale}_"
            shapes |= {
                f"connectors.scale{scale}.weight": (t[1], s[1], 1, 1),
                name + "first.weight": (WIDTH, t[1], 3, 3), name + "first.bias": (WIDTH,),
                name + "second.weight": (WIDTH, WIDTH, 3, 3), name + "second.bias": (WIDTH,),
                name + "last.weight": (1, WIDTH, 1, 1), name + "last.bias": (1,),
            }
        p, params = parameters(shapes, amplitude=0.3)
        inputs = {f"S{i}": formula(shape, seed + i + 1) for i, shape in enumerate(students)}
        inputs.update({f"T{i}": formula(shape, seed + i + 4) for i, shape in enumerate(teachers)})
        count = len(students)

        def loss(*maps, **o):
            return adversarial_feature(maps[:count], maps[count:], p, **o)

        yield case(f"adversarial_feature_{seed}", loss, inputs, options, params=params)
