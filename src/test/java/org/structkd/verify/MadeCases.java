package org.structkd.verify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Golden cases that tests write themselves. */
final class MadeCases {
  private MadeCases() {}

  /** A case of JSON with ' for ". */
  static GoldenCase golden(String json) {
    try {
      return GoldenCase.of(
          new GoldenValue(
              "file: case made", "", new ObjectMapper().readTree(json.replace('\'', '"'))));
    } catch (JsonProcessingException e) {
      throw new AssertionError(json, e);
    }
  }
}
