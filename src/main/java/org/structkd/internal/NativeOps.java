package org.structkd.internal;

import org.bytedeco.javacpp.annotation.ByRef;
import org.bytedeco.javacpp.annotation.ByVal;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Namespace;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.StdString;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;

/**
 * The functions of {@code torch/structkd_ops.h}, one to one. JavaCPP generates the bridge from the
 * annotations.
 *
 * <p>Call them through {@link NativeCall}, which loads the libraries and translates errors.
 */
@Platform(
    include = "structkd_ops.h",
    preload = "structkd", // its own entry, so that it is copied beside what needs it
    link = "structkd_torch",
    compiler = "cpp17",
    library = "jnistructkd")
@Namespace("structkd")
public final class NativeOps {
  private NativeOps() {}

  /** Version of the kernel library. */
  public static native @StdString String version();

  /** What the last loss call on this thread chose; empty if there was none. */
  @Name("last_plan")
  public static native @StdString String lastPlan();

  /** Names of the registered backends, separated by commas. */
  @Name("backend_names")
  public static native @StdString String backendNames();

  /** What a backend runs on, such as "avx512". */
  @Name("backend_description")
  public static native @StdString String backendDescription(@StdString String backend);

  /** Routes CPU tensors to a backend, "" to the default; returns where they went before. */
  @Name("use_backend")
  public static native @StdString String useBackend(@StdString String backend);

  /** Names the folder of the libraries that CUDA tensors need. */
  @Name("look_for_cuda_in")
  public static native void lookForCudaIn(@StdString String folder);

  /** Why CUDA tensors cannot be used here; empty if they can. */
  @Name("cuda_problem")
  public static native @StdString String cudaProblem();

  /** Whether backward has reached a parameter. */
  @Name("has_gradient")
  public static native @Cast("bool") boolean hasGradient(@Const @ByRef Tensor parameter);

  /** One step of Adam, or of AdamW where the decay is decoupled; steps counts this one. */
  @Name("adam_step")
  public static native void adamStep(
      @Const @ByRef Tensor parameter,
      @Const @ByRef Tensor expAvg,
      @Const @ByRef Tensor expAvgSq,
      @Cast("int64_t") long steps,
      double rate,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      @Cast("bool") boolean decoupled);

  /** One step of gradient descent; a momentum of 0 does not look at its buffer. */
  @Name("sgd_step")
  public static native void sgdStep(
      @Const @ByRef Tensor parameter,
      @Const @ByRef Tensor momentumBuffer,
      double rate,
      double momentum,
      @Cast("bool") boolean nesterov,
      double weightDecay);

  /** A Long that kernels of the map's device can read; nobody waits for the device. */
  @Name("number_beside")
  public static native @ByVal Tensor numberBeside(
      @Const @ByRef Tensor map, @Cast("int64_t") long number);

  /** Integer labels [B, H', W'] at the size of a map, by the nearest neighbour. */
  @Name("labels_at")
  public static native @ByVal Tensor labelsAt(
      @Const @ByRef Tensor labels, @Cast("int64_t") long height, @Cast("int64_t") long width);

  /** Frees idle memory of the buffer pool. */
  @Name("release_pool")
  public static native void releasePool();

  /** Idle bytes of the buffer pool. */
  @Name("pool_idle_bytes")
  public static native @Cast("int64_t") long poolIdleBytes();

  /** What idle bytes never exceed. */
  @Name("pool_max_idle_bytes")
  public static native @Cast("int64_t") long poolMaxIdleBytes();

  /** Pair-wise loss. */
  public static native @ByVal Tensor pairwise(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional weights,
      @Cast("int64_t") long norm,
      @Cast("int64_t") long epsMode,
      double eps,
      @Cast("int64_t") long pairs,
      @Cast("int64_t") long precision);

  /** Condition number of the pair-wise loss. */
  @Name("pairwise_condition_number")
  public static native double pairwiseConditionNumber(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional weights,
      @Cast("int64_t") long norm,
      @Cast("int64_t") long epsMode,
      double eps,
      @Cast("int64_t") long pairs);

  /** Inter-class similarity loss, published formula; the mask is u8 or bool. */
  @Name("inter_class_similarity")
  public static native @ByVal Tensor interClassSimilarity(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional mask,
      double temperature,
      @Cast("bool") boolean rowNormalize);

  /** Inter-class similarity loss as AICSD's code computed it. */
  @Name("inter_class_similarity_code")
  public static native @ByVal Tensor interClassSimilarityCode(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Cast("int64_t") long code,
      double temperature,
      @Cast("bool") boolean rowNormalize);

  /** Sampling of GSSKD: I32 [B, 2 + M], counts and indices of each image. */
  @Name("global_structural_sample")
  public static native @ByVal Tensor globalStructuralSample(
      @Const @ByRef Tensor map,
      @Const @ByRef TensorOptional teacherLogits,
      @Const @ByRef TensorOptional labels,
      @Cast("int64_t") long sampling,
      @Cast("int64_t") long fill,
      @Cast("int64_t") long draw,
      boolean teacherCorrectOnly,
      @Cast("int64_t") long samples,
      @Cast("int64_t") long minCandidates,
      @Cast("int64_t") long numClasses,
      @Cast("int64_t") long ignoreIndex,
      @Cast("int64_t") long seed,
      @Const @ByRef Tensor step);

  /** GSSKD's comparison by groups of a similarity map. */
  @Name("global_structural")
  public static native @ByVal Tensor globalStructural(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional indices,
      @Const @ByRef TensorOptional counts,
      @Const @ByRef TensorOptional permutation,
      boolean normalize,
      @Cast("int64_t") long similarity,
      @Cast("int64_t") long shuffle,
      @Cast("int64_t") long reduction,
      @Cast("int64_t") long remainder,
      @Cast("int64_t") long batch,
      @Cast("int64_t") long groupWidth,
      double temperature,
      double eps,
      @Cast("int64_t") long classes,
      @Cast("int64_t") long seed,
      @Const @ByRef Tensor step);

  /** The other comparisons of GSSKD, composed of LibTorch operations. */
  @Name("global_structural_composed")
  public static native @ByVal Tensor globalStructuralComposed(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional indices,
      @Const @ByRef TensorOptional counts,
      @Const @ByRef TensorOptional permutation,
      boolean relation,
      boolean normalize,
      @Cast("int64_t") long similarity,
      @Cast("int64_t") long shuffle,
      @Cast("int64_t") long remainder,
      @Cast("int64_t") long batch,
      @Cast("int64_t") long groupWidth,
      double temperature,
      double eps,
      @Cast("int64_t") long classes,
      @Cast("int64_t") long seed,
      @Const @ByRef Tensor step);

  /**
   * The largest absolute gradient of these parameters in units of the square root of its type's
   * largest number; NaN if one is NaN.
   */
  @Name("largest_gradient")
  public static native double largestGradient(@Const @ByRef TensorVector parameters);

  /** The same of the elements of any tensors; integers are not looked at. */
  @Name("largest_value")
  public static native double largestValue(@Const @ByRef TensorVector tensors);

  /** Pixel-wise loss. */
  public static native @ByVal Tensor pixelwise(
      @Const @ByRef Tensor student,
      @Const @ByRef Tensor teacher,
      @Const @ByRef TensorOptional mask,
      @Cast("int64_t") long divergence,
      @Cast("int64_t") long divisor,
      double temperature,
      boolean temperatureSquared);
}
