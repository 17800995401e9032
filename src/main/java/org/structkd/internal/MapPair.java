package org.structkd.internal;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Student and teacher of one call as maps: of one batch, form and device. Sizes and channels are
 * compared by whoever needs them equal, after what the loss does to the maps.
 *
 * @param student what learns
 * @param teacher what it learns from
 */
public record MapPair(MapView student, MapView teacher) {
  /**
   * Checks and views both arguments.
   *
   * @throws IllegalArgumentException if one is not acceptable, or they differ in form, batch or
   *     device
   */
  public static MapPair of(
      String loss, @Nullable Tensor student, @Nullable Tensor teacher, MapView.Accepts accepts) {
    MapPair pair =
        new MapPair(
            MapView.of(loss, "student", student, accepts),
            MapView.of(loss, "teacher", teacher, accepts));
    if (pair.student.given().dim() != pair.teacher.given().dim()) {
      throw pair.differ("rank: reshape one of them");
    }
    if (pair.student.map().size(0) != pair.teacher.map().size(0)) {
      throw pair.differ("batch size");
    }
    TensorArguments.requireSameDevice(
        loss, "student", pair.student.given(), "teacher", pair.teacher.given());
    return pair;
  }

  /** Requires arguments of one rank. */
  public MapPair requireRank(long rank, String axes) {
    if (student.given().dim() != rank) {
      throw new IllegalArgumentException(
          "%s: %s has rank %s, expected %s: %s"
              .formatted(
                  student.loss(),
                  TensorArguments.describe("student", student.given()),
                  student.given().dim(),
                  rank,
                  axes));
    }
    return this;
  }

  /** Requires as many channels of the teacher as of the student. */
  public MapPair requireSameChannels() {
    if (student.map().size(1) != teacher.map().size(1)) {
      throw differ("number of channels");
    }
    return this;
  }

  /** How a term does it, in both of its spellings. */
  private static final String RESIZE =
      "resize one of them, in a term by resize_teacher of a recipe or withTeacherResized() of Java";

  /** Requires as many positions of the teacher as of the student, in the same order. */
  public MapPair requireSameSize() {
    if (differInSize()) {
      throw differ(
          student.isTokens()
              ? "number of positions: leave out those that have no counterpart, such as a class"
                  + " token"
              : "height and width: " + RESIZE);
    }
    return this;
  }

  /** What a loss makes of both maps before it compares their sizes. */
  public MapPair each(UnaryOperator<Tensor> pooling) {
    MapPair pooled = new MapPair(student.made(pooling), teacher.made(pooling));
    if (pooled.differInSize()) {
      throw differ(
          ("height and width after pooling, which gives %s and %s nodes: %s, or pool to a number of"
                  + " nodes that both have")
              .formatted(pooled.student.size(), pooled.teacher.size(), RESIZE));
    }
    return pooled;
  }

  /** Both in the wider of their types, f32 at least, and the teacher's out of its graph. */
  public MapPair inOneType() {
    ScalarType type =
        torch.promoteTypes(
            torch.promoteTypes(student.map().scalar_type(), teacher.map().scalar_type()),
            ScalarType.Float);
    return new MapPair(
        student.made(map -> map.to(type)), teacher.made(map -> map.detach().to(type)));
  }

  /**
   * The student's map at the teacher's size: bilinear, corners not aligned; itself where the sizes
   * agree.
   *
   * @throws IllegalArgumentException if tokens differ in number, which have no height and width
   */
  public MapPair withStudentResized() {
    if (!differInSize()) {
      return this;
    }
    if (student.isTokens()) {
      throw differ(
          "number of positions: leave out those that have no counterpart, such as a class token, or"
              + " reshape them to maps, which are resized");
    }
    long[] size = {teacher.map().size(2), teacher.map().size(3)};
    return new MapPair(student.made(map -> torch.upsample_bilinear2d(map, size, false)), teacher);
  }

  private boolean differInSize() {
    return student.map().size(2) != teacher.map().size(2)
        || student.map().size(3) != teacher.map().size(3);
  }

  private IllegalArgumentException differ(String what) {
    return new IllegalArgumentException(
        student.loss()
            + ": "
            + TensorArguments.describe("student", student.given())
            + " and "
            + TensorArguments.describe("teacher", teacher.given())
            + " differ in "
            + what);
  }
}
