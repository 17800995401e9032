package org.structkd.verify;

import java.util.Map;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/**
 * Runs what most ops are: a scalar of a student's and a teacher's tensor, and its gradient.
 *
 * @param golden the case
 * @param student name of the student's input
 * @param teacher name of the teacher's input
 */
record StudentTeacherCase(GoldenCase golden, String student, String teacher) {

  /** Reads the options that name the two inputs. */
  static StudentTeacherCase of(GoldenCase golden, GoldenOptions options) {
    return new StudentTeacherCase(
        golden, options.text("student", "S"), options.text("teacher", "T"));
  }

  GoldenOp.Computation computing(BinaryOperator<Tensor> loss) {
    return computing(UnaryOperator.identity(), loss);
  }

  /** With a view that brings the inputs as stored into the form that the loss takes. */
  GoldenOp.Computation computing(UnaryOperator<Tensor> view, BinaryOperator<Tensor> loss) {
    GoldenTensor studentInput = golden.input(student);
    GoldenTensor teacherInput = golden.input(teacher);
    return placement -> {
      Tensor leaf = placement.map(studentInput.tensor()).detach();
      leaf.set_requires_grad(true);
      Tensor value = loss.apply(view.apply(leaf), view.apply(placement.map(teacherInput.tensor())));
      value.backward();
      return new GoldenResult(
          Map.of("loss", GoldenResult.valuesOf(value)),
          Map.of(
              student, new GoldenTensor(studentInput.shape(), GoldenResult.valuesOf(leaf.grad()))));
    };
  }
}
