package org.structkd.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.structkd.loss.Losses;
import org.structkd.loss.MapLoss;
import org.structkd.loss.PairwiseLoss;

class SelfCheckTest {
  @Test
  void everyPresetOfALossWithAKernelIsChecked() {
    List<Class<?>> checked = new ArrayList<>();
    SelfCheck.ALL.forEach(check -> checked.add(check.loss().getClass()));
    for (Losses.Entry loss : Losses.all()) {
      assertEquals(
          loss.kind() == Losses.Kind.KERNEL ? loss.presets().size() : 0,
          Collections.frequency(checked, loss.type()),
          loss.id());
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
            (MapLoss)
                (student, teacher) ->
                    loss.forward(student, teacher).mul(new Scalar(calls[0]++ == 0 ? 1.0001 : 1)));
    try (PointerScope scope = new PointerScope()) {
      assertFalse(check.run().passed());
    }
  }
}
