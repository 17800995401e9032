package org.structkd.internal;

import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Namespace;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.StdString;

/**
 * The functions of {@code torch/structkd_ops.h}, one to one. JavaCPP generates the bridge from the
 * annotations.
 *
 * <p>Call them through {@link NativeCall}, which loads the libraries and translates errors.
 */
@Platform(
    include = "structkd_ops.h",
    preload = "structkd", // its own entry, so that it is copied and opened before what needs it
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
}
