// ckptdump info: what is in a file, in a few lines.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ckptdump {
namespace {

// docs/format.md: before the first blob there is the header alone.
constexpr std::uint64_t kHeaderBytes = 64;

struct Group {
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stored_bytes = 0;
};

struct Summary {
  std::size_t selected = 0;
  std::size_t aliases = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t padding = 0;  // of the whole file
  std::map<std::string, Group> by_dtype;
  std::map<std::string, Group> by_codec;
};

void add_to(Group& group, const ckpt::TensorInfo& tensor) {
  ++group.tensors;
  if (tensor.alias_of) return;
  group.bytes += tensor.size_bytes;
  group.stored_bytes += tensor.stored_bytes;
}

std::uint64_t all_stored_bytes(const ckpt::Reader& reader) {
  std::uint64_t stored = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const ckpt::TensorInfo tensor = reader.info(i);
    if (!tensor.alias_of) stored += tensor.stored_bytes;
  }
  return stored;
}

Summary summarise(Context& context, const ckpt::Reader& reader) {
  Summary summary;
  summary.selected = for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
    summary.parameters += parameters_of(tensor);
    summary.bytes += own_bytes_of(tensor);
    if (tensor.alias_of) {
      ++summary.aliases;
    } else {
      summary.stored_bytes += tensor.stored_bytes;
    }
    add_to(summary.by_dtype[dtype_name(tensor)], tensor);
    add_to(summary.by_codec[codec_name(tensor.compression)], tensor);
  });
  const std::uint64_t stored = context.filter.selects_all() ? summary.stored_bytes : all_stored_bytes(reader);
  const std::uint64_t used = kHeaderBytes + stored;
  const std::uint64_t index_offset = reader.file().index_offset;
  summary.padding = index_offset > used ? index_offset - used : 0;
  return summary;
}

// ---- text ----

// Fields of a line, four spaces apart, after a label of its own width.
class Line {
 public:
  Line(Context& context, std::string_view label) : context_{context}, label_{label} {}

  void add(std::string_view text) { fields_.emplace_back(text); }
  void add(std::string_view name, std::string_view text) {
    fields_.push_back(context_.style.bold(name) + " " + std::string{text});
  }
  void print() const {
    context_.out.print("{}{}{}\n", context_.style.bold(label_), spaces(10 - label_.size()), fmt::join(fields_, "    "));
  }

 private:
  Context& context_;
  std::string_view label_;
  std::vector<std::string> fields_;
};

std::string dtypes_text(const Summary& summary, Units units) {
  std::vector<std::pair<std::string, Group>> groups{summary.by_dtype.begin(), summary.by_dtype.end()};
  std::ranges::sort(groups, [](const auto& a, const auto& b) {
    return a.second.bytes != b.second.bytes ? a.second.bytes > b.second.bytes : a.first < b.first;
  });
  std::vector<std::string> texts;
  for (const auto& [name, group] : groups) {
    texts.push_back(fmt::format("{} {} ({})", name, group.tensors, format_bytes(group.bytes, units)));
  }
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, "  "));
}

std::string compression_text(const Summary& summary) {
  std::vector<std::string> texts;
  for (const auto& [name, group] : summary.by_codec) {
    if (name == "raw") continue;
    const double ratio =
        group.stored_bytes == 0 ? 1.0 : static_cast<double>(group.bytes) / static_cast<double>(group.stored_bytes);
    texts.push_back(fmt::format("{} {} of {} ({:.2f}x)", name, group.tensors, summary.selected, ratio));
  }
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
}

std::string alignment_text(const ckpt::FileInfo& file) {
  if (file.small_alignment == file.large_alignment) return fmt::format("{}", file.large_alignment);
  return fmt::format("{} and {}", file.small_alignment, file.large_alignment);
}

struct ValueText {
  std::string operator()(const std::string& text) const { return escape(text); }
  std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
  std::string operator()(double number) const { return fmt::format("{}", number); }
  std::string operator()(const ckpt::Bytes& bytes) const {
    return "0x" + hex_digits({reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 32)}) +
           (bytes.size() > 32 ? fmt::format("... ({} bytes)", bytes.size()) : "");
  }
  std::string operator()(const ckpt::Json& json) const { return escape(json.text); }
};

// A key of the library without its prefix, unless the user has a key of that name.
std::string short_key(const std::string& key, const ckpt::Metadata& metadata) {
  for (const std::string_view prefix : {"ckpt.metric.", "ckpt."}) {
    if (!key.starts_with(prefix)) continue;
    std::string rest = key.substr(prefix.size());
    if (!rest.empty() && !metadata.contains(rest)) return rest;
  }
  return key;
}

std::string pair_text(const std::string& key, const ckpt::MetadataValue& value, const ckpt::Metadata& metadata,
                      bool whole) {
  constexpr std::size_t kMost = 60;
  const auto* time = key == "ckpt.created" ? std::get_if<std::int64_t>(&value) : nullptr;
  std::string text = time != nullptr ? format_time(*time) : std::visit(ValueText{}, value);
  if (!whole && text.size() > kMost) {
    // Not in the middle of a character.
    std::size_t end = kMost;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    text = text.substr(0, end) + "...";
  }
  return escape(short_key(key, metadata)) + "=" + text;
}

// Step and metrics first: they say which checkpoint this is; then time and writer, then the user's own.
int rank_of(const std::string& key) {
  if (key == "ckpt.step") return 0;
  if (key.starts_with("ckpt.metric.")) return 1;
  if (key == "ckpt.created") return 2;
  return key.starts_with("ckpt.") ? 3 : 4;
}

