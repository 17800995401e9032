package org.structkd.objective;

/** A weight that never changes: {@link Objective} can tell in advance when all of them are 0. */
record ConstantWeight(double weight) implements WeightSchedule {
  ConstantWeight {
    if (!(weight >= 0 && weight < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          "weight is " + weight + ", expected a finite number of at least 0");
    }
    if (weight > Float.MAX_VALUE || (weight > 0 && weight < Float.MIN_NORMAL)) {
      throw new IllegalArgumentException(
          "weight is %s, expected 0 or what an f32 holds, %s to %s"
              .formatted(weight, Float.MIN_NORMAL, Float.MAX_VALUE));
    }
  }

  @Override
  public double at(long step) {
    return weight;
  }
}
