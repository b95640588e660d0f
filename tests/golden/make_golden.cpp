// Writes the golden files and, from what the Reader says of them, the JSON that docs/reader.py has to print:
//   make_golden DIRECTORY [NAME]
// Without a name: all that are committed.
#include "models.hpp"

#include <ckpt/reader.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <type_traits>

namespace {

using namespace ckpt;

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  std::array<char, 3> digits{};
  for (const std::byte byte : bytes) {
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(byte));
    text += digits.data();
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      result += escape.data();
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string number(double value) {
  if (std::isnan(value)) return "\"nan\"";
  if (std::isinf(value)) return value > 0 ? "\"inf\"" : "\"-inf\"";
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  std::string text{digits.data(), end};
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string json_of(const MetadataValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) return "[\"string\", " + in_quotes(held) + "]";
        if constexpr (std::is_same_v<T, std::int64_t>) return "[\"int\", " + std::to_string(held) + "]";
        if constexpr (std::is_same_v<T, double>) return "[\"float\", " + number(held) + "]";
        if constexpr (std::is_same_v<T, Bytes>) return "[\"bytes\", \"" + hex(held) + "\"]";
        if constexpr (std::is_same_v<T, Json>) return "[\"json\", " + in_quotes(held.text) + "]";
      },
      value);
}

std::string json_of(const Reader& reader, std::size_t index) {
  const TensorInfo info = reader.info(index);
  const TensorView view = reader.tensor(index);
  const std::uint64_t sum = XXH3_64bits(view.bytes().data(), view.bytes().size());
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(sum));
  std::ostringstream out;
  out << "{\"path\": " << in_quotes(info.path) << ", \"dtype_name\": " << in_quotes(to_string(info.dtype))
      << ", \"shape\": " << to_string(info.shape) << ", \"codec\": " << static_cast<int>(info.compression)
      << ", \"data_size\": " << info.size_bytes << ", \"blob_offset\": " << info.offset
      << ", \"blob_size\": " << info.stored_bytes << ", \"chunk_count\": " << info.chunks << ", \"sum\": \""
      << digits.data() << "\", \"alias_of\": ";
  out << (info.alias_of ? in_quotes(reader.info(*info.alias_of).path) : "null") << ", \"block_type\": ";
  if (info.block) {
    out << "{\"name\": " << in_quotes(info.block->name) << ", \"bytes\": " << info.block->bytes
        << ", \"elements\": " << info.block->elements << "}";
  } else {
    out << "null";
  }
  return out.str() + "}";
}

std::string json_of(const ObjectGraph& graph) {
  std::ostringstream out;
  const char* comma = "";
  out << "{\"nodes\": [";
  for (const ObjectGraph::Node& node : graph.nodes) {
    out << comma << "\n  {\"edges\": [";
    comma = "";
    for (const ObjectGraph::Edge& edge : node.edges) {
      out << comma << "[" << in_quotes(edge.name) << ", " << edge.node << "]";
      comma = ", ";
    }
    out << "], \"tensor\": " << (node.tensor ? in_quotes(*node.tensor) : "null") << "}";
    comma = ",";
  }
  out << "], \"slots\": [";
  comma = "";
  for (const ObjectGraph::Slot& slot : graph.slots) {
    out << comma << "\n  {\"owner\": " << slot.owner << ", \"variable\": " << slot.variable
        << ", \"name\": " << in_quotes(slot.name) << ", \"node\": " << slot.node << "}";
    comma = ",";
  }
  out << "]}";
  return out.str();
}

std::string json_of(const Reader& reader) {
  const FileInfo file = reader.file();
  std::ostringstream out;
  out << "{\"header\": {\"major\": " << file.major << ", \"minor\": " << file.minor << ", \"uuid\": \""
      << hex(file.uuid) << "\", \"required\": " << file.required_features
      << ", \"optional\": " << file.optional_features << ", \"file_size\": " << file.file_size
      << ", \"index_offset\": " << file.index_offset << ", \"index_size\": " << file.index_size
      << ", \"chunk_size\": " << file.chunk_bytes << ", \"small_alignment\": " << file.small_alignment
      << ", \"large_alignment\": " << file.large_alignment << "},\n \"tensors\": [";
  for (std::size_t i = 0; i < reader.size(); ++i) out << (i == 0 ? "\n  " : ",\n  ") << json_of(reader, i);
  out << "],\n \"metadata\": {";
  const char* comma = "";
  for (const auto& [key, value] : reader.metadata()) {
    out << comma << "\n  " << in_quotes(key) << ": " << json_of(value);
    comma = ",";
  }
  out << "},\n \"graph\": " << json_of(reader.graph()) << "}\n";
  return out.str();
}

void make(const test::GoldenModel& model, const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / (model.name + ".ckpt");
  test::write_golden(model, file);
  std::ofstream json{directory / (model.name + ".json"), std::ios::binary};
  json << json_of(Reader::open(file));
  json.close();
  if (!json) throw std::runtime_error{"cannot write " + model.name + ".json"};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: make_golden DIRECTORY [NAME]\n";
    return 2;
  }
  try {
    for (const ckpt::test::GoldenModel& model : ckpt::test::golden_models()) {
      if (argc == 3 ? model.name == argv[2] : model.committed) make(model, argv[1]);
    }
  } catch (const std::exception& error) {
    std::cerr << "make_golden: " << error.what() << '\n';
    return 1;
  }
}
