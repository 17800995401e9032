package org.structkd.objective;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.TensorArguments;

/** Brings a teacher's map to the size of the student's. */
final class TeacherSize {
  private TeacherSize() {}

  /** Bilinear, corners not aligned, out of the graph; itself if the sizes are equal. */
  static Tensor of(Tensor teacher, Tensor student) {
    TensorArguments.requireOpen("resizing of the teacher", "student", student);
    TensorArguments.requireOpen("resizing of the teacher", "teacher", teacher);
    if (student.dim() != 4 || teacher.dim() != 4) {
      throw new IllegalArgumentException(
          "resizing of the teacher: "
              + TensorArguments.describe("student", student)
              + " and "
              + TensorArguments.describe("teacher", teacher)
              + ", expected two maps [batch, channels, height, width]");
    }
    long[] size = {student.size(2), student.size(3)};
    return teacher.size(2) == size[0] && teacher.size(3) == size[1]
        ? teacher
        : torch.upsample_bilinear2d(teacher.detach(), size, false);
  }
}
