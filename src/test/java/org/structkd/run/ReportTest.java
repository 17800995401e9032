package org.structkd.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.select.Elements;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.Chromium;

/** The page as a parser of HTML and a browser see it. */
class ReportTest {
  private static final int RED = 0xffe6194b;
  private static final int GREEN = 0xff3cb44b;
  private static final int BLUE = 0xff4363d8;
  private static final int GREY = 0xff808080;

  @TempDir private Path folder;

  private static BufferedImage plain(int colour) {
    BufferedImage image = new BufferedImage(24, 12, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(new Color(colour));
    graphics.fillRect(0, 0, 24, 12);
    graphics.dispose();
    return image;
  }

  private static Map<String, BufferedImage> pictures() {
    Map<String, BufferedImage> pictures = new LinkedHashMap<>();
    pictures.put("truth", plain(RED));
    pictures.put("student alone", plain(GREEN));
    pictures.put("student, \"a<b\"", plain(BLUE));
    return pictures;
  }

  private static String report() throws IOException {
    Report report = new Report("a <run> & more");
    report.paragraph("before");
    return report.slider("Sample 1", plain(GREY), pictures()).paragraph("behind").html();
  }

  @Test
  void aSliderIsALabelledInputBesideAllPictures() throws IOException {
    Document page = Jsoup.parse(report());
    assertEquals("a <run> & more", page.selectFirst("h1").text());
    Element sample = page.selectFirst(".samples");
    Elements layers = sample.select(".layers img");
    assertEquals(
        List.of("Sample 1, truth", "Sample 1, student alone", "Sample 1, student, \"a<b\""),
        layers.eachAttr("alt"));
    assertEquals(
        List.of("truth", "student alone", "student, \"a<b\""),
        sample.select(".layers span").eachText());
    assertEquals("Sample 1, image", sample.selectFirst(".beside img").attr("alt"));
    Element input = sample.selectFirst("label > input[type=range]");
    assertEquals("2", input.attr("max"));
    assertEquals("0", input.attr("value"));
    assertFalse(input.hasAttr("disabled") || input.hasAttr("tabindex"), "the keyboard reaches it");
    assertTrue(input.parent().hasAttr("hidden"), "where no script runs it would do nothing");
    assertTrue(input.parent().text().startsWith("Sample 1"), "what a screen reader calls it");
    assertEquals(1, page.select("script").size());
    assertEquals(List.of("before", "behind"), page.select("p").eachText());
  }

  @Test
  void picturesAreInThePageAndNothingIsFetched() throws IOException {
    Document page = Jsoup.parse(report());
    for (Element image : page.select("img")) {
      String[] source = image.attr("src").split(",", 2);
      assertEquals("data:image/png;base64", source[0]);
      BufferedImage read =
          ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(source[1])));
      assertEquals(24, read.getWidth());
      assertEquals(Integer.toString(24 * (192 / 12)), image.attr("width"), "enlarged");
    }
    assertEquals(0, page.select("link, script[src], iframe, [href]").size());
    assertFalse(report().contains("http"));
  }

  @Test
  void aSinglePictureHasNoSlider() throws IOException {
    String html = new Report("one").slider("Sample 1", null, Map.of("truth", plain(RED))).html();
    Document page = Jsoup.parse(html);
    assertEquals(1, page.select("img").size());
    assertNull(page.selectFirst("input"));
    assertNull(page.selectFirst("script"));
  }

  private static void requireChromium() {
    assumeTrue(
        Chromium.program().isPresent(),
        "there is no chromium on the path; the variable CHROMIUM may name one");
  }

  /** The page with the slider where a user would have moved it. */
  private Path moved(String name, double value) throws IOException {
    String move =
        "<script>document.querySelectorAll('input').forEach(function (input) {"
            + "input.value = "
            + value
            + "; input.dispatchEvent(new Event('input'));});</script></body>";
    return Files.writeString(folder.resolve(name), report().replace("</body>", move));
  }

  private static Map<Integer, Long> pixels(BufferedImage seen) {
    return Arrays.stream(
            seen.getRGB(0, 0, seen.getWidth(), seen.getHeight(), null, 0, seen.getWidth()))
        .boxed()
        .filter(Set.of(RED, GREEN, BLUE, GREY)::contains)
        .collect(Collectors.groupingBy(colour -> colour, Collectors.counting()));
  }

  /** Eighths of a picture that a colour fills, of what is more than an edge. */
  private static Map<Integer, Long> eighths(BufferedImage seen) {
    long eighth = 24 * 16 * 12 * 16 / 8;
    Map<Integer, Long> eighths = new HashMap<>();
    pixels(seen).forEach((colour, count) -> eighths.put(colour, Math.round(1.0 * count / eighth)));
    eighths.values().removeIf(count -> count == 0);
    return eighths;
  }

  @Test
  void movingTheSliderChangesWhatIsSeen() throws Exception {
    requireChromium();
    Map<Double, Map<Integer, Long>> expected =
        Map.of(
            0.0, Map.of(GREY, 8L, RED, 8L),
            0.5, Map.of(GREY, 8L, RED, 4L, GREEN, 4L),
            1.0, Map.of(GREY, 8L, GREEN, 8L),
            1.75, Map.of(GREY, 8L, GREEN, 2L, BLUE, 6L),
            2.0, Map.of(GREY, 8L, BLUE, 8L));
    for (Map.Entry<Double, Map<Integer, Long>> position : expected.entrySet()) {
      Path page = moved("page" + position.getKey() + ".html", position.getKey());
      assertEquals(
          position.getValue(), eighths(Chromium.screenshot(page)), "at " + position.getKey());
    }
  }

  @Test
  void theSliderTellsWhatIsSeen() throws Exception {
    requireChromium();
    Document page = Jsoup.parse(Chromium.dom(moved("half.html", 0.5)));
    assertEquals("student alone | truth", page.selectFirst("output").text());
    assertEquals("student alone | truth", page.selectFirst("input").attr("aria-valuetext"));
    assertFalse(page.selectFirst("label").hasAttr("hidden"));
    page = Jsoup.parse(Chromium.dom(moved("end.html", 2)));
    assertEquals("student, \"a<b\"", page.selectFirst("output").text());
  }

  @Test
  void withoutScriptsAllPicturesAreSeen() throws Exception {
    requireChromium();
    String forbidden =
        "<meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'none'\"><title>";
    Path page =
        Files.writeString(folder.resolve("page.html"), report().replace("<title>", forbidden));
    Map<Integer, Long> all = Map.of(GREY, 8L, RED, 8L, GREEN, 8L, BLUE, 8L);
    assertEquals(all, eighths(Chromium.screenshot(page)));
  }
}
