#include "manager/file_names.hpp"

#include "base/path.hpp"

#include <ckpt/error.hpp>

#include <charconv>

namespace ckpt::manager {
namespace {

constexpr std::string_view kExtension = ".ckpt";
constexpr std::string_view kPinExtension = ".pin";
constexpr std::string_view kStateExtension = ".state";
constexpr std::size_t kMaxNameBytes = 200;  // file names end at 255 bytes, and a temporary file needs some of them

const char* why_not_a_manager(std::string_view name) noexcept {
  if (const char* reason = base::why_not_a_name(name)) return reason;
  if (name.front() == '.') return "it begins with '.', like temporary and lock files";
  return name.size() > kMaxNameBytes ? "it is longer than 200 bytes" : nullptr;
}

std::string_view without(std::string_view text, std::string_view end) {
  return text.substr(0, text.size() - end.size());
}

}  // namespace

std::string checkpoint_file(std::string_view name, std::int64_t number) {
  return std::string{name} + "-" + std::to_string(number) + std::string{kExtension};
}

std::string pin_file(std::string_view checkpoint_file) {
  return std::string{checkpoint_file} + std::string{kPinExtension};
}

std::string state_file(std::string_view name) { return std::string{name} + std::string{kStateExtension}; }

std::optional<std::int64_t> number_of(std::string_view name, std::string_view file) {
  if (file.size() <= name.size() + 1 + kExtension.size()) return std::nullopt;
  if (!file.starts_with(name) || file[name.size()] != '-' || !file.ends_with(kExtension)) return std::nullopt;
  const std::string_view digits = file.substr(name.size() + 1, file.size() - name.size() - 1 - kExtension.size());
  std::int64_t number = 0;
  const std::errc failure = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
  if (failure != std::errc{} || number < 0) return std::nullopt;
  // "+1", "-0", "007" and "1a" are not what this library writes.
  if (std::to_string(number) != digits) return std::nullopt;
  return number;
}

std::optional<FileName> parse_file_name(std::string_view file) {
  FileName parsed{NameKind::checkpoint, {}};
  if (file.ends_with(kStateExtension)) {
    parsed = {NameKind::state, std::string{without(file, kStateExtension)}};
  } else {
    if (file.ends_with(kPinExtension)) {
      parsed.kind = NameKind::pin;
      file = without(file, kPinExtension);
    }
    const std::size_t dash = file.rfind('-');  // a number has none
    if (dash == std::string_view::npos) return std::nullopt;
    parsed.manager = file.substr(0, dash);
    const auto number = number_of(parsed.manager, file);
    if (!number) return std::nullopt;
    parsed.number = *number;
  }
  if (why_not_a_manager(parsed.manager) != nullptr) return std::nullopt;
  return parsed;
}

void require_manager_name(std::string_view name) {
  if (const char* reason = why_not_a_manager(name)) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = std::string{"files of a manager cannot have this name: "} + reason,
                 .object = std::string{name},
                 .advice = "set ManagerOptions::name to a plain file name, such as \"ckpt\""}};
  }
}

}  // namespace ckpt::manager
