#include "metadata_text.hpp"

#include "format.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

namespace ckptdump {
namespace {

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
  if (!whole) text = shorten(std::move(text), kMost);
  return escape(short_key(key, metadata)) + "=" + text;
}

// Step and metrics first: they say which checkpoint this is; then time and writer, then the user's own.
int rank_of(const std::string& key) {
  if (key == "ckpt.step") return 0;
  if (key.starts_with("ckpt.metric.")) return 1;
  if (key == "ckpt.created") return 2;
  return key.starts_with("ckpt.") ? 3 : 4;
}

}  // namespace

std::vector<std::string> wrap(const std::vector<std::string>& texts) {
  constexpr std::size_t kColumns = 110;
  std::vector<std::string> lines;
  for (const std::string& text : texts) {
    if (lines.empty() || lines.back().size() + text.size() + 2 > kColumns) {
      lines.push_back(text);
    } else {
      lines.back() += "  " + text;
    }
  }
  return lines;
}

std::vector<std::string> metadata_lines(const ckpt::Metadata& metadata, bool whole) {
  std::vector<const ckpt::Metadata::value_type*> pairs;
  for (const auto& pair : metadata) pairs.push_back(&pair);
  std::ranges::sort(
      pairs, {}, [](const auto* pair) { return std::pair<int, std::string_view>{rank_of(pair->first), pair->first}; });
  std::vector<std::string> texts;
  texts.reserve(pairs.size());
  for (const auto* pair : pairs) texts.push_back(pair_text(pair->first, pair->second, metadata, whole));
  return wrap(texts);
}

}  // namespace ckptdump
