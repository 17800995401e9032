package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;
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
    return table(headings, rows, row -> "");
  }

  /** A table whose rows begin with a patch of a colour each, as 0xRRGGBB. */
  Report legend(List<String> headings, List<List<String>> rows, IntUnaryOperator colour) {
    return table(
        headings,
        rows,
        row ->
            "<span class=\"swatch\" style=\"background:#%06x\"></span>"
                .formatted(colour.applyAsInt(row)));
  }

  private Report table(
      List<String> headings, List<List<String>> rows, IntFunction<String> markOfRow) {
    html.append("<table>\n");
    row("th", "", headings);
    for (int i = 0; i < rows.size(); i++) {
      row("td", markOfRow.apply(i), rows.get(i));
    }
    html.append("</table>\n");
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

  private void row(String cell, String mark, List<String> texts) {
    html.append("<tr>");
    for (int i = 0; i < texts.size(); i++) {
      html.append('<').append(cell).append('>').append(i == 0 ? mark : "");
      html.append(escape(texts.get(i))).append("</").append(cell).append('>');
    }
    html.append("</tr>\n");
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
