package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.SharedModuleVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;

/** Inference leaves every submodule in the mode that it was in. */
@InScope
class ModesTest {
  private static List<Boolean> modes(Module module) {
    List<Boolean> modes = new ArrayList<>();
    SharedModuleVector modules = module.modules();
    for (long i = 0; i < modules.size(); i++) {
      modes.add(modules.get(i).is_training());
    }
    return modes;
  }

  private static SegmentationNet net() {
    return new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1);
  }

  @Test
  void inferenceKeepsTheModeOfEverySubmodule() {
    SegmentationNet net = net();
    net.module().named_modules("", false).get("skip_norm").eval();
    List<Boolean> before = modes(net.module());
    assertTrue(before.contains(true) && before.contains(false));
    net.infer(torch.rand(1, 1, 16, 16));
    assertEquals(before, modes(net.module()));
  }

  @Test
  void inferenceEvaluatesSubmodulesThatTrainInANetThatDoesNot() {
    SegmentationNet net = net();
    net.module().eval();
    Module norm = net.module().named_modules("", false).get("skip_norm");
    norm.train(true);
    var mean = norm.named_buffers().get("running_mean").clone();
    net.infer(torch.rand(1, 1, 16, 16));
    assertTrue(torch.equal(mean, norm.named_buffers().get("running_mean")));
    assertTrue(norm.is_training());
    assertFalse(net.module().is_training());
  }

  @Test
  void modesComeBackAfterAFailure() {
    SegmentationNet net = net();
    List<Boolean> before = modes(net.module());
    assertThrows(IllegalArgumentException.class, () -> net.infer(torch.rand(1, 1, 9, 9)));
    assertEquals(before, modes(net.module()));
  }
}
