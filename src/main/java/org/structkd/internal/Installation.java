package org.structkd.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.module.ModuleDescriptor.Version;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * What must lie on the class path or the module path, and of which version, found out in Java: with
 * another LibTorch native code ends the JVM instead of failing.
 *
 * <p>No method runs native code or initialises a class of the presets, which would.
 */
final class Installation {
  /** The platform that natives are published for. */
  private static final String PUBLISHED = "linux-x86_64";

  /** LibTorch's natives come with CUDA or without; JavaCPP looks for them in this order. */
  static final List<String> EXTENSIONS = List.of("-gpu", "");

  private static final Properties BUILD = buildProperties();

  private final String platform;

  Installation(String platform) {
    this.platform = platform;
  }

  /**
   * {@return the sentence that says what is missing or wrong, the cause of others first; or null}
   */
  @Nullable String problem() throws IOException {
    boolean hasOurs = Loader.findResource(NativeOps.class, ours("libstructkd.so")) != null;
    if (!hasOurs && !platform.equals(PUBLISHED)) {
      return unsupported();
    }
    if (platform.startsWith("linux") && isMusl(Path.of("/proc/self/maps"))) {
      return "structkd and LibTorch need GLIBC, but this JVM runs on musl, as in Alpine Linux: use a"
          + " system with GLIBC 2.35 or newer, such as Debian 12 or Ubuntu 22.04";
    }
    String wrong = wrongVersion("JavaCPP", "javacpp", Loader.class.getResource("Loader.class"));
    if (wrong == null) {
      wrong = wrongVersion("LibTorch", "pytorch", torch.class.getResource("torch.class"));
    }
    return wrong != null ? wrong : problemOfNatives(hasOurs);
  }

  private @Nullable String problemOfNatives(boolean hasOurs) throws IOException {
    boolean hasLibTorch = false;
    for (String extension : EXTENSIONS) {
      URL library = Loader.findResource(torch.class, libTorch(extension, "libtorch_cpu.so"));
      String wrong = wrongVersion("LibTorch", "pytorch", library);
      if (wrong != null) {
        return wrong;
      }
      hasLibTorch |= library != null;
    }
    if (!hasLibTorch) {
      return missing("LibTorch", "org.bytedeco:pytorch:" + built("pytorch"));
    }
    String blas = "/org/bytedeco/openblas/" + platform + "/libjniopenblas_nolapack.so";
    if (Loader.findResource(openblas.class, blas) == null) {
      return missing("OpenBLAS", "org.bytedeco:openblas:" + built("openblas"));
    }
    return hasOurs ? null : missing("structkd", "org.structkd:structkd:" + built("structkd"));
  }

  /** {@return the resource name of a native library of ours} */
  String ours(String library) {
    return "/org/structkd/" + platform + "/" + library;
  }

  /** {@return the resource name of a native library of LibTorch} */
  String libTorch(String extension, String library) {
    return "/org/bytedeco/pytorch/" + platform + extension + "/" + library;
  }

  /** {@return the version of an artifact that structkd was built with, or of structkd} */
  static String built(String artifact) {
    return BUILD.getProperty(artifact);
  }

  private String unsupported() {
    String asked = System.getProperty("org.bytedeco.javacpp.platform");
    return String.format(
        "structkd has no native library for %s, only for %s; this is %s on %s%s",
        platform,
        PUBLISHED,
        System.getProperty("os.name"),
        System.getProperty("os.arch"),
        asked == null ? "" : ", but the system property org.bytedeco.javacpp.platform is " + asked);
  }

  /** Whether the process that has these mappings uses the C library musl. */
  static boolean isMusl(Path maps) throws IOException {
    if (!Files.exists(maps)) {
      return false;
    }
    try (Stream<String> lines = Files.lines(maps)) {
      return lines.anyMatch(line -> line.matches(".*/(ld-musl-|libc\\.musl-)[^/]*"));
    }
  }

  /**
   * JavaCPP may be newer than the build's, LibTorch must be the same; null if it is, if the
   * resource is absent, or if its jar does not tell its version, as some shaded ones.
   */
  private @Nullable String wrongVersion(String name, String artifact, @Nullable URL resource) {
    String found = resource == null ? null : versionBeside(resource, artifact);
    String built = built(artifact);
    boolean fits =
        found == null
            || found.equals(built)
            || (artifact.equals("javacpp")
                && Version.parse(found).compareTo(Version.parse(built)) > 0);
    return fits
        ? null
        : String.format(
            "%s is %s (%s), but structkd was built with %s: depend on org.bytedeco:%s:%s and on its"
                + " classifier %s",
            name, found, root(resource), built, artifact, built, platform);
  }

  /** The version that the jar of a resource tells. */
  private static @Nullable String versionBeside(URL resource, String artifact) {
    String name = "META-INF/maven/org.bytedeco/" + artifact + "/pom.properties";
    try (InputStream in = new URL(resource, root(resource) + name).openStream()) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException e) {
      return null;
    }
  }

  /** Where the resource org/... is below. */
  private static String root(URL resource) {
    String url = resource.toString();
    return url.substring(0, url.lastIndexOf("/org/bytedeco/") + 1);
  }

  private String missing(String name, String artifact) {
    if (!torch.class.getModule().isNamed()) {
      return String.format(
          "%s's natives for %s are not on the class path: add the dependency %s with"
              + " <classifier>%s</classifier>",
          name, platform, artifact, platform);
    }
    String modules =
        Stream.of("bytedeco.pytorch", "bytedeco.openblas", "bytedeco.javacpp", "structkd")
            .map(module -> "org." + module + "." + platform.replace('-', '.'))
            .reduce((first, second) -> first + "," + second)
            .orElseThrow();
    return String.format(
        "%s's natives for %s are in no module that this JVM has resolved: put the jars of classifier"
            + " %s of %s on the module path and start with java --add-modules %s",
        name, platform, platform, artifact, modules);
  }

  private static Properties buildProperties() {
    Properties properties = new Properties();
    try (InputStream in = Installation.class.getResourceAsStream("build.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties;
  }
}
