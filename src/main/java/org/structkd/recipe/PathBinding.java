package org.structkd.recipe;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import java.io.IOException;
import java.nio.file.Path;

/** Paths count from the current folder, and become absolute: a run may go on in another one. */
final class PathBinding {
  private PathBinding() {}

  static final class Reader extends StdDeserializer<Path> {
    private static final long serialVersionUID = 1;

    Reader() {
      super(Path.class);
    }

    @Override
    public Path deserialize(JsonParser parser, DeserializationContext context) throws IOException {
      if (!parser.hasToken(JsonToken.VALUE_STRING)) {
        return (Path) context.handleUnexpectedToken(Path.class, parser);
      }
      return Path.of(parser.getText()).toAbsolutePath().normalize();
    }
  }

  static final class Writer extends StdSerializer<Path> {
    private static final long serialVersionUID = 1;

    Writer() {
      super(Path.class);
    }

    @Override
    public void serialize(Path path, JsonGenerator out, SerializerProvider provider)
        throws IOException {
      out.writeString(path.toString());
    }
  }
}
