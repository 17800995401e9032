package org.structkd.train;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.structkd.compress.Pruning;
import org.structkd.compress.Quantization;
import org.structkd.internal.Settings;
import org.structkd.internal.Words;
import org.structkd.optim.Adam;
import org.structkd.optim.Optimizer;
import org.structkd.optim.Schedule;

/**
 * How long to train, how each step moves the weights, and what to do on the way.
 *
 * @param steps of the whole training, 1 or more
 * @param optimizer of the student, and of the parts of losses that learn with it
 * @param schedule factor of every optimizer's rate, by step
 * @param clipNorm largest norm of the gradient that the student's optimizer sees, of all its
 *     parameters together; 0 for any
 * @param accumulate batches that a step takes the mean of, 1 or more: step t takes those of the
 *     source's steps t * accumulate to (t + 1) * accumulate - 1
 * @param ema share that a step keeps of the average of the student's weights ({@link
 *     org.structkd.optim.WeightAverage}), less than 1; 0 for no average. With one, the average is
 *     what is evaluated and what the student has after its training
 * @param evaluateEvery steps between evaluations; 0 for none. Goes with {@link
 *     Distiller#withEvaluation}
 * @param checkpointEvery steps between checkpoints; 0 for none but the last. Goes with {@link
 *     Distiller#withCheckpoint}
 * @param pruning which of the student's weights or channels are set to 0 on the way; null: none
 * @param quantization how the student's numbers are rounded while it trains; null: not at all
 * @param precision what student and teachers compute with
 * @param earlyStop when a training that gets no better ends before its last step; null: never. Goes
 *     with evaluations, and not with pruning or quantisation that begins on the way
 * @param keepBest whether the student has the weights of its best evaluation after its training,
 *     instead of its last ones; goes with the same
 * @param recomputeActivations whether the student keeps only what its stages give, and computes
 *     their insides again in backward: less memory, more time, the same bits. For networks that
 *     have stages
 */
