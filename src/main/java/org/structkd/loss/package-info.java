/**
 * The losses of structural knowledge distillation.
 *
 * <p>A loss is immutable, may be shared between threads, is configured by a record that checks
 * itself, and is a pure function of its tensors (and, where it draws samples, of a step). It
 * returns one scalar with a {@code grad_fn} that attaches to the caller's {@code PointerScope}; all
 * temporaries are released before it returns. The gradient flows to the student only.
 */
@NullMarked
package org.structkd.loss;

import org.jspecify.annotations.NullMarked;
