package org.structkd.model;

/**
 * Strides of layers that follow each other, up to an output stride. Beyond it a stride becomes a
 * dilation of all layers behind: they compute what they would have computed, at the positions
 * between as well, so that weights trained with strides fit.
 *
 * <p>Source: L.-C. Chen, G. Papandreou, I. Kokkinos, K. Murphy, A. L. Yuille, "Semantic Image
 * Segmentation with Deep Convolutional Nets and Fully Connected CRFs", ICLR 2015, section 3.1.
 */
final class OutputStride {
  private final int most;
  private int stride;
  private int dilation = 1;

  /**
   * Begins.
   *
   * @param most images' size over the maps' at which strides end
   * @param stride that of the layers before
   */
  OutputStride(int most, int stride) {
    this.most = most;
    this.stride = stride;
  }

  /**
   * What a layer does.
   *
   * @param stride of the layer
   * @param dilation of the layer
   * @param after dilation of layers that read its result
   */
  record Step(int stride, int dilation, int after) {}

  /**
   * {@return what the next layer does}
   *
   * @param wanted its stride where there is no output stride
   */
  Step next(int wanted) {
    int before = dilation;
    if (stride * wanted > most) {
      dilation *= wanted;
      return new Step(1, before, dilation);
    }
    stride *= wanted;
    return new Step(wanted, before, dilation);
  }
}
