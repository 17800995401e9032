"""The losses by their ids: a module of this folder each, which has

    ours(student, teacher)         the operator, in the variant that is measured
    fast(student, teacher)         optional: the same in its fast mode
    eager(student, teacher)        the formula composed of PyTorch operators, as one writes it best
    authors(student, teacher)      the formula as the publications' code has it
    in_little_memory(...)          optional: in f64 the truth where eager would not fit
    without_draw(way, sizes, device, index)     optional: a way of the above without what it draws at random
    golden(student, teacher, options)           the loss of a golden case, or None if the operator alone cannot tell
    variants(device)               (name, shape, ours, eager) of all that must agree
    MANNERS_SHAPE                  the size of maps on which a kernel shows its manners
    manners(student, teacher)      optional: what is called for that, if not ours
    checks(device)                 optional: (name, check) of its own; a check returns what is wrong, or None
"""

import importlib
import pkgutil

ALL = {module.name: importlib.import_module(f"losses.{module.name}") for module in pkgutil.iter_modules(__path__)}
