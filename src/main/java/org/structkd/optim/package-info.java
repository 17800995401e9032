/**
 * How parameters are moved: optimizers with their state, schedules of the learning rate, clipping.
 */
@NullMarked
package org.structkd.optim;

import org.jspecify.annotations.NullMarked;