std::vector<std::string> metadata_lines(const ckpt::Metadata& metadata, bool whole) {
  constexpr std::size_t kColumns = 110;
  std::vector<const ckpt::Metadata::value_type*> pairs;
  for (const auto& pair : metadata) pairs.push_back(&pair);
  std::ranges::sort(
      pairs, {}, [](const auto* pair) { return std::pair<int, std::string_view>{rank_of(pair->first), pair->first}; });
  std::vector<std::string> lines;
  for (const auto* pair : pairs) {
    const std::string text = pair_text(pair->first, pair->second, metadata, whole);
    if (lines.empty() || lines.back().size() + text.size() + 2 > kColumns) {
      lines.push_back(text);
    } else {
      lines.back() += "  " + text;
    }
  }
  return lines;
}

void print_details(Context& context, const ckpt::Reader& reader, const ckpt::FileInfo& file) {
  const Units units = context.options.units;
  Line layout{context, "layout"};
  layout.add("index at", fmt::format("0x{:08x}", file.index_offset));
  layout.add("page sums", format_bytes(file.sums_size, units));
  layout.add("chunk", format_bytes(file.chunk_bytes, units));
  layout.add("read by", file.mode == ckpt::ReadMode::mmap ? "mmap" : "read");
  layout.print();
  Line identity{context, "file"};
  identity.add("uuid", ckpt::to_string(file.uuid));
  identity.add("format", fmt::format("{}.{}", file.major, file.minor));
  identity.add("features",
               fmt::format("required 0x{:x}, optional 0x{:x}", file.required_features, file.optional_features));
  identity.print();
  const ckpt::ObjectGraph graph = reader.graph();
  Line objects{context, "objects"};
  objects.add(graph.nodes.empty() ? "none: the file holds tensors alone" : fmt::format("{}", graph.nodes.size()));
  if (!graph.nodes.empty()) objects.add("slots", fmt::format("{}", graph.slots.size()));
  objects.print();
}

void print_text(Context& context, const std::string& name, const ckpt::Reader& reader, const Summary& summary,
                const ckpt::Metadata& metadata) {
  const ckpt::FileInfo file = reader.file();
  const Units units = context.options.units;
  context.out.print("{}   ckpt v{}, {}, {}\n", context.style.bold(escape(name)), file.major,
                    format_bytes(file.file_size, units), context.style.good("complete"));
  const bool all = summary.selected == reader.size();
  Line tensors{context, "tensors"};
  tensors.add(all ? fmt::format("{}", reader.size()) : fmt::format("{} of {}", summary.selected, reader.size()));
  if (summary.aliases != 0) tensors.add("aliases", fmt::format("{}", summary.aliases));
  tensors.add("parameters", format_grouped(summary.parameters));
  tensors.add("padding", format_percent(summary.padding, file.file_size, 2));
  tensors.add("index", format_bytes(file.index_size, units));
  tensors.print();
  Line dtypes{context, "dtypes"};
  dtypes.add(dtypes_text(summary, units));
  dtypes.add("checksums", "xxh3-64");
  dtypes.add("compression", compression_text(summary));
  dtypes.add("alignment", alignment_text(file));
  dtypes.print();
  if (context.options.verbose) print_details(context, reader, file);
  std::string_view label = "meta";
  for (const std::string& text : metadata_lines(metadata, context.options.verbose)) {
    Line line{context, std::exchange(label, "")};
    line.add(text);
    line.print();
  }
}

// ---- JSON ----

void write_groups(JsonWriter& json, std::string_view name, const std::map<std::string, Group>& groups) {
  json.begin_object(name);
  for (const auto& [key, group] : groups) {
    json.begin_object(key);
    json.member("tensors", group.tensors);
    json.member("bytes", group.bytes);
    json.member("stored_bytes", group.stored_bytes);
    json.end();
  }
  json.end();
}

void write_json(JsonWriter& json, const ckpt::Reader& reader, const Summary& summary, const ckpt::Metadata& metadata) {
  const ckpt::FileInfo file = reader.file();
  json.member("format", "ckpt");
  json.member("version", fmt::format("{}.{}", file.major, file.minor));
  json.member("uuid", ckpt::to_string(file.uuid));
  json.member("complete", true);
  json.member("file_bytes", file.file_size);
  json.member("tensors", reader.size());
  json.member("selected", summary.selected);
  json.member("aliases", summary.aliases);
  json.member("parameters", summary.parameters);
  json.member("bytes", summary.bytes);
  json.member("stored_bytes", summary.stored_bytes);
  json.member("padding_bytes", summary.padding);
  json.member("index_offset", file.index_offset);
  json.member("index_bytes", file.index_size);
  json.member("page_sums_bytes", file.sums_size);
  json.member("chunk_bytes", file.chunk_bytes);
  json.member("checksum", "xxh3-64");
  json.member("small_alignment", file.small_alignment);
  json.member("large_alignment", file.large_alignment);
  json.member("required_features", file.required_features);
  json.member("optional_features", file.optional_features);
  write_groups(json, "dtypes", summary.by_dtype);
  write_groups(json, "codecs", summary.by_codec);
  write_metadata(json, metadata);
}

ExitCode show(Context& context, const std::string& file) {
  const ckpt::Reader reader = open_checkpoint(file);
  const Summary summary = summarise(context, reader);
  const ckpt::Metadata metadata = reader.metadata();
  if (context.options.json) {
    write_json(context.json, reader, summary, metadata);
  } else {
    print_text(context, file, reader, summary, metadata);
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode run_info(Context& context) {
  return run_on_files(context, "info", [&](const std::string& file) { return show(context, file); });
}

}  // namespace ckptdump
