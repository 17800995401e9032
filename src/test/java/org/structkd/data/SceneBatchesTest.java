package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which scenes a batch has, and which of them have labels. */
class SceneBatchesTest {
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @Test
  void withAllLabelsEveryBatchContinuesTheOneBefore() {
    SceneBatches batches = SceneBatches.of(SCENES, 3);
    assertArrayEquals(new long[] {6, 7, 8}, batches.indices(2));
    SceneBatch batch = batches.batch(2);
    assertArrayEquals(SCENES.batch(Split.TRAIN, 6, 3).labels(), batch.labels());
  }

  @ParameterizedTest
  @CsvSource({"16, 128", "5, 3", "5, 7", "1, 1", "4, 3"})
  void labelledScenesComeAllBeforeAnyComesAgain(int size, int labelled) {
    SceneBatches batches = SceneBatches.of(SCENES, size).withLabelled(labelled);
    int half = (size + 1) / 2;
    List<Long> drawn = new ArrayList<>();
    Set<Long> others = new HashSet<>();
    int steps = 3 * labelled;
    for (long step = 0; step < steps; step++) {
      long[] indices = batches.indices(step);
      for (int b = 0; b < size; b++) {
        if (b < half) {
          drawn.add(indices[b]);
        } else {
          assertTrue(indices[b] >= labelled && others.add(indices[b]), "seen before");
        }
      }
    }
    assertEquals((long) steps * (size - half), others.size());
    for (int from = 0; from + labelled <= drawn.size(); from += labelled) {
      Set<Long> round = new HashSet<>(drawn.subList(from, from + labelled));
      assertEquals(labelled, round.size(), "each once in a round");
      assertEquals(labelled - 1L, Collections.max(round));
    }
  }

  @Test
  void theOrderChangesWithTheRoundAndTheSeed() {
    SceneBatches batches = SceneBatches.of(SCENES, 16).withLabelled(8);
    SceneBatches other =
        SceneBatches.of(SCENES.withConfig(SceneConfig.defaults().withSeed(2)), 16).withLabelled(8);
    String first = Arrays.toString(Arrays.copyOf(batches.indices(0), 8));
    assertEquals(first, Arrays.toString(Arrays.copyOf(batches.indices(0), 8)));
    assertNotEquals(first, Arrays.toString(Arrays.copyOf(batches.indices(1), 8)));
    assertNotEquals(first, Arrays.toString(Arrays.copyOf(other.indices(0), 8)));
  }

  @Test
  void whatNobodyLabelledIsIgnored() {
    SceneBatches batches = SceneBatches.of(SCENES, 4).withLabelled(10);
    SceneBatch with = SCENES.batch(Split.TRAIN, batches.indices(3));
    SceneBatch batch = batches.batch(3);
    assertArrayEquals(with.images(), batch.images());
    int half = batch.labels().length / 2;
    assertArrayEquals(
        Arrays.copyOf(with.labels(), half), Arrays.copyOf(batch.labels(), half), "labelled");
    try (PointerScope scope = new PointerScope();
        SceneTensors tensors = SceneTensors.of(batch)) {
      assertTrue(
          tensors.labels().slice(0, opt(2), opt(4), 1).eq(new Scalar(255)).all().item_bool());
      assertFalse(
          tensors.labels().slice(0, opt(0), opt(2), 1).eq(new Scalar(255)).any().item_bool());
    }
  }

  private static LongOptional opt(long value) {
    return new LongOptional(value);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 5, size must be 1 to",
    "16, 7, 'labelled must be 8 (half a batch) to 65536, or 0 for all scenes, but is 7'",
    "16, 65537, but is 65537",
    "16, -1, but is -1"
  })
  void impossibleSizesAreNamed(int size, int labelled, String sentence) {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> new SceneBatches(SCENES, size, labelled));
    assertTrue(refused.getMessage().contains(sentence), refused.getMessage());
  }
}
