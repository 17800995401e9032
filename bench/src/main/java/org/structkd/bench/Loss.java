package org.structkd.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The losses that are measured, and the sizes at which. */
enum Loss {
  // The classes and maps of Cityscapes and ADE20K, a crop at output stride 8, one pixel, which is
  // what a call costs; and rows: 100 and 1000 classes, vocabularies of Llama 2 and Gemma.
  PIXELWISE(
      "pixelwise",
      new PixelwiseFormulas(),
      "pixels",
      shape -> shape.batch() * shape.nodes(),
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of(
          "1x19x512x1024",
          "1x150x512x512",
          "8x21x65x65",
          "1x19x1x1",
          "256x100x1x1",
          "1024x1000x1x1",
          "64x32000x1x1",
          "8x262144x1x1"),
      List.of("8x19x512x1024", "8x150x512x512")),

  // 512 channels at 32 x 32 nodes is close to where the N x N matrix is the cheaper way; with 2048
  // channels it is the cheaper way; 63 x 61 divides by no tile.
  PAIRWISE(
      "pairwise",
      new PairwiseFormulas(),
      "nodes",
      shape -> (shape.wholeBatch() ? shape.batch() : 1) * shape.nodes(),
      List.of("1x512x32x32", "1x128x64x64"),
      List.of(
          "1x512x32x32",
          "1x512x32x32-aligned",
          "1x2048x32x32",
          "1x2048x32x32-aligned",
          "1x512x63x61",
          "1x512x63x61-aligned",
          "8x128x33x33",
          "8x128x33x33-aligned",
          "1x128x64x64",
          "1x128x64x64-aligned",
          "1x512x64x64",
          "1x512x64x64-aligned",
          "1x2048x64x64",
          "1x2048x64x64-aligned",
          "1x512x128x128",
          "1x512x128x128-aligned",
          "1x128x128x256",
          "1x128x128x256-aligned",
          "8x128x64x64-whole",
          "8x128x64x64-aligned-whole",
          "1x512x128x256",
          "1x512x128x256-aligned"),
      List.of(
          "8x512x64x64",
          "8x512x64x64-aligned",
          "8x128x64x64",
          "1x512x128x256",
          "1x512x128x256-aligned")),

  INTER_CLASS_SIMILARITY(
      "inter_class_similarity",
      new InterClassSimilarityFormulas(),
      "classes",
      CaseShape::channels,
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of("1x19x512x1024", "1x21x512x512", "1x150x512x512", "8x21x65x65"),
      List.of("8x19x512x1024", "8x150x512x512")),

  // 8 samples of each class of Cityscapes, VOC and ADE20K, and 2048 samples.
  GLOBAL_STRUCTURAL(
      "global_structural",
      new GlobalStructuralFormulas(),
      "samples",
      CaseShape::nodes,
      List.of("1x512x8x19", "1x512x30x40"),
      List.of("1x512x8x19", "1x512x8x21", "8x512x8x19", "1x512x30x40", "1x512x32x64"),
      List.of("8x512x8x19", "8x512x30x40"));

  /** Name on the command line and in the CSV. */
  final String id;

  final LossFormulas formulas;

  /** Which size the CSV has as x. */
  final String xName;

  final ToLongFunction<CaseShape> x;
  final List<String> quickShapes;
  final List<String> shapes;

  /** Sizes for a GPU; the first one with --quick. */
  final List<String> cudaShapes;

  Loss(
      String id,
      LossFormulas formulas,
      String xName,
      ToLongFunction<CaseShape> x,
      List<String> quickShapes,
      List<String> shapes,
      List<String> cudaShapes) {
    this.id = id;
    this.formulas = formulas;
    this.xName = xName;
    this.x = x;
    this.quickShapes = quickShapes;
    this.shapes = shapes;
    this.cudaShapes = cudaShapes;
  }

  static Loss of(String id) {
    return Stream.of(values())
        .filter(loss -> loss.id.equals(id))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "no loss is named " + id + ", expected " + String.join(", ", new Ids())));
  }

  @Override
  public String toString() {
    return id;
  }

  /** What --loss accepts. */
  static final class Ids extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Ids() {
      Stream.of(values()).map(loss -> loss.id).forEach(this::add);
    }
  }

  /** Reads --loss. */
  static final class ById implements ITypeConverter<Loss> {
    @Override
    public Loss convert(String id) {
      try {
        return Loss.of(id);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
