// A manager's state file, and names of files in its directory.
#include "fuzz.hpp"
#include "manager/file_names.hpp"
#include "manager/state.hpp"

#include <cstdlib>
#include <string_view>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto number = ckpt::manager::number_of("test", text);
  if (number && ckpt::manager::checkpoint_file("test", *number) != text) std::abort();
  ckpt::test::error_of([&] {
    const ckpt::manager::ParsedState state = ckpt::manager::parse_state(text, "test");
    if (!state.problem.empty()) return;
    // What was believed is written and read again as the same.
    const auto again = ckpt::manager::parse_state(ckpt::manager::format_state(state.state), "test");
    if (!again.problem.empty() || again.state.entries.size() != state.state.entries.size()) std::abort();
    if (again.state.last_preserved != state.state.last_preserved) std::abort();
  });
  return 0;
}
