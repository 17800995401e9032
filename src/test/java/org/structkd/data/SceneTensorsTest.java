package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

@SuppressWarnings({"unchecked", "try"}) // a generic varargs array; scopes are opened, not read
class SceneTensorsTest {
  private static final SceneBatch BATCH =
      FashionScenes.bundled(SceneConfig.defaults()).batch(Split.TRAIN, 0, 3);

  @Test
  void tensorsHoldTheBatch() {
    try (PointerScope scope = new PointerScope()) {
      SceneTensors tensors = SceneTensors.of(BATCH);
      assertArrayEquals(new long[] {3, 1, 48, 48}, tensors.images().shape());
      assertArrayEquals(new long[] {3, 48, 48}, tensors.labels().shape());
      assertEquals(ScalarType.Float, tensors.images().scalar_type().intern());
      assertEquals(ScalarType.Long, tensors.labels().scalar_type().intern());
      assertTrue(tensors.images().device().is_cpu());
      float[] images = new float[BATCH.images().length];
      long[] labels = new long[BATCH.labels().length];
      tensors.images().data_ptr_float().get(images);
      tensors.labels().data_ptr_long().get(labels);
      assertArrayEquals(BATCH.images(), images);
      for (int i = 0; i < labels.length; i++) {
        assertEquals(BATCH.labels()[i], labels[i]);
      }
    }
  }

  @Test
  void tensorsEndWithTheScopeOfTheCaller() {
    SceneTensors tensors;
    try (PointerScope scope = new PointerScope()) {
      tensors = SceneTensors.of(BATCH);
      assertFalse(tensors.images().isNull());
      assertEquals(1, tensors.images().referenceCount());
      assertEquals(1, tensors.labels().referenceCount());
    }
    assertTrue(tensors.images().isNull());
    assertTrue(tensors.labels().isNull());
  }

  @Test
  void tensorsPassAScopeThatTakesOtherClasses() {
    try (PointerScope outer = new PointerScope()) {
      SceneTensors tensors;
      try (PointerScope inner = new PointerScope(PointerScopeTestOnly.class)) {
        tensors = SceneTensors.of(BATCH);
      }
      assertFalse(tensors.images().isNull());
    }
  }

  /** A class that no pointer has. */
  private static final class PointerScopeTestOnly extends Pointer {}

  @Test
  void withoutAScopeTensorsLiveUntilClosed() {
    SceneTensors tensors = SceneTensors.of(BATCH);
    Tensor images = tensors.images();
    assertFalse(images.isNull());
    tensors.close();
    assertTrue(images.isNull());
    tensors.close();
  }

  @Test
  void closingAheadOfTheScopeIsFine() {
    try (PointerScope scope = new PointerScope()) {
      try (SceneTensors tensors = SceneTensors.of(BATCH)) {
        assertFalse(tensors.images().isNull());
      }
    }
  }

  @Test
  void manyBatchesKeepNativeMemoryFlat() {
    int batches = 20_000;
    long smallerTensor = 4L * BATCH.images().length;
    make(5_000); // until the JVM has touched its young generation, which is resident memory too
    long resident = Pointer.physicalBytes();
    make(batches);
    long grown = Pointer.physicalBytes() - resident;
    // Half of what losing the smaller tensor of each batch costs; the other half is for the heap.
    assertTrue(grown < batches * smallerTensor / 2, "resident memory grew by " + grown + " bytes");
  }

  private static void make(int batches) {
    for (int i = 0; i < batches; i++) {
      long before = Pointer.totalCount();
      try (PointerScope scope = new PointerScope()) {
        SceneTensors.of(BATCH);
      }
      // At once, as the garbage collector would tidy up a forgotten one sooner or later.
      long left = Pointer.totalCount() - before;
      assertTrue(left <= 0, left + " native objects are left of batch " + i);
    }
  }
}
