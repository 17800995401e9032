package org.structkd.run;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;

/** One HTML file that needs no other, made of parts in their order. */
final class Report {
  private static final String STYLE =
      "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
          + "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
          + "td:first-child,th:first-child{text-align:left}table{border-collapse:collapse}"
          + "img{max-width:100%}pre{background:#f4f4f4;padding:1em;overflow:auto}"
          + ".swatch{display:inline-block;width:1em;height:1em;border:1px solid #888;"
          + "vertical-align:middle;margin-right:.5em}"
          + ".samples{display:inline-block;vertical-align:top;margin:0 2em 1.5em 0}"
          + ".layers,.beside{display:inline-flex;flex-wrap:wrap;gap:.5em;vertical-align:top}"
          + ".samples img{display:block;image-rendering:pixelated}"
          + ".samples .stacked{display:inline-grid}.stacked>*{grid-area:1/1}"
          + ".stacked span{display:none}.samples input{width:16em;vertical-align:middle}";

  /**
   * Stacks the pictures of each slider and lays the next one over the last from the left, as far as
   * the slider has come between the two. Without it all are seen side by side.
   */
  private static final String SCRIPT =
      """
      document.querySelectorAll('.samples').forEach(function (sample) {
        var layers = sample.querySelectorAll('.layers>*');
        var slider = sample.querySelector('input');
        var seen = sample.querySelector('output');
        if (!slider) {
          return;
        }
        function show() {
          layers.forEach(function (layer, i) {
            var covered = Math.max(0, Math.min(1, slider.value - i + 1));
            layer.style.clipPath = i ? 'inset(0 ' + 100 * (1 - covered) + '% 0 0)' : '';
          });
          var left = layers[Math.ceil(slider.value)].textContent;
          var right = layers[Math.floor(slider.value)].textContent;
          seen.textContent = left === right ? left : left + ' | ' + right;
          slider.setAttribute('aria-valuetext', seen.textContent);
        }
        sample.querySelector('.layers').classList.add('stacked');
        sample.querySelector('label').hidden = false;
        slider.addEventListener('input', show);
        show();
      });
      """;

  /** Pixels: smaller pictures are enlarged by whole factors to about this height. */
  private static final int LEAST_HEIGHT = 192;

  private final StringBuilder html = new StringBuilder();
  private boolean slides;

  Report(String title) {
    html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.append("<title>").append(escape(title)).append("</title>");
    html.append("<style>").append(STYLE).append("</style></head><body>\n");
    html.append("<h1>").append(escape(title)).append("</h1>\n");
  }

  Report heading(String text) {
    html.append("<h2>").append(escape(text)).append("</h2>\n");
    return this;
  }

  Report paragraph(String text) {
    html.append("<p>").append(escape(text)).append("</p>\n");
    return this;
  }

  Report preformatted(String text) {
    html.append("<pre>").append(escape(text)).append("</pre>\n");
    return this;
  }

  Report table(List<String> headings, List<List<String>> rows) {
    html.append("<table>\n");
    row("th", headings);
    rows.forEach(row -> row("td", row));
    html.append("</table>\n");
    return this;
  }

  /** Patches of colours, 0xRRGGBB by what they mean. */
  Report legend(Map<String, Integer> colours) {
    html.append("<p>");
    colours.forEach(
        (meaning, colour) ->
            html.append(
                    "<span class=\"swatch\" style=\"background:#%06x\"></span>".formatted(colour))
                .append(escape(meaning))
                .append(" &emsp;"));
    html.append("</p>\n");
    return this;
  }

  Report picture(String caption, BufferedImage image) throws IOException {
    heading(caption);
    image(caption, image, "");
    html.append('\n');
    return this;
  }

  /**
   * Pictures of one size, of which a slider shows one, or two next to each other in the order; all
   * side by side where scripts do not run.
   *
   * @param caption such as "Sample 1"
   * @param beside a picture that is always seen; null for none
   * @param pictures by what they are; of one there is no slider
   */
  Report slider(String caption, @Nullable BufferedImage beside, Map<String, BufferedImage> pictures)
      throws IOException {
    boolean several = pictures.size() > 1;
    slides |= several;
    html.append("<div class=\"samples\"><div>\n");
    if (beside != null) {
      html.append("<div class=\"beside\">");
      layer(caption + ", image", "image", beside);
      html.append("</div>\n");
    }
    html.append("<div class=\"layers\">\n");
    for (Map.Entry<String, BufferedImage> picture : pictures.entrySet()) {
      layer(caption + ", " + picture.getKey(), picture.getKey(), picture.getValue());
    }
    html.append("</div></div>\n");
    if (several) {
      html.append("<label hidden>").append(escape(caption));
      html.append(" <input type=\"range\" min=\"0\" max=\"%d\"".formatted(pictures.size() - 1));
      html.append(" step=\"0.05\" value=\"0\"> <output></output></label>");
    }
    html.append("</div>\n");
    return this;
  }

  private void layer(String alternative, String title, BufferedImage picture) throws IOException {
    int zoom = Math.max(1, LEAST_HEIGHT / picture.getHeight());
    html.append("<div>");
    image(alternative, picture, " width=\"%d\"".formatted(zoom * picture.getWidth()));
    html.append("<span>").append(escape(title)).append("</span></div>\n");
  }

  private void image(String alternative, BufferedImage image, String attributes)
      throws IOException {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(image, "png", png);
    html.append("<img alt=\"").append(escape(alternative)).append('"').append(attributes);
    html.append(" src=\"data:image/png;base64,");
    html.append(Base64.getEncoder().encodeToString(png.toByteArray())).append("\">");
  }

  /** The whole file. */
  String html() {
    return html + (slides ? "<script>\n" + SCRIPT + "</script>\n" : "") + "</body></html>\n";
  }

  private void row(String cell, List<String> texts) {
    html.append("<tr>");
    texts.forEach(text -> html.append("<%s>%s</%s>".formatted(cell, escape(text), cell)));
    html.append("</tr>\n");
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
