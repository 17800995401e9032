package org.structkd.model;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.structkd.internal.NativeCall;

/** The telling sentence of what LibTorch says when it loads or runs TorchScript. */
final class ScriptError {
  /** The presets' release, as in pom.xml: PyTorch's releases of this number write what it reads. */
  static final String LIBTORCH = "2.10";

  private static final Pattern UNKNOWN = Pattern.compile("Unknown builtin op: ([\\w:.]+?)\\.?\\s");
  private static final Pattern VERSION =
      Pattern.compile("file with version (\\d+), but the maximum supported .* is (\\d+)");
  private static final Pattern VARIANT = Pattern.compile("\n\\s*([a-z]\\w*::[\\w.]+)\\(");
  private static final Pattern DEVICE =
      Pattern.compile("'CUDA' backend|on the same device|NVIDIA driver|No CUDA GPUs");

  private ScriptError() {}

  /** {@return what went wrong and, where it is known, what to do} */
  static String sentence(RuntimeException error) {
    String text = String.valueOf(error.getMessage());
    Matcher unknown = UNKNOWN.matcher(text);
    if (unknown.find()) {
      return "the operator "
          + unknown.group(1)
          + ", which "
          + libTorch()
          + " does not have: it is of a newer PyTorch or of another package; export with PyTorch "
          + LIBTORCH
          + ", or without this operator (docs/teachers.md)";
    }
    Matcher version = VERSION.matcher(text);
    if (version.find()) {
      return "version "
          + version.group(1)
          + " of the format, of a newer PyTorch; "
          + libTorch()
          + " reads up to "
          + version.group(2)
          + ": export with PyTorch "
          + LIBTORCH;
    }
    if (text.strip().startsWith("Arguments for call are not valid")) {
      Matcher variant = VARIANT.matcher(text);
      return "a call of "
          + (variant.find() ? variant.group(1) : "an operator")
          + " with other arguments than "
          + libTorch()
          + " knows: export with PyTorch "
          + LIBTORCH;
    }
    String telling = NativeCall.translate(error).getMessage();
    if (DEVICE.matcher(text).find()) {
      return "a network that makes tensors on the device it was exported on ("
          + telling
          + "): move model and images to the CPU before torch.jit.trace (docs/teachers.md)";
    }
    return telling;
  }

  private static String libTorch() {
    return "LibTorch " + LIBTORCH;
  }
}
