package org.structkd.recipe;

import org.structkd.objective.AdaptiveLossWeighting;
import org.structkd.objective.WeightSchedule;

/** The weight of a term: a number, or a choice that moves it while training goes on. */
public sealed interface WeightSettings {
  /**
   * Moves of a weight in a whole training where none are given: of 50 parts of a training each is
   * about what an epoch is to the publication of {@link AdaptiveLossWeighting}.
   */
  long STAGES = 50;

  /** {@return the full weight} */
  double weight();

  /**
   * {@return the weight by step}
   *
   * @param steps of the whole training
   */
  WeightSchedule schedule(long steps);

  /**
   * The same weight at every step; written as a number.
   *
   * @param weight 0 or greater
   */
  record Constant(double weight) implements WeightSettings {
    /** Checks the weight. */
    public Constant {
      WeightSchedule.constant(weight);
    }

    @Override
    public WeightSchedule schedule(long steps) {
      return WeightSchedule.constant(weight);
    }
  }

  /**
   * {@code {kind: rising}}: from 0 to the full weight.
   *
   * @param weight at the end
   * @param stages how often it moves
   */
  record Rising(double weight, long stages) implements WeightSettings {
    /** Checks both numbers. */
    public Rising {
      WeightSchedule.constant(weight);
      adaptive(stages, 1);
    }

    /** Moves 50 times. */
    public Rising(double weight) {
      this(weight, STAGES);
    }

    @Override
    public WeightSchedule schedule(long steps) {
      return adaptive(stages, steps).rising(weight);
    }
  }

  /**
   * {@code {kind: falling}}: from the full weight to 0.
   *
   * @param weight at the beginning
   * @param stages how often it moves
   */
  record Falling(double weight, long stages) implements WeightSettings {
    /** Checks both numbers. */
    public Falling {
      WeightSchedule.constant(weight);
      adaptive(stages, 1);
    }

    /** Moves 50 times. */
    public Falling(double weight) {
      this(weight, STAGES);
    }

    @Override
    public WeightSchedule schedule(long steps) {
      return adaptive(stages, steps).falling(weight);
    }
  }

  /**
   * {@code {kind: warmup}}: evenly from near 0 to the full weight, which stays.
   *
   * @param weight after the warm-up
   * @param steps of the warm-up
   */
  record Warmup(double weight, long steps) implements WeightSettings {
    /** Checks both numbers. */
    public Warmup {
      WeightSchedule.warmup(weight, steps);
    }

    @Override
    public WeightSchedule schedule(long steps) {
      return WeightSchedule.warmup(weight, this.steps);
    }
  }

  private static AdaptiveLossWeighting adaptive(long stages, long steps) {
    if (stages < 1) {
      throw new IllegalArgumentException("stages is " + stages + ", expected at least 1");
    }
    return new AdaptiveLossWeighting(stages, Math.max(1, steps / stages));
  }
}
