package org.structkd.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The losses that are measured, and the sizes at which. */
enum Loss {
  // The classes and maps of Cityscapes and ADE20K, and a crop at output stride 8.
  PIXELWISE(
      "pixelwise",
      PixelwiseLossBenchmark.class,
      "pixels",
      shape -> shape.batch() * shape.nodes(),
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of("1x19x512x1024", "1x150x512x512", "8x21x65x65", "1x19x1x1")),

  // 512 channels at 32 x 32 nodes is close to where the N x N matrix is the cheaper way; with 2048
  // channels it is the cheaper way; 63 x 61 divides by no tile.
  PAIRWISE(
      "pairwise",
      PairwiseLossBenchmark.class,
      "nodes",
      CaseShape::nodes,
      List.of("1x512x32x32", "1x128x64x64"),
      List.of(
          "1x512x32x32",
          "1x2048x32x32",
          "1x128x64x64",
          "1x128x96x96",
          "1x512x64x64",
          "1x512x64x64-aligned",
          "1x512x63x61",
          "8x128x33x33")),

  INTER_CLASS_SIMILARITY(
      "inter_class_similarity",
      InterClassSimilarityLossBenchmark.class,
      "classes",
      CaseShape::channels,
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of("1x19x512x1024", "1x21x512x512", "1x150x512x512", "8x21x65x65")),

  // 8 samples of each class of Cityscapes and of ADE20K, and 2048 samples.
  GLOBAL_STRUCTURAL(
      "global_structural",
      GlobalStructuralLossBenchmark.class,
      "samples",
      CaseShape::nodes,
      List.of("1x512x8x19", "1x512x30x40"),
      List.of("1x512x8x19", "8x512x8x19", "1x512x30x40", "1x512x32x64"));

  /** Name on the command line and in the CSV. */
  final String id;

  final Class<? extends LossBenchmark> benchmark;

  /** Which size the CSV has as x. */
  final String xName;

  final ToLongFunction<CaseShape> x;
  final List<String> quickShapes;
  final List<String> shapes;

  Loss(
      String id,
      Class<? extends LossBenchmark> benchmark,
      String xName,
      ToLongFunction<CaseShape> x,
      List<String> quickShapes,
      List<String> shapes) {
    this.id = id;
    this.benchmark = benchmark;
    this.xName = xName;
    this.x = x;
    this.quickShapes = quickShapes;
    this.shapes = shapes;
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
      return Stream.of(values())
          .filter(loss -> loss.id.equals(id))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "no loss is named " + id + ", expected " + String.join(", ", new Ids())));
    }
  }
}
