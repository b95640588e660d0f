#include "manager/state.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "codec/xxh3.hpp"
#include "manager/file_names.hpp"
#include "os/file.hpp"

#include <ckpt/error.hpp>
#include <ckpt/reader.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <span>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr std::string_view kTitle = "ckpt-state ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kLatest = "latest ";
constexpr std::string_view kActive = "active ";
constexpr std::string_view kChecksum = "checksum ";
constexpr std::size_t kMaxStateBytes = 64U << 20U;  // about a million checkpoints

std::uint64_t sum_of(std::string_view text) { return codec::xxh3(std::as_bytes(std::span{text})); }

std::string format_time(double time) {
  char buffer[64];
  const auto result = std::to_chars(std::begin(buffer), std::end(buffer), time);
  return {std::begin(buffer), result.ptr};
}

/// Takes one line off the front; nothing when there is no whole line.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// The text without its checksum line; nothing when that is missing or wrong.
std::optional<std::string_view> checked_body(std::string_view text) {
  const std::size_t line_bytes = kChecksum.size() + 16 + 1;
  if (text.size() < line_bytes) return std::nullopt;
  const std::string_view body = text.substr(0, text.size() - line_bytes);
  const std::string expected = std::string{kChecksum} + base::hex16(sum_of(body)) + "\n";
  if (text.substr(body.size()) != expected) return std::nullopt;
  return body;
}

/// "1763875200.25 test-50.ckpt".
std::optional<Entry> parse_entry(std::string_view line, std::string_view name) {
  Entry entry;
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), entry.time);
  if (failure != std::errc{} || !std::isfinite(entry.time)) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (!line.starts_with(' ')) return std::nullopt;
  entry.file = line.substr(1);
  // Only names that this manager gives: a path like "../x" must never come near the code that deletes.
  const auto number = number_of(name, entry.file);
  if (!number) return std::nullopt;
  entry.number = *number;
  return entry;
}

double creation_time(const std::filesystem::path& path) {
  try {
    const Metadata metadata = Reader::open(path).metadata();
    const auto created = metadata.find("ckpt.created");
    if (created == metadata.end()) return 0;
    const auto* nanoseconds = std::get_if<std::int64_t>(&created->second);
    return nanoseconds == nullptr ? 0 : static_cast<double>(*nanoseconds) / 1e9;
  } catch (const Error&) {
    return 0;  // a damaged file has its place in the list all the same: restoring passes it over and says so
  }
}

ParsedState damaged(std::string problem) { return {{}, std::move(problem)}; }

ParsedState read_state(const os::Directory& directory, std::string_view name) {
  try {
    const auto text = os::read_small_file(directory.path() / state_file(name), kMaxStateBytes);
    return text ? parse_state(*text, name) : damaged("is missing");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::limit) throw;
    return damaged("is too long");
  }
}

Entries rebuild(const os::Directory& directory, std::string_view name, std::optional<std::size_t> keep,
                const std::string& problem) {
  Entries entries = scan(directory, name);
  const std::size_t found = entries.size();
  if (keep && found > *keep) entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(*keep));
  if (found != 0 || problem != "is missing") {
    base::log(LogLevel::warning, "the state file " + base::escape((directory.path() / state_file(name)).string()) +
                                     " " + problem + "; rebuilt from the directory: " + std::to_string(found) +
                                     " checkpoints found, the newest " + std::to_string(entries.size()) +
                                     " are managed, others are left alone");
  }
  for (Entry& entry : entries) entry.time = creation_time(directory.path() / entry.file);
  return entries;
}

}  // namespace

std::string format_state(const Entries& entries) {
  std::string text = std::string{kTitle} + std::string{kVersion} + "\n";
  if (!entries.empty()) text += std::string{kLatest} + entries.back().file + "\n";
  for (const Entry& entry : entries) {
    text += std::string{kActive} + format_time(entry.time) + " " + entry.file + "\n";
  }
  const std::string sum = base::hex16(sum_of(text));
  return text + std::string{kChecksum} + sum + "\n";
}

ParsedState parse_state(std::string_view text, std::string_view name) {
  if (text.empty()) return damaged("is empty");
  const auto body = checked_body(text);
  if (!body) return damaged("is damaged: its checksum is missing or wrong");
  std::string_view rest = *body;
  const auto title = take_line(rest);
  if (!title || !title->starts_with(kTitle)) return damaged("is damaged: it has no version");
  if (const auto version = title->substr(kTitle.size()); version != kVersion) {
    throw Error{
        ErrorCode::unsupported,
        {.problem = "the state file of a manager has another version",
         .file = state_file(name),
         .expected = std::string{kVersion},
         .found = std::string{version},
         .advice = "use a newer release of ckpt, or remove that file: the list is then rebuilt from the directory"}};
  }
  ParsedState state;
  std::string latest;
  std::set<std::string, std::less<>> seen;
  while (const auto line = take_line(rest)) {
    if (line->starts_with(kLatest) && latest.empty() && state.entries.empty()) {
      latest = line->substr(kLatest.size());
    } else if (line->starts_with(kActive)) {
      auto entry = parse_entry(line->substr(kActive.size()), name);
      if (!entry || !seen.insert(entry->file).second) return damaged("is damaged: it names what no manager writes");
      state.entries.push_back(std::move(*entry));
    } else {
      return damaged("is damaged: it has a line that cannot be read");
    }
  }
  if (!rest.empty()) return damaged("is damaged: its last line has no end");
  if (latest != (state.entries.empty() ? std::string{} : state.entries.back().file)) {
    return damaged("is damaged: its latest checkpoint is not the last of the list");
  }
  return state;
}

Entries scan(const os::Directory& directory, std::string_view name) {
  Entries entries;
  for (const std::string& file : directory.list()) {
    if (const auto number = number_of(name, file)) entries.push_back({file, *number, 0});
  }
  std::ranges::sort(entries, {}, &Entry::number);
  return entries;
}

Entries load_state(const os::Directory& directory, std::string_view name, std::optional<std::size_t> keep) {
  ParsedState state = read_state(directory, name);
  if (!state.problem.empty()) return rebuild(directory, name, keep, state.problem);
  if (!state.entries.empty() && !directory.exists(state.entries.back().file)) {
    base::log(LogLevel::warning, "the latest checkpoint of " +
                                     base::escape((directory.path() / state_file(name)).string()) + ", " +
                                     base::escape(state.entries.back().file) + ", is not there any more");
  }
  std::erase_if(state.entries, [&](const Entry& entry) { return !directory.exists(entry.file); });
  return std::move(state.entries);
}

}  // namespace ckpt::manager
