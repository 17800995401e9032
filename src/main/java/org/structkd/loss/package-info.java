/**
 * The losses of structural knowledge distillation.
 *
 * <p>A loss is a record that checks itself: immutable, to be shared between threads, a pure
 * function of its tensors (and, where it draws samples, of a step). What it learns or remembers
 * lies in a {@link org.structkd.loss.TrainedPart}. {@link org.structkd.loss.Losses} lists all of
 * them. A loss returns one scalar with a {@code grad_fn} that attaches to the caller's {@code
 * PointerScope}; all temporaries are released before it returns. The gradient flows to the student
 * only.
 */
@NullMarked
package org.structkd.loss;

import org.jspecify.annotations.NullMarked;
