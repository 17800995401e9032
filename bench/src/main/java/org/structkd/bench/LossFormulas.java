package org.structkd.bench;

import org.bytedeco.pytorch.Tensor;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.MapLoss;

/** One loss in all the ways in which it is measured. */
interface LossFormulas {
  /** One call of this library. */
  MapLoss ours(CaseShape shape);

  /**
   * This library's loss between outputs of two networks and labels.
   *
   * @param maps size of the outputs
   */
  default Loss inTraining(CaseShape maps) {
    return ours(maps);
  }

  /** The value of {@link #inTraining}, composed of LibTorch's operators. */
  default Tensor composedInTraining(CaseShape maps, LossInputs inputs) {
    return Computation.on("composed", () -> inTraining(maps).forward(inputs));
  }

  /** What a provider of bench/cases.json runs; the others are compared with "eager". */
  Contender contender(String provider, CaseShape shape);

  /** The least work of the algorithm; {@code plan} is what the library says that it chose. */
  Work work(CaseShape shape, Pass pass, String plan);

  /** A forecast for value and gradient. */
  Effort effort(String provider, CaseShape shape);

  /** Our own way reads and writes little and its products are the least there are. */
  default Effort effortOfLeastWork(CaseShape shape) {
    Work work = work(shape, Pass.FULL, "");
    return new Effort(work.operations() + work.f64Products(), 2 * work.bytes(), 0);
  }
}
