package org.structkd.internal;

import org.bytedeco.javacpp.annotation.ByRef;
import org.bytedeco.javacpp.annotation.ByVal;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Namespace;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.StdString;
import org.bytedeco.pytorch.StringVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;

/**
 * The functions of {@code torch/structkd_ops.h}, one to one: what is no {@link Operator}. JavaCPP
 * generates the bridge from the annotations.
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

  /**
   * Routes CPU tensors to a backend, "" to the default; returns where they went before. "composed",
   * which has no kernel, is for CUDA tensors, too.
   */
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

  /** Frees idle memory of the buffer pool. */
  @Name("release_pool")
  public static native void releasePool();

  /** Idle bytes of the buffer pool. */
  @Name("pool_idle_bytes")
  public static native @Cast("int64_t") long poolIdleBytes();

  /** The most bytes that the pool keeps idle. */
  @Name("pool_max_idle_bytes")
  public static native @Cast("int64_t") long poolMaxIdleBytes();

  /**
   * The largest absolute gradient of these parameters in units of the square root of its type's
   * largest number; NaN if one is NaN.
   */
  @Name("largest_gradient")
  public static native double largestGradient(@Const @ByRef TensorVector parameters);

  /** The largest element of any tensors, in the gradients' units; integers are not looked at. */
  @Name("largest_value")
  public static native double largestValue(@Const @ByRef TensorVector tensors);

  /** Begins to write down what this thread computes, see {@code model.NetworkTrace}. */
  @Name("begin_trace")
  public static native void beginTrace(
      @Const @ByRef StringVector parameterNames,
      @Const @ByRef TensorVector parameters,
      @Const @ByRef StringVector bufferNames,
      @Const @ByRef TensorVector buffers,
      @Const @ByRef StringVector inputNames,
      @Const @ByRef TensorVector inputs);

  /** Ends that: the bytes of a TorchScript file, u8. */
  @Name("end_trace")
  public static native @ByVal Tensor endTrace(
      @Const @ByRef StringVector names,
      @Const @ByRef TensorVector outputs,
      @StdString String descriptionName,
      @StdString String description);

  /** Ends that without a result; nothing if this thread traces nothing. */
  @Name("abandon_trace")
  public static native void abandonTrace();

  /** A map at factor times the height and width of another; a trace asks for that size. */
  public static native @ByVal Tensor resized(
      @Const @ByRef Tensor map,
      @Const @ByRef Tensor like,
      @Cast("int64_t") long factor,
      @Cast("bool") boolean cubic);
}
