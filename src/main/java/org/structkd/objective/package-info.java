/**
 * What a training step minimises: a weighted sum of named terms, with a breakdown per step.
 *
 * <p>A {@link org.structkd.objective.Term} wires the roles of a loss to named outputs ("taps") of
 * student and teacher in {@link org.structkd.objective.StepInputs}; an {@link
 * org.structkd.objective.Objective} adds terms up under weights that may follow a {@link
 * org.structkd.objective.WeightSchedule}. Everything is immutable and may be shared between
 * threads.
 */
@NullMarked
package org.structkd.objective;

import org.jspecify.annotations.NullMarked;
