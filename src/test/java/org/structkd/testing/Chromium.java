package org.structkd.testing;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/** A browser without a window, which the variable CHROMIUM names, else one on the path. */
public final class Chromium {
  private static final int WIDTH = 1000;
  private static final int HEIGHT = 800;
  private static final int SECONDS = 60;

  private Chromium() {}

  /** {@return the program; empty where there is none} */
  public static Optional<String> program() {
    String given = System.getenv("CHROMIUM");
    if (given != null) {
      return Optional.of(given);
    }
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(
            folder ->
                Stream.of("chromium", "chromium-browser", "google-chrome")
                    .map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .map(Path::toString)
        .findFirst();
  }

  /**
   * {@return the document as it is after its scripts}
   *
   * @param page an HTML file
   */
  public static String dom(Path page) throws Exception {
    return run(page, "--dump-dom");
  }

  /**
   * {@return what is seen of the top of a page}
   *
   * @param page an HTML file
   */
  public static BufferedImage screenshot(Path page) throws Exception {
    Path picture = page.resolveSibling(page.getFileName() + ".png");
    run(page, "--screenshot=" + picture);
    return ImageIO.read(picture.toFile());
  }

  private static String run(Path page, String option) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                program().orElseThrow(),
                "--headless",
                "--no-sandbox", // which needs a user that is not root
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
                "--window-size=" + WIDTH + "," + HEIGHT,
                "--user-data-dir=" + page.resolveSibling("profile")));
    command.add(option);
    command.add(page.toUri().toString());
    Path out = page.resolveSibling("chromium.out");
    Path err = page.resolveSibling("chromium.err");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IOException(command + " took longer than " + SECONDS + " s");
    }
    String text = Files.readString(out, StandardCharsets.UTF_8);
    if (process.exitValue() != 0) {
      throw new IOException(
          command + " ended with " + process.exitValue() + ": " + Files.readString(err));
    }
    return text;
  }
}