public record TrainingConfig(
    long steps,
    Optimizer optimizer,
    Schedule schedule,
    double clipNorm,
    int accumulate,
    double ema,
    long evaluateEvery,
    long checkpointEvery,
    @Nullable Pruning pruning,
    @Nullable Quantization quantization,
    Precision precision,
    @Nullable EarlyStop earlyStop,
    boolean keepBest,
    boolean recomputeActivations) {
  /** Checks the numbers. */
  public TrainingConfig {
    Objects.requireNonNull(optimizer, "optimizer");
    Objects.requireNonNull(schedule, "schedule");
    Objects.requireNonNull(precision, "precision");
    if (steps < 1) {
      throw new IllegalArgumentException("steps must be 1 or more but is " + steps);
    }
    if (!(clipNorm >= 0 && clipNorm < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          "clipNorm is " + clipNorm + ", expected a finite norm, or 0 to clip none");
    }
    if (accumulate < 1 || accumulate > Long.MAX_VALUE / steps) {
      throw new IllegalArgumentException(
          "accumulate is %s, expected 1 or more batches, and with %s steps less than 2^63 in all"
              .formatted(accumulate, steps));
    }
    if (!(ema >= 0 && ema < 1)) {
      throw new IllegalArgumentException(
          "ema is " + ema + ", expected less than 1, or 0 for no average");
    }
    requireInterval("evaluateEvery", evaluateEvery);
    requireInterval("checkpointEvery", checkpointEvery);
    if (pruning != null && pruning.end() > steps) {
      throw new IllegalArgumentException(
          "pruning ends after %s steps, expected at most those of the training, %s"
              .formatted(pruning.end(), steps));
    }
    if (quantization != null && quantization.begin() >= steps) {
      throw new IllegalArgumentException(
          "quantization begins after %s steps, expected less than those of the training, %s"
              .formatted(quantization.begin(), steps));
    }
    if (quantization != null && precision != Precision.F32) {
      throw new IllegalArgumentException(
          "precision is %s, expected f32 with quantization: bf16 cannot tell the products of 8-bit"
                  .formatted(Words.of(precision))
              + " numbers");
    }
    if (earlyStop != null) {
      requireComparable("earlyStop", steps, evaluateEvery, pruning, quantization);
    }
    if (keepBest) {
      requireComparable("keepBest", steps, evaluateEvery, pruning, quantization);
    }
    if (quantization != null && recomputeActivations) {
      throw new IllegalArgumentException(
          "recomputeActivations is true, expected false with quantization: ranges follow what"
              + " layers get, and would see it twice");
    }
  }

  /** A training in f32 without pruning and quantisation. */
  public TrainingConfig(
      long steps,
      Optimizer optimizer,
      Schedule schedule,
      double clipNorm,
      int accumulate,
      double ema,
      long evaluateEvery,
      long checkpointEvery) {
    this(
        steps,
        optimizer,
        schedule,
        clipNorm,
        accumulate,
        ema,
        evaluateEvery,
        checkpointEvery,
        null,
        null,
        Precision.F32,
        null,
        false,
        false);
  }

  /** There must be evaluations, all of the kind of network that the training shall end with. */
  private static void requireComparable(
      String name,
      long steps,
      long evaluateEvery,
      @Nullable Pruning pruning,
      @Nullable Quantization quantization) {
    if (evaluateEvery < 1 || evaluateEvery > steps) {
      throw new IllegalArgumentException(
          "evaluateEvery is %s, expected 1 to %s, the steps of the training, with %s, which goes by"
                  .formatted(evaluateEvery, steps, name)
              + " evaluations on the way");
    }
    if (pruning != null && pruning.end() > 0 || quantization != null && quantization.begin() > 0) {
      throw new IllegalArgumentException(
          "%s is given, expected none where the training prunes, or quantises later than from its"
                  .formatted(name)
              + " first step on: its best evaluation may be of a network before that");
    }
  }

  private static void requireInterval(String name, long steps) {
    if (steps < 0) {
      throw new IllegalArgumentException(name + " is " + steps + ", expected 0 or more steps");
    }
  }

  /**
   * {@return a training by Adam with polynomial decay of power 0.9, and nothing else}
   *
   * @param steps of the whole training
   * @param rate of the first step
   */
  public static TrainingConfig of(long steps, double rate) {
    return new TrainingConfig(steps, new Adam(rate), Schedule.poly(), 0, 1, 0, 0, 0);
  }

  /** {@return the same with another optimizer} */
  public TrainingConfig withOptimizer(Optimizer other) {
    return Settings.with(this, "optimizer", other);
  }

  /** {@return the same with another schedule} */
  public TrainingConfig withSchedule(Schedule other) {
    return Settings.with(this, "schedule", other);
  }

  /** {@return the same with gradients clipped at a norm} */
  public TrainingConfig withClipNorm(double norm) {
    return Settings.with(this, "clipNorm", norm);
  }

  /** {@return the same with several batches for each step} */
  public TrainingConfig withAccumulate(int batches) {
    return Settings.with(this, "accumulate", batches);
  }

  /** {@return the same with an average of the weights} */
  public TrainingConfig withEma(double share) {
    return Settings.with(this, "ema", share);
  }

  /** {@return the same with an evaluation after every so many steps} */
  public TrainingConfig withEvaluateEvery(long interval) {
    return Settings.with(this, "evaluateEvery", interval);
  }

  /** {@return the same with a checkpoint after every so many steps} */
  public TrainingConfig withCheckpointEvery(long interval) {
    return Settings.with(this, "checkpointEvery", interval);
  }

  /** {@return the same with pruning} */
  public TrainingConfig withPruning(Pruning other) {
    return Settings.with(this, "pruning", other);
  }

  /** {@return the same with quantisation} */
  public TrainingConfig withQuantization(Quantization other) {
    return Settings.with(this, "quantization", other);
  }

  /** {@return the same with networks that compute so} */
  public TrainingConfig withPrecision(Precision other) {
    return Settings.with(this, "precision", other);
  }

  /** {@return the same with an end when evaluations get no better} */
  public TrainingConfig withEarlyStop(EarlyStop other) {
    return Settings.with(this, "earlyStop", other);
  }

  /** {@return the same with the best or the last weights at the end} */
  public TrainingConfig withKeepBest(boolean keeps) {
    return Settings.with(this, "keepBest", keeps);
  }

  /** {@return the same with a student that keeps less for backward, or not} */
  public TrainingConfig withRecomputeActivations(boolean recomputes) {
    return Settings.with(this, "recomputeActivations", recomputes);
  }

  /** The rate of the student's optimizer at a step. */
  double rateAt(long step) {
    return optimizer.rate() * schedule.at(step, steps);
  }
}
