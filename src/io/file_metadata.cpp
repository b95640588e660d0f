#include "io/file_metadata.hpp"

#include "base/path.hpp"
#include "base/text.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>
#include <ckpt/version.hpp>

#include <string>
#include <utility>
#include <variant>

namespace ckpt::io {
namespace {

constexpr std::string_view kReservedKeys = "ckpt.";
constexpr std::string_view kMetricKeys = "ckpt.metric.";

[[noreturn]] void refuse(std::string problem, std::string_view key, std::string advice = {}) {
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::move(problem), .object = std::string{key}, .advice = std::move(advice)}};
}

std::uint64_t bytes_of(const MetadataValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* bytes = std::get_if<Bytes>(&value)) return bytes->size();
  if (const auto* json = std::get_if<Json>(&value)) return json->text.size();
  return 0;
}

bool is_text_utf8(const MetadataValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return base::is_utf8(*text);
  if (const auto* json = std::get_if<Json>(&value)) return base::is_utf8(json->text);
  return true;
}

}  // namespace

FileMetadata::FileMetadata(const WriterOptions& options) {
  std::uint64_t metric_bytes = 0;
  for (const auto& [name, value] : options.metrics) {
    std::string key = std::string{kMetricKeys} + name;
    metric_bytes += key.size();
    const char* reason = name.empty() ? "it is empty" : base::why_not_a_key(key);
    if (reason != nullptr) refuse(std::string{"this cannot be the name of a metric: "} + reason, name);
    values_.insert_or_assign(std::move(key), value);
  }
  if (metric_bytes > kMaxMetadataBytes / 2) {
    throw Error{ErrorCode::limit,
                {.problem = "the names of all metrics together are too long",
                 .expected = "at most 32 MiB",
                 .found = std::to_string(metric_bytes) + " bytes",
                 .advice = "store measurements as a tensor"}};
  }
  if (options.step) values_.emplace("ckpt.step", *options.step);
  values_.emplace("ckpt.writer", std::string{"ckpt "} + CKPT_VERSION);
  for (const auto& [key, value] : values_) bytes_ += key.size() + bytes_of(value);
}

void FileMetadata::set(std::string_view key, MetadataValue value) {
  if (const char* reason = base::why_not_a_key(key))
    refuse(std::string{"this cannot be a metadata key: "} + reason, key);
  if (key.starts_with(kReservedKeys)) refuse("metadata keys that begin with \"ckpt.\" are the library's own", key);
  if (!is_text_utf8(value)) refuse("the text is not UTF-8", key, "store it as bytes");
  const auto present = values_.find(key);
  const std::uint64_t before = present == values_.end() ? 0 : key.size() + bytes_of(present->second);
  const std::uint64_t total = bytes_ - before + key.size() + bytes_of(value);
  // Room for what finish() adds.
  if (total > kMaxMetadataBytes - kMaxPathBytes) {
    throw Error{ErrorCode::limit,
                {.problem = "the metadata is too long",
                 .object = std::string{key},
                 .expected = "at most 64 MiB in all (kMaxMetadataBytes)",
                 .found = std::to_string(total) + " bytes",
                 .advice = "store it as a tensor of dtype bytes"}};
  }
  values_.insert_or_assign(std::string{key}, std::move(value));
  bytes_ = total;
}

const Metadata& FileMetadata::finish(std::int64_t created_ns) {
  values_.insert_or_assign("ckpt.created", created_ns);
  return values_;
}

}  // namespace ckpt::io
