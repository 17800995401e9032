package org.structkd.verify;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.structkd.loss.PairwiseLoss;

class SelfCheckTest {
  @Test
  void kernelsOfGoldenFilesAreAllChecked() {
    for (String op : GoldenOp.ALL.keySet()) {
      assertTrue(
          op.equals("adaptive_loss_weighting") // plain Java
              || SelfCheck.ALL.stream().anyMatch(check -> check.name().startsWith(op)),
          op);
    }
  }

  /** A loss that depends on where it runs. */
  @Test
  void aKernelThatStraysFailsTheCheck() {
    PairwiseLoss loss = PairwiseLoss.skdCvpr19();
    int[] calls = new int[1];
    SelfCheck check =
        new SelfCheck(
            "astray",
            (student, teacher) ->
                loss.forward(student, teacher).mul(new Scalar(calls[0]++ == 0 ? 1.0001 : 1)));
    try (PointerScope scope = new PointerScope()) {
      assertFalse(check.run().passed());
    }
  }
}
