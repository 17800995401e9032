package org.structkd.verify;

import java.util.Map;
import java.util.TreeMap;
import org.structkd.loss.Losses;

/** How the cases of one op are computed. Implementations have no state. */
@FunctionalInterface
interface GoldenOp {
  /** Ops of this version, by their name in golden files: all losses, and what is no loss. */
  Map<String, GoldenOp> ALL = all();

  private static Map<String, GoldenOp> all() {
    Map<String, GoldenOp> all = new TreeMap<>();
    Losses.all().forEach(loss -> all.put(loss.id(), golden -> LossCase.of(golden, loss)));
    all.put("adaptive_loss_weighting", AdaptiveLossWeightingGolden::prepare);
    all.put("global_structural", GlobalStructuralGolden::prepare); // has stages
    all.put("holistic", HolisticGolden::prepare); // has several outputs
    return all;
  }

  /**
   * Understands the options of a case; computes nothing yet.
   *
   * @throws SkippedException if golden files cannot hold all that the loss takes
   * @throws CaseFailureException if an option is unknown or has an unknown value
   * @throws IllegalArgumentException if the loss refuses the options
   * @throws BadGoldenFileException if the case lacks what it needs
   */
  Computation prepare(GoldenCase golden);

  /** Computes all that cases of this op may store. Runs in a PointerScope of its caller. */
  @FunctionalInterface
  interface Computation {
    /**
     * Runs the case with inputs of one element type on one device.
     *
     * @throws IllegalArgumentException if the inputs do not fit together
     */
    GoldenResult compute(Placement placement);
  }

  /** A loss that takes more than golden files hold; the message is one sentence. */
  final class SkippedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    SkippedException(String sentence) {
      super(sentence);
    }
  }
}
