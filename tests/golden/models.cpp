#include "models.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <span>

namespace ckpt::test {
namespace {

template <typename T>
Bytes bytes_of(std::initializer_list<T> values) {
  const auto bytes = std::as_bytes(std::span{values.begin(), values.size()});
  return {bytes.begin(), bytes.end()};
}

Bytes raw(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// Bytes 0, 1, 2, ...: every code of an 8-bit type.
Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i & 0xffU);
  return bytes;
}

// Bytes that zstd cannot shrink, the same on every machine.
Bytes noise(std::size_t size) {
  Bytes bytes(size);
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (std::byte& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(state >> 56U);
  }
  return bytes;
}

// Bytes that zstd shrinks well, different in each chunk.
Bytes steps(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i / 512) & 0xffU);
  return bytes;
}

GoldenModel model(std::string name) {
  GoldenModel result;
  Uuid uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) {  // the name, filled up with numbers
    uuid[i] = static_cast<std::byte>(i < name.size() ? static_cast<unsigned char>(name[i]) : 0x10 + i);
  }
  result.name = std::move(name);
  result.options.durable = false;
  result.options.uuid = uuid;
  result.options.created_ns = 1'700'000'000'000'000'000;
  result.options.small_alignment = 64;
  return result;
}

GoldenModel small() {
  GoldenModel result = model("small");
  result.tensors = {{"w", DType::f32, {2}, bytes_of<float>({1, -2})}};
  return result;
}

template <typename T>
GoldenTensor extremes(const char* path, DType dtype) {
  using Limits = std::numeric_limits<T>;
  return {path, dtype, {3}, bytes_of<T>({Limits::lowest(), T{1}, Limits::max()})};
}

GoldenModel dtypes() {
  const std::array<std::string, 3> words{"", "ckpt", "Z\xc3\xbcrich"};
  const std::array<std::string, 4> blobs{std::string{"\0\xff", 2}, "", "x", std::string(300, 'y')};
  GoldenModel result = model("dtypes");
  result.tensors = {
      {"t/bool", DType::boolean, {3}, raw({1, 0, 1})},
      extremes<std::int8_t>("t/i8", DType::i8),
      extremes<std::int16_t>("t/i16", DType::i16),
      extremes<std::int32_t>("t/i32", DType::i32),
      extremes<std::int64_t>("t/i64", DType::i64),
      extremes<std::uint8_t>("t/u8", DType::u8),
      extremes<std::uint16_t>("t/u16", DType::u16),
      extremes<std::uint32_t>("t/u32", DType::u32),
      extremes<std::uint64_t>("t/u64", DType::u64),
      {"t/f16", DType::f16, {4}, raw({0x00, 0x3c, 0x00, 0xc0, 0x00, 0x7c, 0x01, 0x00})},
      {"t/bf16", DType::bf16, {4}, raw({0x80, 0x3f, 0x00, 0xc0, 0x80, 0xff, 0x01, 0x00})},
      {"t/f32", DType::f32, {2, 2}, bytes_of<float>({1.5F, -2.25F, std::numeric_limits<float>::infinity(), -0.0F})},
      {"t/f64", DType::f64, {2}, bytes_of<double>({0.1, -1e300})},
      {"t/c64", DType::c64, {2}, bytes_of<float>({1, -2, 0.5F, 0})},
      {"t/c128", DType::c128, {1}, bytes_of<double>({0.1, -0.2})},
      {"t/f8_e4m3fn", DType::f8_e4m3fn, {256}, counting(256)},
      {"t/f8_e5m2", DType::f8_e5m2, {256}, counting(256)},
      {"t/f8_e4m3fnuz", DType::f8_e4m3fnuz, {256}, counting(256)},
      {"t/f8_e5m2fnuz", DType::f8_e5m2fnuz, {256}, counting(256)},
      {"t/f8_e8m0fnu", DType::f8_e8m0fnu, {256}, counting(256)},
      {"t/f6_e2m3", DType::f6_e2m3, {4}, raw({0x41, 0x20, 0xfc})},
      {"t/f6_e3m2", DType::f6_e3m2, {2, 4}, raw({0x41, 0x20, 0xfc, 0x1f, 0x08, 0x82})},
      {"t/f4_e2m1", DType::f4_e2m1, {16}, raw({0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe})},
      {"t/i4", DType::i4, {4}, raw({0x87, 0xf1})},
      {"t/u4", DType::u4, {2, 2}, raw({0x87, 0xf1})},
      {"t/string", DType::string, {3}, encode_strings(words)},
      {"t/bytes", DType::bytes, {2, 2}, encode_strings(blobs)},
      {"t/block", DType::block, {2, 32}, counting(36), {.block = BlockType{"Q4_0", 18, 32}}},
      {"t/block8", DType::block, {64}, counting(68), {.block = BlockType{"Q8_0", 34, 32}}},
  };
  return result;
}

