package org.structkd.run;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/** One HTML file that needs no other, made of parts in their order. */
final class Report {
  private static final String STYLE =
      "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
          + "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
          + "td:first-child,th:first-child{text-align:left}table{border-collapse:collapse}"
          + "img{max-width:100%}pre{background:#f4f4f4;padding:1em;overflow:auto}"
          + ".swatch{display:inline-block;width:1em;height:1em;border:1px solid #888;"
          + "vertical-align:middle;margin-right:.5em}";

  private final StringBuilder html = new StringBuilder();

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
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(image, "png", png);
    heading(caption);
    html.append("<img alt=\"").append(escape(caption)).append("\" src=\"data:image/png;base64,");
    html.append(Base64.getEncoder().encodeToString(png.toByteArray())).append("\">\n");
    return this;
  }

  /** The whole file. */
  String html() {
    return html + "</body></html>\n";
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
