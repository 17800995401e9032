package org.structkd.bench;

/**
 * A rough forecast of what a provider takes, from which the plan of a run is made: whether it fits,
 * how often it is called.
 *
 * @param operations of its matrix products, those in f64 counted twice
 * @param moved bytes that its element-wise operators read and write
 * @param peak bytes beside inputs and gradient
 */
record Effort(double operations, double moved, double peak) {
  // Two cores of a server of 2020: f32 products by OpenBLAS; passes that fault in fresh pages.
  private static final double OPERATIONS_PER_SECOND = 100e9;
  private static final double BYTES_PER_SECOND = 5e9;

  double seconds() {
    return operations / OPERATIONS_PER_SECOND + moved / BYTES_PER_SECOND;
  }
}
