package org.structkd.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The losses that are measured, and the sizes at which. */
enum Loss {
  // The classes and maps of Cityscapes and ADE20K, and a crop at output stride 8.
  PIXELWISE(
      "pixelwise",
      PixelwiseLossBenchmark::new,
      "pixels",
      shape -> shape.batch() * shape.nodes(),
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of("1x19x512x1024", "1x150x512x512", "8x21x65x65", "1x19x1x1"),
      List.of("8x19x512x1024", "8x150x512x512"),
      shape -> 3 * shape.elements(),
      shape -> 0),

  // 512 channels at 32 x 32 nodes is close to where the N x N matrix is the cheaper way; with 2048
  // channels it is the cheaper way; 63 x 61 divides by no tile.
  PAIRWISE(
      "pairwise",
      PairwiseLossBenchmark::new,
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
          "8x128x33x33"),
      List.of(
          "8x512x64x64",
          "8x512x64x64-aligned",
          "8x128x64x64",
          "1x512x128x256",
          "1x512x128x256-aligned"),
      shape -> 5 * shape.elements(), // both maps twice, and the gradient
      shape -> shape.elements() * Math.min(8 * shape.channels(), 4 * shape.nodes())),

  INTER_CLASS_SIMILARITY(
      "inter_class_similarity",
      InterClassSimilarityLossBenchmark::new,
      "classes",
      CaseShape::channels,
      List.of("1x19x512x1024", "8x21x65x65"),
      List.of("1x19x512x1024", "1x21x512x512", "1x150x512x512", "8x21x65x65"),
      List.of("8x19x512x1024", "8x150x512x512"),
      shape -> 4 * shape.elements(), // the student's map twice, the teacher's, and the gradient
      shape -> 8 * shape.elements() * shape.channels()),

  // 8 samples of each class of Cityscapes and of ADE20K, and 2048 samples.
  GLOBAL_STRUCTURAL(
      "global_structural",
      GlobalStructuralLossBenchmark::new,
      "samples",
      CaseShape::nodes,
      List.of("1x512x8x19", "1x512x30x40"),
      List.of("1x512x8x19", "8x512x8x19", "1x512x30x40", "1x512x32x64"),
      List.of("8x512x8x19", "8x512x30x40"),
      shape -> 3 * shape.elements(),
      shape -> 4 * shape.elements() * shape.nodes());

  /** Name on the command line and in the CSV. */
  final String id;

  final Supplier<? extends LossBenchmark> benchmark;

  /** Which size the CSV has as x. */
  final String xName;

  final ToLongFunction<CaseShape> x;
  final List<String> quickShapes;
  final List<String> shapes;

  /** Sizes for a GPU; the first one with --quick. */
  final List<String> cudaShapes;

  /**
   * How many elements the algorithm moves at least between chip and memory, for value and gradient.
   */
  final ToDoubleFunction<CaseShape> movedElements;

  /** Floating-point operations of its products. */
  final ToDoubleFunction<CaseShape> operations;

  Loss(
      String id,
      Supplier<? extends LossBenchmark> benchmark,
      String xName,
      ToLongFunction<CaseShape> x,
      List<String> quickShapes,
      List<String> shapes,
      List<String> cudaShapes,
      ToDoubleFunction<CaseShape> movedElements,
      ToDoubleFunction<CaseShape> operations) {
    this.id = id;
    this.benchmark = benchmark;
    this.xName = xName;
    this.x = x;
    this.quickShapes = quickShapes;
    this.shapes = shapes;
    this.cudaShapes = cudaShapes;
    this.movedElements = movedElements;
    this.operations = operations;
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
