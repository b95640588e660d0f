// Errors of the layers below know offsets but no file; here they learn its name.
#pragma once

#include <ckpt/error.hpp>

#include <filesystem>
#include <utility>

namespace ckpt::io {

/// Calls `action`; an Error that it throws without a file leaves with `file`.
template <typename Action>
decltype(auto) located(const std::filesystem::path& file, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    if (!error.details().file.empty()) throw;
    ErrorDetails details = error.details();
    details.file = file;
    throw Error{error.code(), std::move(details)};
  }
}

}  // namespace ckpt::io
