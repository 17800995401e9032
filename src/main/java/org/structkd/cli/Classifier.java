package org.structkd.cli;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.model.SegmentationNet;

/** Classes of pixels as plain numbers. */
final class Classifier {
  private Classifier() {}

  /**
   * {@return the most likely class of each pixel, row by row}
   *
   * @param net on this device
   * @param intensities of one image, black 0 and white 1
   */
  static int[] classes(
      SegmentationNet net, Device device, float[] intensities, int height, int width) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor image = Tensor.create(intensities, 1, 1, height, width).to(device, ScalarType.Float);
      Tensor best =
          net.infer(image).get(SegmentationNet.UPSAMPLED).argmax(new LongOptional(1), false);
      long[] labels = new long[height * width];
      best.cpu().contiguous().data_ptr_long().get(labels);
      int[] classes = new int[labels.length];
      for (int i = 0; i < classes.length; i++) {
        classes[i] = (int) labels[i];
      }
      return classes;
    }
  }
}
