package org.structkd.optim;

import java.util.List;

/** The factor of the rate at each step: a decay, and a linear warm-up over the first steps. */
public sealed interface Schedule {
  /** {@return steps until the full rate; 0 for none} */
  long warmup();

  /**
   * {@return the factor without the warm-up, 0 to 1}
   *
   * @param step counted from 0, less than {@code steps}
   * @param steps of the whole training
   */
  double decay(long step, long steps);

  /**
   * {@return the factor of the rate: {@link #decay} times min(1, (step + 1) / warmup)}
   *
   * @param step counted from 0, less than {@code steps}
   * @param steps of the whole training
   */
  default double at(long step, long steps) {
    return decay(step, steps) * (step < warmup() ? (step + 1) / (double) warmup() : 1);
  }

  /** {@return polynomial decay with power 0.9, without warm-up} */
  static Poly poly() {
    return new Poly();
  }

  /** Checks a warm-up. */
  private static void requireWarmup(long warmup) {
    if (warmup < 0) {
      throw new IllegalArgumentException("warm-up must be 0 steps or more but is " + warmup);
    }
  }

  /** Checks a factor. */
  private static void requireFactor(String name, double value) {
    if (!(value >= 0 && value <= 1)) { // also refuses NaN
      throw new IllegalArgumentException(name + " must be 0 to 1 but is " + value);
    }
  }

  /**
   * The full rate all the time.
   *
   * @param warmup steps until the full rate; 0 for none
   */
  record Constant(long warmup) implements Schedule {
    /** Checks the warm-up. */
    public Constant {
      requireWarmup(warmup);
    }

    /** Without warm-up. */
    public Constant() {
      this(0);
    }

    @Override
    public double decay(long step, long steps) {
      return 1;
    }
  }

  /**
   * {@code (1 - step / steps)^power}. Power 0.9 is that of SKD and most segmentation work since
   * L.-C. Chen et al., "DeepLab", 2018.
   *
   * @param power 0 (constant) or greater
   * @param warmup steps until the full rate; 0 for none
   */
  record Poly(double power, long warmup) implements Schedule {
    /** Checks the numbers. */
    public Poly {
      requireWarmup(warmup);
      if (!(power >= 0 && power < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException(
            "power of the decay must be 0 or greater and finite but is " + power);
      }
    }

    /** Power 0.9, without warm-up. */
    public Poly() {
      this(0.9, 0);
    }

    @Override
    public double decay(long step, long steps) {
      return Math.pow(1 - step / (double) steps, power);
    }
  }

  /**
   * {@code least + (1 - least) (1 + cos(pi step / steps)) / 2}, without restarts. Source: I.
   * Loshchilov, F. Hutter, "SGDR", ICLR 2017.
   *
   * @param least factor that it falls to, 0 to 1
   * @param warmup steps until the full rate; 0 for none
   */
  record Cosine(double least, long warmup) implements Schedule {
    /** Checks the numbers. */
    public Cosine {
      requireWarmup(warmup);
      requireFactor("least factor", least);
    }

    /** Down to 0, without warm-up. */
    public Cosine() {
      this(0, 0);
    }

    @Override
    public double decay(long step, long steps) {
      return least + (1 - least) * (1 + Math.cos(Math.PI * step / steps)) / 2;
    }
  }

  /**
   * {@code factor^floor(step / every)}.
   *
   * @param every steps of one rate, 1 or more
   * @param factor of the rate each time, 0 to 1
   * @param warmup steps until the full rate; 0 for none
   */
  record Step(long every, double factor, long warmup) implements Schedule {
    /** Checks the numbers. */
    public Step {
      requireWarmup(warmup);
      requireFactor("factor", factor);
      if (every < 1) {
        throw new IllegalArgumentException("every must be 1 step or more but is " + every);
      }
    }

    /** Without warm-up. */
    public Step(long every, double factor) {
      this(every, factor, 0);
    }

    @Override
    public double decay(long step, long steps) {
      return Math.pow(factor, step / every);
    }
  }

  /**
   * {@code factor^(how many of the steps at have come)}.
   *
   * @param at steps from which on the rate is lower, rising
   * @param factor of the rate each time, 0 to 1
   * @param warmup steps until the full rate; 0 for none
   */
  record Milestones(List<Long> at, double factor, long warmup) implements Schedule {
    /** Checks the numbers. */
    public Milestones {
      requireWarmup(warmup);
      requireFactor("factor", factor);
      at = List.copyOf(at);
      long before = 0;
      for (long step : at) {
        if (step <= before) {
          throw new IllegalArgumentException("milestones must rise from 1 on but are " + at);
        }
        before = step;
      }
    }

    /** Without warm-up. */
    public Milestones(List<Long> at, double factor) {
      this(at, factor, 0);
    }

    @Override
    public double decay(long step, long steps) {
      return Math.pow(factor, at.stream().filter(milestone -> milestone <= step).count());
    }
  }
}
