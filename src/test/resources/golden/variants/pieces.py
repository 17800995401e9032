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
