/**
 * Training: {@link org.structkd.train.Distiller} runs an objective over batches, with checkpoints
 * from which a killed run continues bit for bit.
 *
 * <p>What happens is told to {@link org.structkd.train.TrainingListener}s: progress bars, logs and
 * files of the best weights are all of them. All randomness is a function of seed and step, so a
 * checkpoint needs no state of a generator.
 */
@NullMarked
package org.structkd.train;

import org.jspecify.annotations.NullMarked;
