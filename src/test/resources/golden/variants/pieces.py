"""What the restated losses share.

Every loss is written for complex numbers, so that the exact derivative by x_i is Im loss(x + 1e-30 i e_i) / 1e-30: no
second formula, and no rounding of differences. Decisions, such as where a maximum lies, look at the real part.
"""
import numpy as np

STEP = 1e-30


def formula(shape, seed):
    """An input that the case describes by four numbers: x[i] = a sin(b i + c) + d."""
    return dict(shape=list(shape), a=1.0 + seed % 3, b=0.37 + 0.11 * seed, c=0.2 * seed, d=0.1)


def array(described):
    if isinstance(described, list):
        return np.array(described)
    index = np.arange(np.prod(described["shape"]))
    x = described["a"] * np.sin(described["b"] * index + described["c"]) + described["d"]
    return x.reshape(described["shape"])


def case(name, loss, inputs, options=None, large=False, **others):
    """A case with value and gradients.

    `loss` is called with the arrays of `inputs`, in their order, and with `options` by name. Its gradients are those by
    inputs whose name begins with S. Of large ones the case keeps sums and the first values.
    """
    options = options or {}
    arrays = {key: array(value) for key, value in inputs.items()}
    learned = [key for key in arrays if key.startswith("S")]
    arrays.update({key: arrays[key].astype(complex) for key in learned})
    stored = {"loss": float(np.real(loss(*arrays.values(), **options)))}
    gradients = {key: gradient(loss, arrays, key, options, large) for key in learned}
    return dict(name=name, options=options, inputs=inputs, out_f64=stored, grad=gradients, **others)


def gradient(loss, arrays, key, options, large):
    grad = np.zeros(arrays[key].size)
    for i in range(grad.size):
        moved = arrays[key].copy()
        moved.flat[i] += STEP * 1j
        grad[i] = np.imag(loss(*(arrays | {key: moved}).values(), **options)) / STEP
    stored = {"shape": list(arrays[key].shape)}
    if large:
        stored.update(sum=grad.sum(), abs_sum=np.abs(grad).sum(), first=list(grad[:8]))
    else:
        stored["values"] = list(grad)
    return stored


def log_softmax(z, axis):
    shifted = z - np.max(z.real, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def length(x, axis):
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=True))


def resized(x, height, width):
    """[B, C, H, W], bilinear, corners not aligned, edges repeated."""
    return np.einsum("bchw,ih,jw->bcij", x, weights(x.shape[2], height), weights(x.shape[3], width))


def weights(old, new):
    """The share of each old position in each new one."""
    table = np.zeros((new, old))
    for i in range(new):
        at = max((i + 0.5) * old / new - 0.5, 0)
        low = int(at)
        table[i, low] += 1 - (at - low)
        table[i, min(low + 1, old - 1)] += at - low
    return table


def relu(x):
    return np.where(x.real > 0, x, 0)


def normalize(x, axis):
    """F.normalize, for what is not 0."""
    return x / length(x, axis)


def parameters(shapes, amplitude=0.3, constants=None):
    """Parameters of what a loss trains or keeps: arrays by name, and how the case describes them.

    `shapes` are shapes by name in an order; `constants` are values by what names end with.
    """
    constants = constants or {}
    arrays = {}
    for k, (name, shape) in enumerate(shapes.items()):
        index = np.arange(np.prod(shape))
        arrays[name] = (amplitude * np.sin(0.5 * index + 0.07 * k)).reshape(shape)
        for ending, value in constants.items():
            if name.endswith(ending):
                arrays[name] = np.full(shape, float(value))
    fill = "; ".join([f"{amplitude}*sin(0.5*i+0.07*k)"] + [f"{name}={value}" for name, value in constants.items()])
    return arrays, dict(param_order=[[name, list(shape)] for name, shape in shapes.items()], param_fill=fill)


def standardized(x, axis):
    """Mean 0 and deviation 1, of the deviation of n - 1; 1e-7 as in the code of logit standardisation."""
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return centered / (length(centered, axis) / np.sqrt(x.shape[axis] - 1) + 1e-7)


# What losses draw.

WORD = 2**64


def bits(key, counter):
    """SplitMix64, started at the key."""
    z = (key + (counter + 1) * 0x9E3779B97F4A7C15) % WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def uniform(seed, step, stream, shape):
    key = bits(bits(seed, step), stream)
    return np.array([((bits(key, i) >> 11) + 0.5) / 2**53 for i in range(np.prod(shape))]).reshape(shape)


def gumbel(seed, step, stream, shape):
    return -np.log(-np.log(uniform(seed, step, stream, shape)))


def normal(seed, step, stream, shape):
    radius = np.sqrt(-2 * np.log(uniform(seed, step, stream, shape)))
    return radius * np.cos(2 * np.pi * uniform(seed, step, stream + 1, shape))


# Rankings of items.


def candidates(scores, rated):
    return np.ones(scores.shape, bool) if rated is None else rated == 0


def best(scores, allowed, count):
    """The allowed items of a row, the highest score first."""
    order = sorted(np.flatnonzero(allowed), key=lambda i: -scores[i].real)
    return order[:count]


def drawn(weights, allowed, count, noise):
    """Items of a row without replacement, in proportion to weights, by Gumbel noise."""
    possible = [i for i in np.flatnonzero(allowed) if weights[i] > 0]
    return sorted(possible, key=lambda i: -(np.log(weights[i]) + noise[i]))[:count]


def ranks(scores, allowed):
    """1 for the best of the allowed items of a row; others have none."""
    rank = np.zeros(len(scores))
    for place, item in enumerate(best(scores, allowed, len(scores))):
        rank[item] = place + 1
    return rank


def cross_entropy(s, t, items, temperature):
    wanted = 1 / (1 + np.exp(-t / temperature))
    return sum(np.log(1 + np.exp(s[i])) - s[i] * wanted[i] for i in items)


# Experts that guess the teacher's embeddings.


def expert_shapes(prefix, count, inner, hidden, out):
    return {
        prefix + "gate_weight": (count, out),
        prefix + "gate_bias": (count,),
        prefix + "first_weight": (count, inner, hidden),
        prefix + "first_bias": (count, 1, hidden),
        prefix + "second_weight": (count, hidden, out),
        prefix + "second_bias": (count, 1, out),
    }


def expert_error(s, t, p, prefix, temperature, noise):
    """The sum over embeddings of the squared distance between t and the mixture of the experts."""
    w = {name: p[prefix + name] for name in ("gate_weight", "gate_bias", "first_weight", "first_bias")}
    second, bias = p[prefix + "second_weight"], p[prefix + "second_bias"]
    error = 0
    for n in range(len(t)):
        chances = np.exp(log_softmax(w["gate_weight"] @ t[n] + w["gate_bias"], 0))
        z = np.exp(log_softmax((np.log(chances + 1e-10) + noise[n]) / temperature, 0))
        guess = 0
        for m in range(len(z)):
            hidden = s[n] @ w["first_weight"][m] + w["first_bias"][m, 0]
            guess = guess + z[m] * (np.where(hidden.real > 0, hidden, 0) @ second[m] + bias[m, 0])
        error = error + np.sum((t[n] - guess) ** 2)
    return error
