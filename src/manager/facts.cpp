#include "manager/facts.hpp"

#include <ckpt/error.hpp>
#include <ckpt/reader.hpp>

#include <string_view>

namespace ckpt::manager {
namespace {

constexpr std::string_view kMetric = "ckpt.metric.";

std::optional<std::int64_t> integer(const Metadata& metadata, std::string_view key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  const auto* value = std::get_if<std::int64_t>(&found->second);
  return value == nullptr ? std::nullopt : std::optional{*value};
}

}  // namespace

Facts read_facts(const std::filesystem::path& file) {
  Facts facts;
  try {
    const Metadata metadata = Reader::open(file, {.mode = ReadMode::read}).metadata();
    facts.step = integer(metadata, "ckpt.step");
    facts.created_ns = integer(metadata, "ckpt.created");
    for (auto at = metadata.lower_bound(kMetric); at != metadata.end() && at->first.starts_with(kMetric); ++at) {
      const auto* value = std::get_if<double>(&at->second);
      if (value != nullptr) facts.metrics.emplace(at->first.substr(kMetric.size()), *value);
    }
  } catch (const Error& error) {
    facts.problem = error;
  }
  return facts;
}

Facts facts_of(const WriterOptions& options) {
  Facts facts;
  facts.created_ns = options.created_ns;
  facts.step = options.step;
  for (const Metric& metric : options.metrics) facts.metrics.insert_or_assign(metric.name, metric.value);
  return facts;
}

}  // namespace ckpt::manager