GoldenModel shapes() {
  GoldenModel result = model("shapes");
  result.tensors = {
      {"scalar", DType::f64, {}, bytes_of<double>({3.25})},
      {"empty/first", DType::f32, {0, 5}, {}},
      {"empty/last", DType::f32, {3, 0}, {}},
      {"empty/string", DType::string, {0}, encode_strings({})},
      {"rank8", DType::u8, {1, 2, 1, 3, 1, 1, 1, 1}, counting(6)},
      {"gr\xc3\xb6\xc3\x9f\x65/\xe9\x87\x8d\xe3\x81\xbf/..a/a b", DType::u8, {2}, counting(2)},
      {"long/" + std::string(4091, 'x'), DType::u8, {1}, counting(1)},
      {"scalar/below", DType::i32, {}, bytes_of<std::int32_t>({-1})},
      {"zero", DType::u8, {0}, {}},
  };
  return result;
}

GoldenModel opaque() {
  GoldenModel result = model("opaque");
  result.tensors = {{"future", static_cast<DType>(200), {7}, counting(13)}, {"known", DType::u8, {3}, counting(3)}};
  return result;
}

GoldenModel aliases() {
  GoldenModel result = model("aliases");
  result.tensors = {{"embed/weight", DType::f32, {2, 3}, bytes_of<float>({1, 2, 3, 4, 5, 6})},
                    {"bias", DType::f32, {2}, bytes_of<float>({7, 8})},
                    {"nothing", DType::f32, {0}, {}}};
  result.aliases = {{"head/weight", "embed/weight"}, {"a/weight", "embed/weight"}, {"also/nothing", "nothing"}};
  return result;
}

GoldenModel zstd() {
  GoldenModel result = model("zstd");
  result.options.compression = Compression::zstd;
  result.options.chunk_bytes = 64U << 10U;
  result.options.small_alignment = kDefaultSmallAlignment;
  result.same_bytes = false;
  result.tensors = {{"many_chunks", DType::u8, {150'000}, steps(150'000)},
                    {"one_chunk", DType::u16, {1000}, steps(2000)},
                    {"noise", DType::u8, {3000}, noise(3000)},
                    {"plain", DType::u8, {3000}, steps(3000), {.compression = Compression::none}},
                    {"whole_chunks", DType::u8, {2, 65'536}, steps(131'072)},
                    {"empty", DType::f32, {0}, {}}};
  result.aliases = {{"tied", "many_chunks"}};
  return result;
}

// Elements of which all bytes but the highest are noise, as mantissas are, and the highest ones are alike.
Bytes numbers(std::size_t count, std::size_t width) {
  Bytes bytes = noise(count * width);
  for (std::size_t i = width - 1; i < bytes.size(); i += width) {
    bytes[i] = std::byte{0x3c} | (bytes[i] & std::byte{0x82});
  }
  return bytes;
}

