package org.structkd.bench;

/**
 * What an algorithm must do at least for one call, by the closed formulas of its loss.
 *
 * @param f32Products floating-point operations of matrix products in f32, two per multiply-add
 * @param f64Products the same in f64
 * @param f32Slots instructions per lane of element-wise arithmetic in f32. Each takes a slot of a
 *     unit that could do a multiply-add, so it counts as two operations
 * @param f64Slots the same in f64
 * @param bytes between chip and memory
 */
record Work(
    double f32Products, double f64Products, double f32Slots, double f64Slots, double bytes) {
  /**
   * Slots of one exponential: the instructions of {@code vector_exp} in cpu/common/vector_math.h,
   * which are clamping, scaling, rounding, two steps of reduction, a polynomial and the exponent.
   */
  static final double EXP = 16;

  static final double F32 = Float.BYTES;

  double operations() {
    return f32Products + f64Products + 2 * (f32Slots + f64Slots);
  }

  /** The least seconds that a machine takes: arithmetic and memory at their measured rates. */
  double limitSeconds(Limits limits) {
    double arithmetic =
        (f32Products + 2 * f32Slots) / limits.f32PerSecond()
            + (f64Products + 2 * f64Slots) / limits.f64PerSecond();
    return Math.max(arithmetic, bytes / limits.bytesPerSecond());
  }
}
