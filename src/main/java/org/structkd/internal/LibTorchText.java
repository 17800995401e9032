package org.structkd.internal;

import java.io.IOException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;
import org.structkd.Status;

/**
 * What a text of LibTorch or JavaCPP means, in one sentence: its telling line, without the C++
 * stack and the list of everything that would have worked; and where users meet it often, what to
 * do.
 *
 * @param status the kind of failure
 * @param sentence for people
 */
record LibTorchText(Status status, String sentence) {
  /** A sentence of LibTorch that is longer goes on with what helps only LibTorch's authors. */
  private static final int LONGEST = 300;

  /** "2.10.0", as the preset on the class path has it. */
  private static final String VERSION = version();

  private static final String EXPORT =
      ": save torch.jit.freeze(torch.jit.trace(network, images)), with PyTorch "
          + VERSION
          + " if that does not help (docs/teachers.md)";

  /** The C++ stack of a text begins so; after a failed check (ENFORCE) in the second form. */
  private static final Pattern STACK =
      Pattern.compile("\n(Exception raised from |frame #0: ).*", Pattern.DOTALL);

  /** The operator's name stands below the first line, which is the same for all. */
  private static final Pattern CALL =
      Pattern.compile("^(Arguments for call are not valid)\\.\\s+.*\\s+([\\w:]+)[\\w.]*\\(");

  /** TorchScript tells where, then what, in its last line of this form. */
  private static final Pattern SCRIPT = Pattern.compile("(?m)^\\w*(?:Error|Exception): *(\\S.*)$");

  /**
   * A text that users meet.
   *
   * @param text found anywhere in the telling line
   * @param status what kind it is
   * @param sentence what to say; $0 stands for the text itself, $1 for its first group
   */
  private record Known(Pattern text, Status status, String sentence) {
    Known(String text, Status status, String sentence) {
      this(Pattern.compile(text), status, sentence);
    }
  }

  private static final List<Known> KNOWN =
      List.of(
          new Known(
              "PyTorch is not linked with support for cuda|Cannot initialize CUDA without"
                  + "|from the 'CUDA' backend|Found no NVIDIA driver|No CUDA GPUs are available",
              Status.CUDA,
              "LibTorch finds no CUDA here; it needs an NVIDIA driver and the GPU build of the"
                  + " presets (docs/gpu.md)"),
          new Known(
              "^element 0 of tensors does not require grad",
              Status.VALUE,
              "nothing that was computed needs a gradient: the parameters are frozen, an output was"
                  + " detached, or a NoGradGuard is open"),
          new Known(
              "Expected more than 1 value per channel when training, got input size (.*)",
              Status.SHAPE,
              "batch normalisation has no statistics of a single position, its input is $1: use a"
                  + " larger batch or map, or eval()"),
          new Known(
              ".*(?:expected scalar type|the same dtype|type .* should be the same).*",
              Status.DTYPE,
              "$0: convert one of them with to(...)"),
          new Known(
              "^\"(\\w+)\" not implemented for '(\\w+)'",
              Status.DTYPE,
              "LibTorch has no $1 for elements of the type $2: convert them with to(...)"),
          new Known(
              "Could not run '([^']*)' with arguments from the '([^']*)' backend.*",
              Status.BACKEND,
              "LibTorch has no $1 for tensors of the kind $2"),
          new Known(
              ".*you tried to allocate (\\d+ bytes).*",
              Status.INTERNAL,
              "LibTorch cannot allocate $1 of memory"),
          new Known(
              "^Unknown builtin op: (aten|prim)::(\\w+)",
              Status.BACKEND,
              "LibTorch " + VERSION + " has no operator $1::$2" + EXPORT),
          new Known(
              "^Unknown builtin op: (\\w+::\\w+)",
              Status.BACKEND,
              "the operator $1 belongs to a library that is not loaded here: export the part of the"
                  + " network in front of it (docs/teachers.md)"),
          new Known(
              "^Arguments for call are not valid: ([\\w:]+)",
              Status.BACKEND,
              "LibTorch " + VERSION + " knows no such call of $1" + EXPORT),
          new Known(
              "read a PyTorch file with version (\\d+), but the maximum .* is (\\d+)",
              Status.BACKEND,
              "an archive of version $1, LibTorch " + VERSION + " reads up to $2" + EXPORT),
          new Known(
              "^PytorchStreamReader failed .*",
              Status.BACKEND,
              "a zip archive that is cut off or damaged: copy it again ($0)"),
          new Known(
              "^This pointer address is NULL|^Pointer address of argument \\d+ is NULL",
              Status.NULL,
              "a tensor, module or other native object has been closed, or its PointerScope has"
                  + " ended"));

  /** {@return LibTorch's version, which stands first in "2.10.0-1.5.13", the presets' own} */
  private static String version() {
    String unknown = "of an unknown version";
    try {
      String preset = Loader.getVersion("org.bytedeco", "pytorch");
      return preset == null ? unknown : preset.replaceFirst("-.*", "");
    } catch (IOException e) {
      return unknown;
    }
  }

  static LibTorchText of(@Nullable String message) {
    String line = tellingLine(message == null ? "" : message);
    for (Known known : KNOWN) {
      Matcher found = known.text.matcher(line);
      if (found.find()) {
        String sentence = known.sentence;
        for (int group = 0; group <= found.groupCount(); group++) {
          sentence = sentence.replace("$" + group, found.group(group));
        }
        return new LibTorchText(known.status, sentence);
      }
    }
    return new LibTorchText(Status.INTERNAL, line);
  }

  /** The text in front of the C++ stack. */
  static String withoutStack(String message) {
    return STACK.matcher(message).replaceFirst("").strip();
  }

  /** The first line that says something, cut to the length of a sentence. */
  static String firstLine(@Nullable String message) {
    String line =
        withoutStack(String.valueOf(message))
            .lines()
            .map(String::strip)
            .filter(l -> !l.isEmpty())
            .findFirst()
            .orElse("LibTorch failed without saying why");
    if (line.length() <= LONGEST) {
      return line;
    }
    int end = line.lastIndexOf(". ", LONGEST);
    return end > 0 ? line.substring(0, end + 1) : line.substring(0, LONGEST) + " ...";
  }

  private static String tellingLine(String message) {
    String line = firstLine(message);
    Matcher call = CALL.matcher(withoutStack(message));
    if (call.find()) {
      return call.group(1) + ": " + call.group(2);
    }
    Matcher script = SCRIPT.matcher(withoutStack(message));
    while (script.find()) {
      line = firstLine(script.group(1));
    }
    return line;
  }
}
