#include "input.hpp"

#include "recognise.hpp"
#include "text.hpp"

#include <ckpt/error.hpp>
#include <ckpt/manager.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

namespace ckptdump {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".ckpt";

struct Listing {
  std::set<std::string> names;  // of managers: `<name>-<number>.ckpt`
  std::vector<fs::path> files;  // all that end in .ckpt
};

std::optional<std::string> manager_name(const std::string& stem) {
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string::npos || dash == 0 || dash + 1 == stem.size()) return std::nullopt;
  if (stem.find_first_not_of("0123456789", dash + 1) != std::string::npos) return std::nullopt;
  return stem.substr(0, dash);
}

Listing look_into(const fs::path& directory) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() != kExtension || path.filename().native().starts_with('.')) continue;
    listing.files.push_back(path);
    if (auto name = manager_name(path.stem().string())) listing.names.insert(*std::move(name));
  }
  if (error) {
    throw ckpt::Error{
        ckpt::ErrorCode::io,
        {.problem = "this is a directory that cannot be listed", .file = directory, .system_error = error.value()}};
  }
  return listing;
}

fs::file_time_type time_of(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  return error ? fs::file_time_type::min() : time;
}

// What the managers of the directory call their newest, or else the file that was written last.
std::optional<fs::path> newest_in(const fs::path& directory, const Listing& listing) {
  std::vector<fs::path> candidates;
  for (const std::string& name : listing.names) {
    try {
      if (auto latest = ckpt::latest_checkpoint(directory, name)) candidates.push_back(*std::move(latest));
    } catch (const ckpt::Error&) {
      // The name is none that a manager would use: its files still count below.
    }
  }
  if (candidates.empty()) candidates = listing.files;
  if (candidates.empty()) return std::nullopt;
  return *std::ranges::max_element(candidates, {}, time_of);
}

[[noreturn]] void refuse_directory(const fs::path& directory) {
  const Listing listing = look_into(directory);
  if (const std::optional<fs::path> newest = newest_in(directory, listing)) {
    throw ckpt::Error{ckpt::ErrorCode::invalid_argument,
                      {.problem = "this is a directory of checkpoints: the newest is " + escape(newest->native()),
                       .file = directory,
                       .advice = listing.names.empty() ? "" : "'ckptdump history DIRECTORY' lists them all"}};
  }
  throw ckpt::Error{
      ckpt::ErrorCode::invalid_argument,
      {.problem = "this is a directory, and it holds no checkpoint", .file = directory, .advice = "name a .ckpt file"}};
}

[[noreturn]] void refuse_missing(const fs::path& path) {
  std::string advice = "check the name";
  std::error_code error;
  for (const fs::path& candidate : {fs::path{path.native() + ".ckpt"}, fs::path{path.native() + ".index"}}) {
    if (!path.filename().empty() && fs::exists(candidate, error)) {
      advice = "did you mean " + escape(candidate.native()) + "?";
      break;
    }
  }
  const bool dangles = fs::is_symlink(fs::symlink_status(path, error));
  throw ckpt::Error{ckpt::ErrorCode::not_found,
                    {.problem = dangles ? "a symbolic link whose target is missing" : "no such file",
                     .file = path,
                     .advice = advice}};
}

}  // namespace

void require_directory(const Context& context, const std::string& directory) {
  const fs::path path{directory};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw ckpt::Error{ckpt::ErrorCode::not_found,
                      {.problem = "no such directory", .file = path, .advice = "check the name"}};
  }
  if (fs::exists(status) && !fs::is_directory(status)) {
    throw ckpt::Error{ckpt::ErrorCode::invalid_argument,
                      {.problem = "this is a file, and no directory of checkpoints",
                       .file = path,
                       .advice = "name the directory that it is in; 'ckptdump info FILE' tells of one file"}};
  }
  if (!context.filter.selects_all()) {
    throw ckpt::Error{ckpt::ErrorCode::invalid_argument,
                      {.problem = "patterns select tensors, and this command shows none",
                       .file = path,
                       .advice = "leave out --include and --exclude"}};
  }
}

ckpt::Reader open_checkpoint(const std::string& file, const ckpt::ReaderOptions& options) {
  const fs::path path{file};
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) refuse_missing(path);
  if (fs::is_directory(status)) refuse_directory(path);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw ckpt::Error{ckpt::ErrorCode::invalid_argument,
                      {.problem = "this is no regular file",
                       .file = path,
                       .advice = "checkpoints are read in any order: copy it to a file first"}};
  }
  if (const auto other = recognise_other(path)) {
    throw ckpt::Error{ckpt::ErrorCode::unsupported,
                      {.problem = "this is " + other->name + ", which this version does not read",
                       .file = path,
                       .advice = other->advice}};
  }
  return ckpt::Reader::open(path, options);
}

}  // namespace ckptdump
