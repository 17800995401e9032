package org.structkd.lifetime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Projector;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.SegmentationNet;
import org.structkd.testing.Collector;
import org.structkd.testing.PublicTypes;
import org.structkd.testing.Tensors;

/**
 * What every public type that has to do with LibTorch promises: an object owns what it needs,
 * whatever PointerScope it was made in and whatever Java collects, and no call changes LibTorch's
 * generator, number of threads or grad mode.
 */
class LifetimeTest {
  @TempDir private static Path folder;

  /** A row for each; {@link #everyPublicTypeHasALifetime} tells which one is missing. */
  static Stream<Lifetime<?>> rows() {
    return Stream.of(
            LossLifetimes.rows(),
            ModelLifetimes.rows(folder),
            DataLifetimes.rows(folder),
            TrainingLifetimes.rows(folder))
        .flatMap(rows -> rows);
  }

  static Stream<Lifetime<?>> owners() {
    return rows().filter(row -> !row.result());
  }

  @Test
  void everyPublicTypeHasALifetime() throws Exception {
    Set<String> covered = new HashSet<>();
    rows().forEach(row -> covered.add(row.type().getName()));
    Set<String> missing = new TreeSet<>(PublicTypes.thatReachLibTorch());
    assertTrue(missing.containsAll(covered), () -> "rows of no public type: " + covered);
    missing.removeAll(covered);
    assertEquals(Set.of(), missing, "give each a row in the ...Lifetimes of its package");
  }

  @ParameterizedTest
  @MethodSource("owners")
  void surviveTheScopeTheyWereMadeIn(Lifetime<?> row) {
    Object object;
    try (PointerScope ending = new PointerScope()) {
      object = row.make();
    }
    assertTrue(row.use(object).length > 0);
  }

  @ParameterizedTest
  @MethodSource("rows")
  void surviveTheCollector(Lifetime<?> row) {
    Object object = row.make();
    double[] before = row.use(object);
    Collector.run();
    assertArrayEquals(before, row.use(object));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void workInsideAScopeOfCertainClasses(Lifetime<?> row) {
    try (PointerScope caller = new PointerScope();
        PointerScope certain = scopeOfCertainClasses()) {
      assertTrue(row.use(row.make()).length > 0);
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void leaveLibTorchAsItWas(Lifetime<?> row) {
    for (boolean gradients : new boolean[] {true, false}) {
      torch.manual_seed(77);
      torch.randn(3); // the generator stands between two seeds and keeps half a pair of normals
      GradMode.set_enabled(gradients);
      try (PointerScope scope = new PointerScope()) {
        List<Object> before = stateOfLibTorch();
        Object object = row.make();
        assertEquals(before, stateOfLibTorch(), "after it was made");
        if (gradients) {
          row.use(object);
          assertEquals(before, stateOfLibTorch(), "after it was used");
        }
      } finally {
        GradMode.set_enabled(true);
      }
    }
  }

  @Test
  void tensorsGoToTheInnermostScopeThatTakesThem() {
    try (PointerScope outer = new PointerScope()) {
      Tensor loss;
      try (PointerScope inner = new PointerScope();
          PointerScope certain = scopeOfCertainClasses()) {
        loss = PairwiseLoss.cirkd().forward(Made.map(1), Made.map(2));
        certain.close();
        assertTrue(!loss.isNull());
      }
      assertTrue(loss.isNull());
    }
  }

  @Test
  void aLayerStaysAliveInTheModuleThatHasIt() {
    Module owner = new ModuleDictImpl();
    try (Projector projector = new Projector(4, 3, 5)) {
      owner.register_module("projector", projector.module());
    }
    Collector.run();
    try (PointerScope scope = new PointerScope()) {
      assertEquals(4, owner.parameters().size());
      assertEquals("projector.norm.weight", owner.named_parameters().get(1).key().getString());
      assertEquals(3, owner.parameters().get(1).sum().item_double());
    }
    owner.close();
  }

  @Test
  void whatIsClosedSaysSo() throws IOException {
    try (PointerScope scope = new PointerScope()) {
      SegmentationNet net = Made.net();
      net.close();
      net.close();
      Projector projector = new Projector(4, 3, 5);
      projector.close();
      ScriptedNetwork scripted = ModelLifetimes.scripted(folder);
      scripted.close();
      Tensor images = Made.images();
      Tensor map = Made.map(1);
      assertClosed(() -> net.infer(images));
      assertClosed(() -> net.forward(images));
      assertClosed(net::module);
      assertClosed(() -> projector.forward(map));
      assertClosed(() -> scripted.infer(images));
    }
  }

  private static void assertClosed(Runnable use) {
    IllegalStateException error = assertThrows(IllegalStateException.class, use::run);
    assertTrue(error.getMessage().contains("has been closed"), error.getMessage());
  }

  private static List<Object> stateOfLibTorch() {
    try (PointerScope scope = new PointerScope()) {
      Tensor generator = torch.getDefaultCPUGenerator().get_state();
      return List.of(
          Arrays.hashCode(Tensors.values(generator)),
          torch.get_num_threads(),
          GradMode.is_enabled());
    }
  }

  @SuppressWarnings("unchecked") // a generic varargs array
  private static PointerScope scopeOfCertainClasses() {
    return new PointerScope(TensorOptions.class, LongPointer.class);
  }
}
