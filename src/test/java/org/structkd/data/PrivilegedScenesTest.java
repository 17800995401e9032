package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;

/** What student and teacher see of one scene. */
@InScope
class PrivilegedScenesTest {
  private static PrivilegedScenes data(float noise, int labelled) {
    return new PrivilegedScenes(
        FashionScenes.bundled(PrivilegedScenes.config(noise)), labelled, 4, 6);
  }

  private static Tensor reduced(Tensor clean) {
    return torch.adaptive_avg_pool2d(clean, 48, 48);
  }

  @Test
  void withoutNoiseTheStudentSeesTheMeansOfFourPixels() {
    Batch batch = data(0, 0).examples(Split.TEST, 0, 3);
    assertArrayEquals(new long[] {3, 1, 96, 96}, batch.input("clean").shape());
    assertArrayEquals(new long[] {3, 1, 48, 48}, batch.input("images").shape());
    assertTrue(batch.input("images").allclose(reduced(batch.input("clean"))));
    assertTrue(batch.input("clean").max().item_double() <= 1);
    assertEquals(0, batch.input("clean").min().item_double());
  }

  @Test
  void noiseIsTheStudentsAlone() {
    Batch without = data(0, 0).examples(Split.TEST, 0, 6);
    Batch with = data(0.3f, 0).examples(Split.TEST, 0, 6);
    assertTrue(without.input("clean").equal(with.input("clean")));
    assertTrue(without.target("labels").equal(with.target("labels")));
    Tensor noise = with.input("images").sub(without.input("images"));
    assertEquals(0.3, noise.std(true).item_double(), 0.01);
    assertEquals(0, noise.mean().item_double(), 0.01);
  }

  /** Where all four pixels are black nothing is painted but by garments with black holes: none. */
  @Test
  void labelsAreWhereGarmentsAre() {
    Batch batch = data(0, 0).examples(Split.VALIDATION, 0, 4);
    Tensor labels = batch.target("labels");
    assertArrayEquals(new long[] {4, 48, 48}, labels.shape());
    Tensor dark = batch.input("images").squeeze(1).eq(new Scalar(0));
    assertTrue(torch.all(labels.masked_select(dark).eq(new Scalar(0))).item_bool());
    double background = labels.eq(new Scalar(0)).to(torch.kFloat()).mean().item_double();
    assertTrue(background > 0.2 && background < 0.8, background + " of it is background");
    assertTrue(labels.max().item_long() <= 10);
  }

  @Test
  void scenesWithoutLabelsAreTheRestOfABatch() throws Exception {
    PrivilegedScenes data = data(0.1f, 8);
    Tensor labels = data.training(5).prepare(2).tensors().target("labels");
    assertTrue(labels.narrow(0, 0, 3).max().item_long() <= 10);
    assertTrue(torch.all(labels.narrow(0, 3, 2).eq(new Scalar(255))).item_bool());
    Tensor all = data(0.1f, 0).training(5).prepare(2).tensors().target("labels");
    assertTrue(all.max().item_long() <= 10);
  }

  @Test
  void aBatchIsAFunctionOfSeedAndStep() throws Exception {
    Tensor first = data(0.1f, 0).training(2).prepare(3).tensors().input("images");
    assertTrue(first.equal(data(0.1f, 0).training(2).prepare(3).tensors().input("images")));
    assertFalse(
        first.equal(data(0.1f, 0).withSeed(9).training(2).prepare(3).tensors().input("images")));
  }
}
