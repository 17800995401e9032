package org.structkd.bench;

import org.junit.jupiter.api.Test;

/** A step has every loss of cases.json, and both providers compute the same of it. */
class TrainingStepTest {
  @Test
  void providersAgreeOnEveryMeasuredLoss() {
    new TrainingStep(2, 64, 128).requireEqualProviders();
  }
}
