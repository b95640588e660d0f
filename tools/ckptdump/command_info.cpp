// ckptdump info: what is in a file, in a few lines.
#include "commands.hpp"
#include "input.hpp"
#include "metadata_text.hpp"
#include "summary.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ckptdump {
namespace {

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

std::vector<std::string> dtype_lines(const Summary& summary, Units units) {
  std::vector<std::pair<std::string, Group>> groups{summary.by_dtype.begin(), summary.by_dtype.end()};
  std::ranges::sort(groups, [](const auto& a, const auto& b) {
    return a.second.bytes != b.second.bytes ? a.second.bytes > b.second.bytes : a.first < b.first;
  });
  std::vector<std::string> texts;
  texts.reserve(groups.size());
  const auto add = [&](const std::string& name, const Group& group) {
    texts.push_back(fmt::format("{} {} ({})", name, group.tensors, format_bytes(group.bytes, units)));
  };
  for (const auto& [name, group] : groups) add(shorten(name, 60), group);
  if (summary.other_dtypes.tensors != 0) add("others", summary.other_dtypes);
  return texts.empty() ? std::vector<std::string>{"none"} : wrap(texts);
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

void print_lines(Context& context, std::string_view label, const std::vector<std::string>& lines) {
  for (const std::string& text : lines) {
    Line line{context, std::exchange(label, "")};
    line.add(text);
    line.print();
  }
}

// One line when there is room for it.
void print_dtypes(Context& context, const std::vector<std::string>& lines, const Summary& summary,
                  const ckpt::FileInfo& file) {
  constexpr std::size_t kRoom = 70;
  const bool together = lines.size() == 1 && lines.front().size() <= kRoom;
  Line storage{context, together ? "dtypes" : "storage"};
  if (together) {
    storage.add(lines.front());
  } else {
    print_lines(context, "dtypes", lines);
  }
  storage.add("checksums", "xxh3-64");
  storage.add("compression", compression_text(summary));
  storage.add("alignment", alignment_text(file));
  storage.print();
}

void print_text(Context& context, const std::string& name, const ckpt::Reader& reader, const Summary& summary,
                const ckpt::Metadata& metadata) {
  const ckpt::FileInfo file = reader.file();
  const Units units = context.options.units;
  context.out.print("{}   ckpt v{}, {}, {}\n", context.style.bold(escape(name)), file.major,
                    format_bytes(file.file_size, units), "not truncated");
  const bool all = summary.selected == reader.size();
  Line tensors{context, "tensors"};
  tensors.add(all ? fmt::format("{}", reader.size()) : fmt::format("{} of {}", summary.selected, reader.size()));
  if (summary.aliases != 0) tensors.add("aliases", fmt::format("{}", summary.aliases));
  tensors.add("parameters", format_grouped(summary.parameters));
  tensors.add("padding", format_percent(summary.padding, file.file_size, 2));
  tensors.add("index", format_bytes(file.index_size, units));
  tensors.print();
  print_dtypes(context, dtype_lines(summary, units), summary, file);
  if (context.options.verbose) print_details(context, reader, file);
  print_lines(context, "meta", metadata_lines(metadata, context.options.verbose));
}

// ---- JSON ----

void write_group(JsonWriter& json, std::string_view name, const Group& group) {
  json.begin_object(name);
  json.member("tensors", group.tensors);
  json.member("bytes", group.bytes);
  json.member("stored_bytes", group.stored_bytes);
  json.end();
}

void write_groups(JsonWriter& json, std::string_view name, const std::map<std::string, Group>& groups) {
  json.begin_object(name);
  for (const auto& [key, group] : groups) write_group(json, key, group);
  json.end();
}

void write_json(JsonWriter& json, const ckpt::Reader& reader, const Summary& summary, const ckpt::Metadata& metadata) {
  const ckpt::FileInfo file = reader.file();
  json.member("format", "ckpt");
  json.member("version", fmt::format("{}.{}", file.major, file.minor));
  json.member("uuid", ckpt::to_string(file.uuid));
  json.member("truncated", false);
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
  if (summary.other_dtypes.tensors != 0) write_group(json, "other_dtypes", summary.other_dtypes);
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
