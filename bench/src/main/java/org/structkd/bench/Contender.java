package org.structkd.bench;

import org.bytedeco.pytorch.global.torch.DeviceType;
import org.structkd.loss.MapLoss;

/**
 * What a provider runs on one size.
 *
 * @param timed what is measured
 * @param truth the same function: evaluated in f64 it says what is right
 * @param truthName providers of a case with the same name share the result; empty: nobody does
 * @param leanTruth the same in little memory, for a GPU's sizes
 */
record Contender(Computation timed, MapLoss truth, String truthName, MapLoss leanTruth) {
  Contender(Computation timed, MapLoss truth, String truthName) {
    this(timed, truth, truthName, truth);
  }

  /** The truth of other inputs is nobody else's. */
  Contender underAutocast(DeviceType device) {
    return new Contender(timed.underAutocast(device), truth, "", leanTruth);
  }
}
