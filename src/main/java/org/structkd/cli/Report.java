package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/** The result of a run as one HTML file that needs no other. */
final class Report {
  private static final String STYLE =
      "body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
          + "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
          + "td:first-child{text-align:left}table{border-collapse:collapse}"
          + "img{max-width:100%}pre{background:#f4f4f4;padding:1em;overflow:auto}";

  private Report() {}

  static String html(
      String title,
      ScoreTable table,
      String note,
      Map<String, BufferedImage> pictures,
      String settings)
      throws IOException {
    StringBuilder html = new StringBuilder();
    html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.append("<title>").append(escape(title)).append("</title>");
    html.append("<style>").append(STYLE).append("</style></head><body>\n");
    html.append("<h1>").append(escape(title)).append("</h1>\n<table>\n");
    row(html, "th", ScoreTable.HEADINGS);
    for (List<String> row : table.rows()) {
      row(html, "td", row);
    }
    html.append("</table>\n<p>").append(escape(note)).append("</p>\n");
    for (Map.Entry<String, BufferedImage> picture : pictures.entrySet()) {
      String caption = escape(picture.getKey());
      html.append("<h2>").append(caption).append("</h2>\n<img alt=\"").append(caption);
      html.append("\" src=\"data:image/png;base64,").append(base64(picture.getValue()));
      html.append("\">\n");
    }
    html.append("<h2>Settings</h2>\n<pre>").append(escape(settings)).append("</pre>\n");
    return html.append("</body></html>\n").toString();
  }

  private static void row(StringBuilder html, String cell, List<String> texts) {
    html.append("<tr>");
    for (String text : texts) {
      html.append('<').append(cell).append('>').append(escape(text));
      html.append("</").append(cell).append('>');
    }
    html.append("</tr>\n");
  }

  private static String base64(BufferedImage image) throws IOException {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(image, "png", png);
    return Base64.getEncoder().encodeToString(png.toByteArray());
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
