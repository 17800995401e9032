package org.structkd.bench;

import org.structkd.loss.FeatureLoss;

/**
 * What a provider runs on one size.
 *
 * @param timed what is measured
 * @param truth the same function: evaluated in f64 it says what is right
 * @param truthName providers of a case with the same name share the result
 */
record Contender(Computation timed, FeatureLoss truth, String truthName) {}
