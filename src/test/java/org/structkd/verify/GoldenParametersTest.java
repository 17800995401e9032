package org.structkd.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.internal.Layers;
import org.structkd.testing.Tensors;

/** What a text says that parameters hold, and parameters that do not fit. */
class GoldenParametersTest {
  private static final String SINE = "0.3*sin(0.5*i+0.07*k); BN weight=2 bias=-1; gamma=0.25";

  @Test
  void aSineRunsOverIndexAndPlaceWithExceptions() {
    GoldenFill fill = GoldenFill.of("k-th entry: " + SINE + "; train mode");
    double[] expected = {0.3 * Math.sin(0.21), 0.3 * Math.sin(0.5 + 0.21)};
    assertArrayEquals(expected, fill.values("a.weight", "a_weight", 3, 2), 1e-16);
    assertArrayEquals(new double[] {2}, fill.values("a.bn.weight", "a_scale", 3, 1));
    assertArrayEquals(new double[] {-1, -1}, fill.values("a.bn.bias", "a_shift", 3, 2));
    assertArrayEquals(new double[] {0.25}, fill.values("attn1.gamma", "attention3_gamma", 3, 1));
    assertFalse(fill.normalizes("a.weight_u"));
  }

  @Test
  void aCongruenceHasItsAmplitudes() {
    GoldenFill fill =
        GoldenFill.of(
            "amp*(2*(((i*1103515245+12345+7919*k) mod 2^31)/2^31)-1), 64-bit ints; *_u,*_v then"
                + " L2-normalised; amp=0.5 except last.weight amp=20");
    double second = 2 * (((1103515245L + 12345 + 7919 * 2) % (1L << 31)) / (double) (1L << 31)) - 1;
    assertEquals(0.5 * second, fill.values("w", "w", 2, 2)[1], 1e-16);
    assertEquals(20 * second, fill.values("last.weight", "w", 2, 2)[1], 1e-14);
    assertTrue(fill.normalizes("l1.weight_v"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ones",
        "0.3*cos(0.5*i)",
        "0.3*sin(0.5*i+0.07*k) and 0.1*sin(0.5*i+0.07*k)",
        "0.3*sin(0.5*i+0.07*k); gamma*=3",
        "amp*(2*(((i*5+1+7*k) mod 2^31)/2^31)-1)"
      })
  void aTextThatIsNotUnderstoodFails(String text) {
    CaseFailureException e = assertThrows(CaseFailureException.class, () -> GoldenFill.of(text));
    assertTrue(e.getMessage().startsWith("param_fill is \"" + text + "\""), e.getMessage());
  }

  private static GoldenParameters parameters(String order) {
    return GoldenParameters.of(
        MadeCases.golden(
            "{'name': 'made', 'op': 'made', 'params': {'param_order': %s, 'param_fill': '%s'}}"
                .formatted(order, SINE)));
  }

  private static String refused(String order) {
    try (PointerScope scope = new PointerScope()) {
      Module module = new ModuleDictImpl();
      Layers.parameter(module, "weight", torch.zeros(2, 3));
      Layers.buffer(module, "queue", torch.zeros(4));
      return assertThrows(CaseFailureException.class, () -> parameters(order).putInto(module))
          .getMessage();
    }
  }

  @Test
  void parametersAndBuffersAreFilledByName() {
    try (PointerScope scope = new PointerScope()) {
      Module module = new ModuleDictImpl();
      Layers.parameter(module, "weight", torch.zeros(1, 2));
      Layers.buffer(module, "queue", torch.zeros(1));
      parameters("[['queue', [1]], ['weight', [1, 2]]]").putInto(module);
      double[] expected = {0.3 * Math.sin(0.07), 0.3 * Math.sin(0.57)};
      double[] found = Tensors.values(module.named_parameters().get("weight"));
      assertArrayEquals(expected, found, 1e-7);
    }
  }

  @Test
  void whatDoesNotFitTheModuleIsNamed() {
    assertEquals(
        "the loss has no parameter \"weigth\", it has: queue, weight; did you mean \"weight\"?",
        refused("[['weigth', [2, 3]]]"));
    assertEquals(
        "parameter \"weight\" has shape [3, 2], expected [2, 3]", refused("[['weight', [3, 2]]]"));
    assertEquals("param_order lacks weight", refused("[['queue', [4]]]"));
  }
}