GoldenModel planes() {
  GoldenModel result = model("planes");
  result.options.compression = Compression::zstd;
  result.options.chunk_bytes = 64U << 10U;
  result.same_bytes = false;
  const auto add = [&](std::string path, DType dtype, std::int64_t count, Bytes data) {
    result.tensors.push_back({std::move(path), dtype, {count}, std::move(data)});
  };
  add("f16", DType::f16, 800, numbers(800, 2));
  add("bf16", DType::bf16, 800, numbers(800, 2));
  add("f32", DType::f32, 500, numbers(500, 4));
  add("f64", DType::f64, 2000, Bytes(16'000));
  add("c64", DType::c64, 250, numbers(500, 4));
  add("c128", DType::c128, 100, steps(1600));
  add("i16", DType::i16, 800, numbers(800, 2));
  add("u32", DType::u32, 500, numbers(500, 4));
  add("f8", DType::f8_e4m3fn, 1000, numbers(1000, 1));
  Bytes counters(9000 * sizeof(std::int64_t));  // two chunks
  for (std::int64_t i = 0; i < 9000; ++i) {
    const std::int64_t value = i - 4500;
    std::memcpy(counters.data() + static_cast<std::size_t>(i) * sizeof value, &value, sizeof value);
  }
  add("counters", DType::i64, 9000, std::move(counters));
  add("noise", DType::f32, 500, noise(2000));
  result.aliases = {{"tied", "f32"}};
  return result;
}

GoldenModel chunks() {
  GoldenModel result = model("chunks");
  result.options.chunk_bytes = 64U << 10U;
  result.tensors = {{"two", DType::u8, {65'537}, steps(65'537)}, {"one", DType::u8, {700}, noise(700)}};
  return result;
}

GoldenModel alignment() {
  GoldenModel result = model("alignment");
  result.options.small_alignment = 512;
  result.options.large_alignment = 8192;
  result.tensors = {{"small", DType::u8, {100}, counting(100)},
                    {"large", DType::u8, {8192}, counting(8192)},
                    {"almost", DType::u8, {8191}, counting(8191)},
                    {"empty", DType::u8, {0}, {}},
                    {"larger", DType::u8, {8193}, counting(8193)}};
  return result;
}

GoldenModel metadata() {
  GoldenModel result = model("metadata");
  result.options.step = 51;
  result.metadata = {
      {"text", std::string{"Z\xc3\xbcrich \"quoted\" \\ \n"}},
      {"text.empty", std::string{}},
      {"int.least", std::numeric_limits<std::int64_t>::min()},
      {"int.most", std::numeric_limits<std::int64_t>::max()},
      {"float", 0.1},
      {"float.zero", -0.0},
      {"float.infinite", -std::numeric_limits<double>::infinity()},
      {"float.small", std::numeric_limits<double>::denorm_min()},
      {"bytes", raw({0x00, 0xff, 0x80, 0x0a})},
      {"bytes.empty", Bytes{}},
      {"json", Json{R"({"layers": [1, 2, 3], "name": "net"})"}},
      {"a/\xc3\xa9", std::int64_t{-1}},
  };
  return result;
}

// A training run in small: the optimizer keeps a moment for each variable, layers and variables list share nodes, and
// the network points back at the root.
GoldenModel graph() {
  GoldenModel result = model("graph");
  result.tensors = {{"net/bias", DType::f32, {1}, bytes_of<float>({0.5F})},
                    {"net/kernel", DType::f32, {1, 2}, bytes_of<float>({1, 2})},
                    {"optimizer/m/bias", DType::f32, {1}, bytes_of<float>({0.25F})},
                    {"optimizer/m/kernel", DType::f32, {1, 2}, bytes_of<float>({3, 4})},
                    {"step", DType::i64, {}, bytes_of<std::int64_t>({10})}};
  ObjectGraph& graph = result.graph;
  graph.nodes = {
      {{{"net", 1}, {"optimizer", 2}, {"step", 3}}, std::nullopt},
      {{{"bias", 4}, {"kernel", 5}, {"root", 0}, {"variables", 6}}, std::nullopt},
      {{{"variables", 6}}, std::nullopt},
      {{}, "step"},
      {{}, "net/bias"},
      {{}, "net/kernel"},
      {{{"0", 5}, {"1", 4}}, std::nullopt},
      {{}, "optimizer/m/bias"},
      {{}, "optimizer/m/kernel"},
  };
  graph.slots = {{2, 5, "m", 8}, {2, 4, "m", 7}};
  return result;
}

GoldenModel many(std::string name, int count, bool empty) {
  GoldenModel result = model(std::move(name));
  for (int i = 0; i < count; ++i) {
    const auto number = static_cast<std::int64_t>(i);
    if (empty) {
      result.tensors.push_back({"layer/" + std::to_string(i), DType::u8, {0, number}, {}});
    } else {
      result.tensors.push_back({"layer/" + std::to_string(i), DType::i64, {1}, bytes_of<std::int64_t>({number})});
    }
  }
  return result;
}

}  // namespace

std::vector<GoldenModel> golden_models() {
  std::vector<GoldenModel> models{model("empty"),
                                  small(),
                                  dtypes(),
                                  shapes(),
                                  opaque(),
                                  aliases(),
                                  zstd(),
                                  planes(),
                                  chunks(),
                                  alignment(),
                                  metadata(),
                                  graph(),
                                  many("pages", 120, false)};
  models.back().aliases = {{"tied", "layer/7"}};  // the table of paths holds aliases too
  models.push_back(many("levels", 30'000, true));
  models.back().committed = false;
  return models;
}

void write_golden(const GoldenModel& model, const std::filesystem::path& file) {
  Writer writer{file, model.options};
  for (const GoldenTensor& tensor : model.tensors) {
    if (to_string(tensor.dtype) == "unknown") {
      writer.begin(tensor.path, tensor.dtype, tensor.shape, tensor.options, tensor.data.size());
      writer.append(tensor.data);
      writer.end();
    } else {
      writer.add(tensor.path, tensor.dtype, tensor.shape, tensor.data, tensor.options);
    }
  }
  for (const auto& [path, owner] : model.aliases) writer.alias(path, owner);
  for (const auto& [key, value] : model.metadata) writer.set_metadata(key, value);
  if (!model.graph.nodes.empty()) writer.set_graph(model.graph);
  writer.commit();
}

}  // namespace ckpt::test
