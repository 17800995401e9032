package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;

/** Safetensors files that are not what they say: each is refused by its sentence, at once. */
@InScope
class HostileFileTest {
  /** A file with this header (' for ") and as many bytes of data, 0, 1, 2 and so on. */
  private static byte[] file(String header, int dataLength) {
    byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    return file(json.length, json, dataLength);
  }

  private static byte[] file(long headerLength, byte[] header, int dataLength) {
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + header.length + dataLength).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(headerLength).put(header);
    for (int i = 0; i < dataLength; i++) {
      bytes.put((byte) i);
    }
    return bytes.array();
  }

  private static TensorFile read(byte[] bytes) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(bytes), "it");
  }

  private static String refusal(byte[] bytes) {
    DataFileException error = assertThrows(DataFileException.class, () -> read(bytes));
    assertEquals("it", error.file());
    return "expected " + error.expected() + ", found " + error.found();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}} | 8 | expected tensor \"a\", F32 [2], to take 8 bytes, found data_offsets [0, 4]",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}} | 8 | expected tensor \"a\", F32 [2], to take 8 bytes, found data_offsets [8, 0]",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}} | 8 | expected tensor \"a\", F32 [2], to take 8 bytes, found data_offsets [0]",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} | 4 | expected 8 bytes of data, found 4 bytes: truncated",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} | 9 | expected 8 bytes of data, found 9 bytes",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[4,12]}} | 12 | expected tensor \"a\" to begin where the one before ends, at 0, found 4: a hole",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[4],'data_offsets':[2,6]}} | 6 | expected tensor \"b\" to begin where the one before ends, at 4, found 2: they overlap",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}} | 4 | expected tensor \"b\" to begin where the one before ends, at 4, found 0: they overlap",
        "{'a':{'dtype':'U8','shape':[1152921504606846976],'data_offsets':[0,1152921504606846976]}} | 4 | expected tensor \"a\" shape to be whole numbers below 10^18, found 1152921504606846976",
        "{'a':{'dtype':'U8','shape':[100000000000000000],'data_offsets':[0,100000000000000000]}} | 4 | expected 100000000000000000 bytes of data, found 4 bytes: truncated",
        "{'a':{'dtype':'F64','shape':[99999999999,99999999999],'data_offsets':[0,8]}} | 8 | expected tensor \"a\", F64 [99999999999, 99999999999], to fit into 2^63 bytes, found more",
        "{'a':{'dtype':'U8','shape':[-4],'data_offsets':[0,4]}} | 4 | expected tensor \"a\" shape to be whole numbers below 10^18, found -4",
        "{'a':{'dtype':'U8','shape':[4.0],'data_offsets':[0,4]}} | 4 | expected tensor \"a\" shape to be whole numbers below 10^18, found 4.0",
        "{'a':{'dtype':'U8','shape':['4'],'data_offsets':[0,4]}} | 4 | expected tensor \"a\" shape to be whole numbers below 10^18, found \"4\"",
        "{'a':{'dtype':'F4','shape':[4],'data_offsets':[0,4]}} | 4 | expected tensor \"a\" to have a dtype of [BOOL, U8, I8, F8_E4M3, F8_E5M2, I16, U16, F16, BF16, I32, U32, F32, I64, U64, F64, C64], found \"F4\"",
        "{'a':{'dtype':3,'shape':[4],'data_offsets':[0,4]}} | 4 | expected tensor \"a\" dtype to be a text, found 3",
        "{'a':{'dtype':'U8','shape':4,'data_offsets':[0,4]}} | 4 | expected tensor \"a\" shape to be a list, found 4",
        "{'a':{'dtype':'U8','shape':[4]}} | 4 | expected tensor \"a\" to have data_offsets, dtype, shape, found dtype, shape",
        "{'a':{}} | 4 | expected tensor \"a\" to have data_offsets, dtype, shape, found none",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4],'x':1}} | 4 | expected tensor \"a\" to have data_offsets, dtype, shape, found data_offsets, dtype, shape, x",
        "{'a':{'dtype':'U8','shape':[4],'shape':[4],'data_offsets':[0,4]}} | 4 | expected a header in JSON, found Duplicate field 'shape'",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}} | 4 | expected a header in JSON, found Duplicate field 'a'",
        "{'__metadata__':{'k':'v'},'__metadata__':{}} | 0 | expected a header in JSON, found Duplicate field '__metadata__'",
        "{'__metadata__':{'k':'v','k':'w'}} | 0 | expected a header in JSON, found Duplicate field 'k'",
        "{'__metadata__':{'k':7}} | 0 | expected __metadata__ k to be a text, found 7",
        "{'__metadata__':['k']} | 0 | expected __metadata__ to be an object, found [\"k\"]",
        "{'a':null} | 0 | expected tensor \"a\" to be an object, found null",
        "{} x | 0 | expected a header in JSON, found",
        "{}{} | 0 | expected a header in JSON, found",
        "{a:1} | 0 | expected a header in JSON, found",
        "{'a' | 0 | expected a header in JSON, found",
        "[] | 0 | expected a safetensors file, found another format",
        "` {}` | 0 | expected a safetensors file, found another format",
        "{'__metadata__':{'structkd':'1'}} | 0 | expected checksum null, found",
        "{'__metadata__':{'checksum':'00000000'}} | 0 | expected structkd \"1\" in its metadata, found \"null\"",
        "{'__metadata__':{'structkd':'2'}} | 0 | expected structkd \"1\" in its metadata, found \"2\"",
      })
  void headersThatLieAreRefused(String header, int dataLength, String sentence) {
    String said = refusal(file(header, dataLength));
    assertEquals(sentence, said.substring(0, Math.min(said.length(), sentence.length())), said);
  }

  @ParameterizedTest
  @CsvSource({
    "1152921504606846976, found 1152921504606846976 bytes",
    "-1, found 18446744073709551615 bytes",
    "3, found 3 bytes",
  })
  void lengthsBeyondTheFileAreRefused(long length, String found) {
    byte[] bytes = file(length, "{}".getBytes(StandardCharsets.UTF_8), 0);
    assertEquals(
        "expected a header of at most 2 bytes, " + found + ": truncated, or another format",
        refusal(bytes));
  }

  @Test
  void aHeaderLongerThanTheFormatAllowsIsNotRead() {
    DataFileException error =
        assertThrows(
            DataFileException.class,
            () ->
                SafetensorsHeader.requireLength(
                    SafetensorsHeader.MAX_LENGTH + 1, Long.MAX_VALUE, "it"));
    assertEquals("a header of at most 100000000 bytes", error.expected());
  }

  @Test
  void bytesThatAreNoUtf8AreRefused() {
    byte[] header = "{\"__metadata__\":{\"k\":\"?\"}}".getBytes(StandardCharsets.UTF_8);
    header[header.length - 4] = (byte) 0xff;
    assertEquals(
        "expected a header in UTF-8, found other bytes", refusal(file(header.length, header, 0)));
  }

  /** What Python or a person may write differently is accepted. */
  @Test
  void orderBlanksAndMissingMetadataDoNotMatter() throws IOException {
    TensorFile file =
        read(
            file(
                "{ 'b' : {'shape':[2],'data_offsets':[3,5],'dtype':'U8'}, \n"
                    + "'a':{'dtype':'U8','shape':[3,1],'data_offsets':[0,3]},"
                    + "'empty':{'dtype':'F32','shape':[0,7],'data_offsets':[3,3]},"
                    + "'one':{'dtype':'I8','shape':[],'data_offsets':[5,6]} }   ",
                6));
    assertEquals(Set.of("a", "b", "empty", "one"), file.names());
    assertEquals(Map.of(), file.properties());
    assertEquals(4, file.tensor("b").select(0, 1).item_int());
    assertArrayEquals(new long[] {3, 1}, file.tensor("a").shape());
    assertArrayEquals(new long[] {0, 7}, file.tensor("empty").shape());
    assertEquals(5, file.tensor("one").item_int());
  }

  /** Whatever the bytes are: read, or refused by the one exception. */
  @Test
  void randomDamageIsNeverAnythingElse() throws IOException {
    byte[] good =
        file(
            "{'__metadata__':{'k':'v'},'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
                + "'b':{'dtype':'U8','shape':[3,1],'data_offsets':[8,11]}}",
            11);
    Random random = new Random(5);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = good.clone();
      for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      }
      try {
        TensorFile file = read(bytes);
        for (String name : file.names()) {
          try (PointerScope one = new PointerScope()) {
            file.tensor(name);
          }
        }
      } catch (DataFileException refused) {
        assertEquals("it", refused.file());
      }
    }
  }

  private static Module module(Tensor parameter, Tensor buffer) {
    Module module = new ModuleDictImpl();
    module.register_parameter("weight", parameter, false);
    module.register_buffer("mean", buffer);
    return module;
  }

  private static TensorFile fileOf(Module module) throws IOException {
    TensorFile.Builder file = TensorFile.builder();
    StateDict.save(module, file);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    file.build("it").write(bytes);
    return read(bytes.toByteArray());
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3", "C64"})
  void weightsThatAreNotFiniteAreRefusedAndChangeNothing(ElementType type) throws IOException {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      if (type == ElementType.F8_E4M3 && !Double.isNaN(bad)) {
        continue; // it has no infinity
      }
      Module good = module(torch.ones(4), torch.ones(3).to(type.scalar));
      Tensor damaged = torch.ones(3);
      damaged.select(0, 1).fill_(new Scalar(bad));
      TensorFile file = fileOf(module(torch.zeros(4), damaged.to(type.scalar)));
      DataFileException error =
          assertThrows(DataFileException.class, () -> StateDict.restore(good, file));
      assertEquals("tensor \"mean\" to be finite", error.expected());
      assertEquals("1 NaN or infinite elements", error.found());
      assertEquals(4, good.named_parameters().get("weight").sum().item_double());
      refused(
          IllegalStateException.class,
          "\"mean\" has 1 NaN or infinite elements",
          () -> StateDict.requireFinite(module(torch.zeros(4), damaged.to(type.scalar))));
    }
  }

  @Test
  void integersOfAnyValueAreFinite() throws IOException {
    Module module = module(torch.ones(1), torch.full(new long[] {2}, new Scalar(-1L)));
    StateDict.restore(module, fileOf(module));
    Module flags = module(torch.ones(1), torch.ones(2).to(ScalarType.Bool));
    StateDict.restore(flags, fileOf(flags));
    StateDict.requireFinite(flags);
  }
}
